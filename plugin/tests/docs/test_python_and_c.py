"""Python and C of README and the guides: gate tests run beside stand-ins with the probes' methods."""

from __future__ import annotations

import re
import subprocess
import sys
import types
from itertools import islice
from pathlib import Path

import pytest

from plugin.tests.docs.snippets import Snippet, every_snippet
from release_gates.probes.benchmark.compiled import NATIVE
from release_gates.probes.load.traffic import Answer, Request
from release_gates.testing import GateProject

PYTHON = [each for each in every_snippet() if each.kind == "python"]
GATE = re.compile(r'mark\.gate\("(\w+)"\)')
SUITES = [each for each in PYTHON if GATE.search(each.text)]
ELSEWHERE = {"container": "test_suite_of_readme.py", "depth": "the session of docs/tutorial.md"}
"""Gates whose suite another test runs."""
MODULES = {"docs/load-gate.md": ("fixtures/trading_load.py",)}
"""Files of the same page that a suite imports."""
PATH = f"{Path(sys.executable).parent}:/usr/bin:/bin"
CONFTEST = '''
"""Probes that have the real ones' methods and nothing else, and the systems that the pages speak of."""

from types import SimpleNamespace
from unittest.mock import create_autospec

import pytest

from release_gates.probes.benchmark.comparison import GateBenchmark
from release_gates.probes.coverage.assessment import GateCoverage
from release_gates.probes.kubernetes.assessment import GateKubernetes
from release_gates.probes.load.gate_load import GateLoad
from release_gates.probes.machine.hosts.assessment import GateHost
from release_gates.probes.sarif.gate_findings import GateFindings
from release_gates.probes.sbom.gate_sbom import GateSbom
from release_gates.probes.service.process import Exit
from release_gates.probes.terraform.assessment import GateTerraform


def probe(kind):
    @pytest.fixture
    def asked():
        made = create_autospec(kind, instance=True)
        yield made
        assert made.method_calls, "the suite asked nothing"
    return asked


gate_benchmark, gate_load, gate_host = map(probe, (GateBenchmark, GateLoad, GateHost))
gate_coverage, gate_kubernetes, gate_terraform = map(probe, (GateCoverage, GateKubernetes, GateTerraform))
gate_findings, gate_sbom = map(probe, (GateFindings, GateSbom))


@pytest.fixture
def gate_service(gate):
    """A service that is well, and says that it is the candidate."""
    version = {"version": gate.candidate.version, "commit": gate.candidate.commit}
    answer = SimpleNamespace(status_code=200, json=lambda: version)
    stopped = Exit(status=0, seconds=0.1, killed=False)
    return SimpleNamespace(client=SimpleNamespace(get=lambda path: answer), ready_s=0.2, stop=lambda: stopped)


@pytest.fixture
def order_api():
    return SimpleNamespace(replay=lambda name: SimpleNamespace(p95_ms=412, count=2000))


@pytest.fixture
def exchange():
    return SimpleNamespace(lost_events=lambda: 0)
'''


def by_place(found: list[Snippet]) -> list[object]:
    return [pytest.param(each, id=each.place) for each in found]


@pytest.mark.parametrize("snippet", by_place(PYTHON))
def test_python_is_python(snippet: Snippet) -> None:
    compile(snippet.text, snippet.place, "exec")


@pytest.mark.parametrize("snippet", by_place([s for s in SUITES if GATE.search(s.text)[1] not in ELSEWHERE]))
def test_a_suite_of_a_page_runs(snippet: Snippet, tmp_path: Path) -> None:
    gate = GATE.search(snippet.text)[1]
    project = GateProject(tmp_path)
    project.write("gates/staging.toml", f'schema = 1\n[gate.{gate}]\nowner = "o"\n')
    project.write("conftest.py", CONFTEST)
    project.write("suites/test_page.py", snippet.text)
    project.write("app/engine.py", "import os\n")  # with a finding
    for file in PYTHON:
        if file.page == snippet.page and file.file in MODULES.get(snippet.page, ()):
            project.write(file.file, file.text)
    done = project.run(
        "-p",
        "no:xdist",
        "-q",
        "-c",
        str(tmp_path / "pytest.ini"),
        mark=None,
        env={"PYTHONPATH": ".", "PATH": PATH},
    )
    assert " passed" in done.output, done.output
    assert not re.search(r"failed|error", done.output.splitlines()[-1]), done.output


def module(name: str) -> types.ModuleType:
    (text,) = (each.text for each in PYTHON if each.file == name)
    made = types.ModuleType(Path(name).stem)
    exec(text, made.__dict__)  # noqa: S102 - a guide of this repository
    return made


def test_the_traffic_of_the_load_guide() -> None:
    requests = list(islice(module("fixtures/trading_load.py").mixed(3), 4))
    assert all(isinstance(each, Request) for each in requests)
    assert [each.endpoint for each in requests] == ["order_entry", "book"] * 2
    assert len({each.body for each in requests if each.body}) == 2


@pytest.mark.parametrize("cut", range(1, 12))
def test_the_codec_of_the_load_guide(cut: int) -> None:
    """However the bytes are cut, the answers are the same."""
    codec = module("fixtures/lines.py").Lines(object())
    assert codec.encode(Request("order", body=b"BUY")) == b"BUY\n"
    stream, answers = b"WELCOME\nPING\nOK 17\n", []
    for start in range(0, len(stream), cut):
        answers.append(codec.decode(stream[start : start + cut]))
    assert [each for each in answers if each] == [Answer(200, b"17")]
    assert (codec.ready, bytes(codec.outgoing)) == (True, b"LOGON\nPONG\n")


BODIES = """
#include <cstdint>
#include <cstdlib>
static void* create_book(uint64_t seed) { return new uint64_t(seed); }
static uint64_t match_orders(void* state, uint64_t count) { return *static_cast<uint64_t*>(state) += count; }
static uint64_t acknowledge_order(void* state, uint64_t count) { return match_orders(state, count); }
static void destroy_book(void* state) { delete static_cast<uint64_t*>(state); }
"""


def test_the_shared_object_is_compiled(tmp_path: Path) -> None:
    """The benchmark guide's own source, by its own command."""
    page = [each for each in every_snippet() if each.page == "docs/benchmark-gate.md"]
    (source,) = (each.text for each in page if each.kind == "c")
    (command,) = (each for each in page if each.note == ("run by", "test_the_shared_object_is_compiled"))
    (tmp_path / "bench.cpp").write_text(BODIES + source, encoding="utf-8")
    script = re.sub(r"^\$ ", "", command.text, flags=re.MULTILINE)
    subprocess.run(["bash", "-e", "-c", script], cwd=tmp_path, env={"PATH": PATH}, check=True)
    assert (tmp_path / "core-benchmarks.so").read_bytes().startswith(b"\x7fELF")
    assert NATIVE.is_dir()
