"""``plan`` in real projects: what it says is what a run and ``promote`` do then, and it changes nothing."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from release_gates.testing import GateProject, GateResult

SLOW = """
import time
import pytest
pytestmark = pytest.mark.gate("slow")

def test_slow(gate):
    time.sleep(0.3)
    gate.measure("slow.took", 1, "ms")
"""
ROUTE = '\n[environment.staging.route.hotfix]\ngates = ["smoke"]\nfull_within = "24 h"\n'


@pytest.fixture
def project(project: GateProject) -> GateProject:
    """Return the project with a second, exclusive gate, which the route leaves out."""
    with (project.root / "gates/staging.toml").open("a") as file:
        file.write(
            '[gate.slow]\nowner = "o"\nexclusive = true\n[gate.slow.limits]\n"slow.took" = "<= 9 ms"\n'
        )
    with (project.root / "gates/environments.toml").open("a") as file:
        file.write(ROUTE)
    project.write("suites/test_slow.py", SLOW)
    project.write("gates/expected/slow.txt", "suites/test_slow.py::test_slow\n")
    return project


def planned(project: GateProject, *words: str, within_s: float = 3600) -> GateResult:
    by = datetime.now(UTC) + timedelta(seconds=within_s)
    return project.cli(*words, "plan", "staging", "--by", by.isoformat())


def on_hotfix(project: GateProject) -> GateResult:
    by = datetime.now(UTC) + timedelta(hours=1)
    return project.cli("plan", "staging", "--route", "hotfix", "--by", by.isoformat())


def flat(result: GateResult) -> str:
    return " ".join(result.output.split())


def contents(root: Path) -> dict[str, str]:
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in (root / ".gates").rglob("*")
        if path.is_file() and path.suffix not in (".db-shm", ".db-wal")
    }


def test_nothing_fits_before_anything_was_measured(project: GateProject) -> None:
    project.cli("first-release", "staging", "--reason", "new")
    unknown = planned(project)
    assert (unknown.status, "it was never measured to its end here" in flat(unknown)) == (1, True)
    assert unknown.output.startswith("UNKNOWN: engine 1.0.0")


def test_it_tells_what_fits_and_what_is_left_unproven(project: GateProject) -> None:
    assert project.run().promotes
    project.candidate("engine 2")
    before, head = contents(project.root), len(project.runs())
    told = on_hotfix(project)
    assert told.status == 0, told.output
    assert all(len(line) <= 80 for line in told.output.splitlines())
    assert "UNPROVEN slow: nothing on this route measures them" in flat(told)
    assert "owed then a PROMOTE on the route normal within 24 h" in flat(told)
    assert "(of 1 runs), alone on the host" in flat(planned(project))
    assert (contents(project.root), len(project.runs())) == (before, head)


def test_a_gate_that_takes_longer_than_is_left_does_not_fit(project: GateProject) -> None:
    assert project.run().promotes
    project.candidate("engine 2")
    told = json.loads(planned(project, "--json").output)
    assert [(gate["gate"], gate["alone"], gate["fits"]) for gate in told["gates"]] == [
        ("smoke", False, True),
        ("slow", True, True),
    ]
    assert told["gates"][1]["takes_s"] >= 0.3
    short = planned(project, within_s=0.3)
    assert (short.status, "DOES NOT FIT" in short.output) == (1, True), short.output


def test_a_verdict_that_still_counts_needs_no_other_run(project: GateProject) -> None:
    run = project.run("--gate-route", "hotfix")
    assert run.verdict is not None
    assert f"run {run.verdict.run} is a PROMOTE on this route" in flat(on_hotfix(project))
    assert "is a PROMOTE on this route" not in flat(planned(project))


def test_rollback_comes_first(project: GateProject) -> None:
    assert project.run().promotes
    assert project.cli("promote", "--to", "staging").status == 0
    project.candidate("engine 2")
    assert project.run().promotes
    assert project.cli("promote", "--to", "staging").status == 0
    project.candidate("engine 3")
    told = planned(project)
    assert "FIRST, think of going back to engine 1.0.0" in flat(told)
    assert told.output.index("rollback") < told.output.index("gates")


def test_a_time_that_is_over_is_refused(project: GateProject) -> None:
    refused = project.cli("plan", "staging", "--by", "2020-01-01T00:00")
    assert (refused.status, "is over" in flat(refused)) == (2, True)
