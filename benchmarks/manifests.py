"""A folder of 2,000 manifests, judged by us and by checkov in turn: a part of ``make accuracy-infra``."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import yaml

from benchmarks.table import Row, row
from fixtures.checkov import checkov
from fixtures.trading_system.deploy.render import rendered
from release_gates.probes.checkov.program import run_program
from release_gates.probes.checkov.report import read_report

FILES = 2000
MOST_S = 10.0
TIMES_FASTER = 20
OURS = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from release_gates.probes.kubernetes.judging import judge
from release_gates.probes.kubernetes.objects import deployed
from release_gates.probes.kubernetes.settings import KubernetesSettings
from release_gates.probes.kubernetes.sources import read_path
everything = deployed(read_path(Path(sys.argv[1]), "manifests"), namespace="default")
print(judge(everything, KubernetesSettings(version="1.34"), {}, datetime.now(UTC)).objects)
"""


def manifests(folder: Path, samples: int) -> Iterator[Row]:
    """Yield the time of whole processes, interpreter and imports included; checkov is installed if absent."""
    _write(folder)
    program, ours, theirs = checkov(), [], []
    for _ in range(samples):
        ours.append(_ours(folder))
        theirs.append(_theirs(program, folder))
    what = f"{FILES} manifests of the reference system"
    yield row(f"{what}: read and judged, a whole process", ours, "s", MOST_S)
    yield row(
        f"{what}: `release-gates audit manifests`", [_audited(folder) for _ in range(samples)], "s", None
    )
    yield row(f"{what}: checkov", theirs, "s", None)
    shares = [100 * mine / its for mine, its in zip(ours, theirs, strict=True)]
    faster = statistics.median(theirs) / statistics.median(ours)
    yield row(
        f"our time as a share of checkov's ({faster:.0f} times faster)", shares, "%", 100 / TIMES_FASTER
    )


def _write(folder: Path) -> None:
    """Write one object a file: the reference's own, in as many namespaces as it takes."""
    objects = list(yaml.safe_load_all(rendered("ab" * 32)))
    for number in range(FILES):
        copy, one = divmod(number, len(objects))
        made = objects[one] | {"metadata": dict(objects[one]["metadata"])}
        named = made["metadata"]
        named["namespace" if "namespace" in named else "name"] += f"-{copy}"
        (folder / f"{number:04}.yaml").write_text(yaml.safe_dump(made), encoding="utf-8")


def _ours(folder: Path) -> float:
    command = [sys.executable, "-c", OURS, str(folder)]
    began = time.perf_counter()
    done = subprocess.run(command, capture_output=True, check=True, text=True)
    took = time.perf_counter() - began
    assert int(done.stdout) == FILES, "everything was judged"
    return took


def _audited(folder: Path) -> float:
    command = [sys.executable, "-m", "release_gates", "audit", "manifests", str(folder), "--version", "1.34"]
    began = time.perf_counter()
    done = subprocess.run(command, capture_output=True, check=False, text=True)
    took = time.perf_counter() - began
    assert f"{FILES} objects" in done.stdout, done.stdout[-300:] + done.stderr[-300:]
    return took


def _theirs(program: Path, folder: Path) -> float:
    began = time.perf_counter()
    ended = run_program(program, "kubernetes", folder, timeout_s=1800)
    took = time.perf_counter() - began
    report = read_report(ended.output, framework="kubernetes", place="manifests", status=ended.status)
    assert report.summary.resource_count >= FILES, "everything was looked at"
    return took
