"""What a run says while it runs: gates, since when, the time left; in every width, with xdist and without."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from release_gates.ledger.durations import Durations, durations
from release_gates.ledger.opening import open_ledger
from release_gates.testing import GateProject

SUITE = """
import time
import pytest

@pytest.mark.gate("smoke")
@pytest.mark.parametrize("number", range(3))
def test_smoke(number): time.sleep(0.02)

@pytest.mark.gate("load")
def test_load(gate): gate.measure("order.time", 3, "ms")
"""


@pytest.fixture
def project(tmp_path: Path) -> GateProject:
    made = GateProject(tmp_path)
    with (made.root / "gates/staging.toml").open("a") as file:
        file.write('[gate.load]\nowner = "me"\n')
    made.write("suites/test_a.py", SUITE)
    made.expect()
    return made


def usual(project: GateProject) -> Durations | None:
    ledger = open_ledger(None, base=project.root, state=project.root / ".gates")
    return durations(tuple(ledger.events()), "staging", project.root)


@pytest.mark.parametrize(("columns", "workers"), [(60, 0), (80, 2), (200, 0)])
def test_a_first_run_names_its_gates(project: GateProject, columns: int, workers: int) -> None:
    result = project.run(workers=workers, env={"COLUMNS": str(columns), "TERM": "dumb"})
    assert result.status == 0
    lines = result.output.splitlines()
    assert "gates: entry to staging, 2 gates, 4 tests expected" in lines
    assert (
        len([line for line in lines if re.fullmatch(r"gate smoke: 3 tests, since [\d:]{8} UTC", line)]) == 1
    )
    assert len([line for line in lines if re.fullmatch(r"gate load: 1 test, since [\d:]{8} UTC", line)]) == 1
    assert "\x1b" not in result.output
    end = next(at for at, line in enumerate(lines) if line.startswith("ledger head"))
    ours = [line for line in lines[:end] if line.startswith("gate")] + lines[lines.index("") : end]
    assert max(map(len, ours)) <= columns


def test_a_short_run_is_quiet_the_next_time(project: GateProject) -> None:
    project.run()
    result = project.run()
    assert "4 tests expected; the last run took about 0 s" in result.output
    assert "since" not in result.output
    assert "gates: entry" not in project.run("-q").output


def test_a_long_run_says_how_much_is_left(project: GateProject) -> None:
    project.run()
    project.write(
        "conftest.py",
        """
        from release_gates.session import beginning, progress
        from release_gates.ledger.durations import Durations
        tests = {f"suites/test_a.py::test_smoke[{n}]": 10.0 for n in range(3)}
        beginning.durations = lambda *_: Durations(of=3, whole_s=60.0, tests=tests)
        progress.PAUSE_S = 0.0
        """,
    )
    said = project.run("-p", "conftest").output
    assert "; the last 3 runs took about 60 s" in said
    assert re.search(r"gate smoke: 3 tests, since [\d:]{8} UTC; about 60 s left by earlier runs", said)
    assert re.search(r"gates: smoke 1 of 3 since [\d:]{8} UTC; about 45 s left by earlier runs", said)
    assert "about 15 s left" in said
    assert "suites/test_a.py" in said


def test_history_is_what_was_measured(project: GateProject) -> None:
    assert usual(project) is None
    project.run()
    found = usual(project)
    assert found is not None
    assert (found.of, len(found.tests)) == (1, 4)
    assert all(seconds >= 0.02 for test, seconds in found.tests.items() if "smoke" in test)
    for file in (project.root / ".gates/evidence").iterdir():
        file.write_text("half a li")
    assert usual(project) is None
    assert project.run().status == 0
    shutil.rmtree(project.root / ".gates/evidence")
    assert usual(project) is None


@pytest.mark.parametrize(
    ("tests", "done", "left"),
    [
        ({"a": 30.0, "b": 10.0}, set(), 80.0),
        ({"a": 30.0, "b": 10.0}, {"a"}, 20.0),
        ({"a": 30.0, "b": 10.0}, {"a", "b"}, 0.0),
        ({"a": 30.0}, {"a"}, 40.0),  # b is new: taken for as long as the others
        ({}, set(), 0.0),
        ({"a": 0.0, "b": 0.0}, set(), 0.0),
    ],
)
def test_what_is_left(tests: dict[str, float], done: set[str], left: float) -> None:
    assert Durations(of=1, whole_s=80.0, tests=tests).left_s({"a", "b"}, done) == left
