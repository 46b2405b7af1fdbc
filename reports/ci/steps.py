"""Run a pipeline's own commands on this machine, one after another: ``python -m reports.ci.steps FILE``.

It reads the template and not a copy of it, so that what CI would do is what is tried. Images, artifacts and
``pip install`` are left to CI; every job runs in the folder that it is called in.
"""

from __future__ import annotations

import itertools
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

STAGE = re.compile(r"stage\('(\w+)'\)|name '(\w+)'\s+values ([^\n]+)|sh '''(.*?)'''", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Job:
    """One job: its commands, which share a shell, and the variables that they see."""

    name: str
    script: str
    variables: Mapping[str, str] = field(default_factory=dict)


def read_jobs(file: Path) -> list[Job]:
    """Return the jobs of a pipeline in their order, one for each cell of a matrix."""
    text = file.read_text(encoding="utf-8")
    if file.name == "Jenkinsfile":
        return list(_jenkins(text))
    document = yaml.safe_load(text)
    return list(_github(document["jobs"]) if "jobs" in document else _gitlab(document))


def run_jobs(jobs: list[Job], folder: Path, variables: Mapping[str, str]) -> dict[str, int]:
    """Run jobs until one fails; return the status of each that ran."""
    statuses: dict[str, int] = {}
    for job in jobs:
        shown = " ".join([job.name, *(f"{name}={value}" for name, value in job.variables.items())])
        print(f"== {shown}", flush=True)
        environ = {**variables, **job.variables}
        done = subprocess.run(["bash", "-e", "-c", job.script], cwd=folder, env=environ, check=False)
        statuses[shown] = done.returncode
        if done.returncode:
            break
    return statuses


def _gitlab(document: Mapping[str, Any]) -> Iterator[Job]:
    for stage in document["stages"]:
        for name, job in document.items():
            if isinstance(job, dict) and job.get("stage") == stage:
                cells = job.get("parallel", {}).get("matrix", [{}])
                for variables in itertools.chain.from_iterable(map(_cells, cells)):
                    yield Job(name, "\n".join(job["script"]), variables)


def _github(jobs: Mapping[str, Any]) -> Iterator[Job]:
    for name, job in jobs.items():
        commands = [step["run"] for step in job["steps"] if "run" in step]
        script = "\n".join(each for each in commands if not each.startswith("pip install"))
        for cell in _cells(job.get("strategy", {}).get("matrix", {})):
            yield Job(name, script, {key: _filled(text, cell) for key, text in job.get("env", {}).items()})


def _jenkins(text: str) -> Iterator[Job]:
    stage, matrix = "", dict[str, list[str]]()
    for found in STAGE.finditer(text):
        if found[1]:
            stage, matrix = found[1], matrix if found[1] == "part" else {}
        elif found[2]:
            matrix[found[2]] = re.findall(r"'(\w+)'", found[3])
        else:
            yield from (Job(stage, found[4], cell) for cell in _cells(matrix))


def _cells(matrix: Mapping[str, list[str]]) -> Iterator[dict[str, str]]:
    for values in itertools.product(*matrix.values()):
        yield dict(zip(matrix, values, strict=True))


def _filled(text: str, cell: Mapping[str, str]) -> str:
    return re.sub(r"\$\{\{ matrix\.(\w+) \}\}", lambda found: cell[found[1]], text)


def main() -> int:
    """Run the jobs of a pipeline here; the status is that of the last one."""
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    statuses = run_jobs(read_jobs(Path(sys.argv[1])), Path.cwd(), os.environ)
    return list(statuses.values())[-1]


if __name__ == "__main__":
    sys.exit(main())
