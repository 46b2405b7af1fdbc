"""The fixture of pytest-benchmark inside a gate test."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from release_gates.model.outcome import Outcome
from release_gates.testing import GateProject

pytest.importorskip("pytest_benchmark")

SUITE = """
import pytest
pytestmark = pytest.mark.gate("smoke")

@pytest.mark.parametrize("size", [10, 20])
def test_parse(benchmark, size):
    benchmark.pedantic(sum, args=(range(size),), rounds=20, iterations=10)

def test_never_called(benchmark):
    pass
"""


@pytest.fixture
def project(tmp_path: Path) -> GateProject:
    made = GateProject(tmp_path / "project")
    made.write("suites/test_parse.py", SUITE)
    made.expect()
    return made


def test_it_is_a_measurement_with_its_distribution(project: GateProject) -> None:
    project.limits("smoke", {"test_parse.time": "<= 1 s"})
    project.run("-m", "gate_staging")
    [file] = (project.root / ".gates/evidence").iterdir()
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    [record] = [line for line in lines if line.get("id", "").endswith("test_parse[20]")]
    [measured] = record["measurements"]
    assert (measured["name"], measured["key"], measured["unit"]) == ("test_parse.time", "20", "s")
    assert measured["samples"] == 20
    assert measured["distribution"]["p25"] <= measured["value"] <= measured["distribution"]["p75"]
    assert record["outcome"] == Outcome.PASS


@pytest.mark.parametrize("switched_off", [["--benchmark-disable"], ["-n", "2"]])
def test_switched_off_is_missing(project: GateProject, switched_off: list[str]) -> None:
    project.limits("smoke", {"test_parse.time": "<= 1 s"})
    result = project.run("-m", "gate_staging", *switched_off)
    assert not result.promotes
    assert "pytest-benchmark is switched off" in result.output


def test_never_called_is_missing(project: GateProject) -> None:
    project.limits("smoke", {"test_never_called.time": "<= 1 s"})
    result = project.run("-m", "gate_staging")
    assert "never called the fixture 'benchmark'" in result.output
    assert not result.promotes


def test_without_a_baseline_of_this_run_it_decides_no_regression(project: GateProject) -> None:
    project.write(
        "gates/staging.toml",
        'schema = 1\n[gate.smoke]\nowner = "a"\n[gate.smoke.limits]\n"*.time" = { baseline = "<= 5 %" }\n',
    )
    result = project.run("-m", "gate_staging")
    assert not result.promotes
    assert "INCONCLUSIVE" in result.output
