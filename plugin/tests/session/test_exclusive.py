"""Exclusive gates really run beside no other test: every test notes when it began and ended, and where.

What is compared are intervals of one monotonic clock, never durations: no test here fails on a slow host.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import pytest

from release_gates.ledger.evidence import read_evidence
from release_gates.testing import GateProject, GateResult

NOTES = """
import os, time

def note(what):
    with open(os.environ["NOTES"], "a", buffering=1) as file:
        file.write(f"{what} {os.getpid()} {time.monotonic_ns()}\\n")
"""

CONFTEST = """
import os, pytest
from notes import note

@pytest.fixture(scope="session")
def venue():
    note("begin fixture")
    yield
    note("end fixture")

@pytest.fixture(autouse=True)
def noted(request, venue):
    note("begin " + request.node.name)
    yield
    note("end " + request.node.name)

@pytest.fixture
def once():
    def once(action):
        try:
            os.close(os.open(os.environ["NOTES"] + ".once", os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return
        action()
    return once
"""

ORDINARY = """
import time, pytest
pytestmark = pytest.mark.gate("smoke")

@pytest.mark.parametrize("n", range(8))
def test_o(n):
    time.sleep(0.02)
"""

ALONE = """
import os, signal, time, pytest
pytestmark = pytest.mark.gate("load")

def test_x0(gate):
    time.sleep(0.05)
    gate.measure("load.time", 3, "ms")

def test_x1():
    time.sleep(0.05)

def test_x2():
    time.sleep(0.05)
"""

LIMITS = '[gate.load]\nowner = "me"\nexclusive = true\n[gate.load.limits]\n"load.time" = "<= 5 ms"\n'
DIES = "os.kill(os.getpid(), signal.SIGKILL)"


class Span(NamedTuple):
    """From begin to end of one test, or of one worker's session fixture."""

    name: str
    pid: int
    begin: int
    end: int

    def is_beside(self, other: Span) -> bool:
        return self.begin < other.end and other.begin < self.end


def make(root: Path, *, ordinary: str = ORDINARY, alone: str = ALONE) -> GateProject:
    project = GateProject(root)
    project.write("notes.py", NOTES)
    project.write("conftest.py", CONFTEST)
    project.write("pytest.ini", (root / "pytest.ini").read_text() + "pythonpath = .\n")
    with (root / "gates/staging.toml").open("a") as policy:
        policy.write(LIMITS)
    if ordinary:
        project.write("suites/test_ordinary.py", ordinary)
    project.write("suites/test_alone.py", alone)  # collected before the ordinary ones
    project.expect([f"suites/test_ordinary.py::test_o[{n}]" for n in range(8)])
    project.expect([f"suites/test_alone.py::test_x{n}" for n in range(3)], gate="load")
    return project


@pytest.fixture
def project(tmp_path: Path) -> GateProject:
    return make(tmp_path / "project")


def run(project: GateProject, *arguments: str, workers: int = 2, **more: str) -> GateResult:
    return project.run(*arguments, workers=workers, env={"NOTES": str(project.root / "notes.txt"), **more})


def start(project: GateProject, *arguments: str, **more: str) -> subprocess.Popen[bytes]:
    """Start a run in a process of its own and return at once."""
    env = {**project._environment(more), "NOTES": str(project.root / "notes.txt")}
    command = [sys.executable, "-m", "pytest", "-m", "gate_staging", *arguments]
    return subprocess.Popen(command, cwd=project.root, env=env, stdout=subprocess.DEVNULL)


def notes(path: Path) -> list[tuple[str, str, int, int]]:
    rows = (line.split() for line in path.read_text().splitlines())
    return [(what, name, int(pid), int(at)) for what, name, pid, at in rows]


def spans(path: Path) -> list[Span]:
    """Return what began; what never ended did so when its process, which was killed, wrote its last note."""
    open_: dict[tuple[str, int], int] = {}
    last: dict[int, int] = {}
    found = []
    for what, name, pid, at in notes(path):
        last[pid] = at
        if what == "begin":
            open_[name, pid] = at
        else:
            found.append(Span(name, pid, open_.pop((name, pid)), at))
    return [*found, *(Span(name, pid, at, last[pid]) for (name, pid), at in open_.items())]


def is_exclusive(span: Span) -> bool:
    return span.name.startswith("test_x")


def assert_alone(*paths: Path) -> None:
    """No exclusive test beside a test, or beside a session fixture of another worker."""
    every = [span for path in paths for span in spans(path)]
    beside = [
        (one, other)
        for one in every
        for other in every
        if is_exclusive(one) and other is not one and one.is_beside(other)
        if not (other.name == "fixture" and other.pid == one.pid)
    ]
    assert not beside, beside


def ran(project: GateProject) -> list[str]:
    return sorted(span.name for span in spans(project.root / "notes.txt") if span.name != "fixture")


EVERY = sorted([*(f"test_o[{n}]" for n in range(8)), *(f"test_x{n}" for n in range(3))])


class TestWorkers:
    @pytest.mark.parametrize(("workers", "dist"), [(2, "load"), (3, "worksteal")])
    def test_exclusive_tests_run_last_one_by_one_and_alone(
        self, project: GateProject, workers: int, dist: str
    ) -> None:
        result = run(project, "--dist", dist, workers=workers)
        assert result.promotes, result.output
        assert ran(project) == EVERY
        assert_alone(project.root / "notes.txt")
        last = [span for span in spans(project.root / "notes.txt") if is_exclusive(span)]
        assert len({span.pid for span in last}) == 1

    def test_workers_that_die_in_both_parts(self, tmp_path: Path) -> None:
        ordinary = ORDINARY.replace("range(8))\ndef test_o(n):", "range(8))\ndef test_o(n, once):")
        ordinary = f"import os, signal\n{ordinary}    if n == 3: once(lambda: {DIES})\n"
        alone = ALONE.replace("def test_x1():", f"def test_x1():\n    {DIES}\n")
        project = make(tmp_path / "project", ordinary=ordinary, alone=alone)
        result = run(project, workers=3)
        assert (result.status, result.promotes) == (10, False), result.output
        assert ran(project) == EVERY
        assert result.sentences.count("the process that ran it died") >= 2
        assert_alone(project.root / "notes.txt")

    def test_stopped_at_the_first_failure_no_exclusive_test_begins(self, tmp_path: Path) -> None:
        project = make(tmp_path / "project", ordinary=ORDINARY.replace("0.02)", "0.02)\n    assert n != 0"))
        result = run(project, "-x")
        assert not result.promotes
        assert not [name for name in ran(project) if name.startswith("test_x")], result.output

    def test_all_tests_are_exclusive_and_one_is_rerun(self, tmp_path: Path) -> None:
        alone = ALONE.replace("def test_x1():", 'def test_x1(once):\n    once(lambda: pytest.fail("first"))')
        project = make(tmp_path / "project", ordinary="", alone=alone)
        (project.root / "gates/expected/smoke.txt").unlink()
        staging = project.root / "gates/staging.toml"
        staging.write_text(staging.read_text().replace('[gate.smoke]\nowner = "somebody"\n', ""))
        result = run(project, "--reruns", "1")
        assert [name for name in ran(project) if name.startswith("test_x")] == [
            *("test_x0", "test_x1", "test_x1", "test_x2")
        ], result.output
        assert not result.promotes
        assert_alone(project.root / "notes.txt")


class TestOneProcess:
    def test_exclusive_tests_run_last_and_no_fixture_of_others_is_left(self, project: GateProject) -> None:
        result = run(project, workers=0)
        assert result.promotes, result.output
        names = [name for what, name, _, _ in notes(project.root / "notes.txt") if what == "begin"]
        assert [name for name in names if name.startswith("test_")] == EVERY
        assert names.index("fixture", 1) == names.index("test_x0") - 1  # ended, and begun anew

    @pytest.mark.parametrize("workers", [0, 2])
    def test_without_a_decision_they_are_left_out_and_it_says_so(
        self, project: GateProject, workers: int
    ) -> None:
        result = project.run(mark=None, workers=workers, env={"NOTES": str(project.root / "notes.txt")})
        assert (result.status, result.verdict) == (0, None), result.output
        assert ran(project) == [name for name in EVERY if name.startswith("test_o")]
        assert "gates: 3 tests of gate load left out" in result.output


class TestProcesses:
    def test_two_runs_on_one_host_take_turns(self, tmp_path: Path) -> None:
        one, other = make(tmp_path / "one"), make(tmp_path / "other")
        host = {"GATE_LOCK": str(tmp_path / "host")}
        first = start(one, "-n", "2", **host)
        second = start(other, **host)
        statuses = first.wait(), second.wait()
        assert statuses == (0, 0), [project.runs()[-1].verdict for project in (one, other)]
        assert ran(one) == ran(other) == EVERY
        tests = [
            [span for span in spans(p.root / "notes.txt") if span.name != "fixture"] for p in (one, other)
        ]
        assert not [
            (a, b) for a in tests[0] for b in tests[1] if is_exclusive(a) or is_exclusive(b) if a.is_beside(b)
        ]

    def test_a_holder_that_does_not_let_go_is_named_and_one_that_is_killed_lets_go(
        self, tmp_path: Path
    ) -> None:
        alone = ALONE.replace("def test_x0(gate):", "def test_x0(gate):\n    time.sleep(600)")
        holder, waiter = make(tmp_path / "holder", alone=alone), make(tmp_path / "waiter")
        host = {"GATE_LOCK": str(tmp_path / "host")}
        child = start(holder, "-k", "test_x0", **host)
        try:
            while not (holder.root / "notes.txt").exists():
                assert child.poll() is None
                time.sleep(0.02)
            result = run(waiter, "--gate-lock-timeout", "0.1 s", workers=0, **host)
        finally:
            child.kill()
            child.wait()
        assert (result.status, result.promotes) == (10, False), result.output
        assert f"pid {child.pid} (`{sys.executable} -m pytest -m gate_staging" in result.sentences
        assert "is alone on this host for" in result.sentences
        assert "ERROR" in result.output
        assert not (waiter.root / "notes.txt").exists()
        after = run(waiter, "--gate-lock-timeout", "60 s", workers=0, **host)
        assert after.promotes, after.output

    def test_a_pytest_inside_of_a_test_has_what_the_test_has(self, tmp_path: Path) -> None:
        inner = make(tmp_path / "inner")
        host = {"GATE_LOCK": str(tmp_path / "host")}
        call = (
            "import subprocess, sys\n    env = dict(os.environ, NOTES={notes!r})\n"
            "    done = subprocess.run([sys.executable, '-m', 'pytest', '-m', 'gate_staging', '--gate-lock-timeout', '5 s'],"
            " cwd={root!r}, env=env, capture_output=True, text=True)\n"
            "    assert done.returncode == {status}, done.stdout\n    assert {said!r} in done.stdout\n"
        )
        where = {"notes": str(inner.root / "notes.txt"), "root": str(inner.root)}
        ordinary = "import os, pytest\npytestmark = pytest.mark.gate('smoke')\n" + "".join(
            f"def test_o{n}(): pass\n" for n in range(1)
        )
        ordinary += "def test_inner():\n    " + call.format(
            status=10, said="runs inside of a test that is not", **where
        )
        alone = ALONE.replace(
            "def test_x1():", "def test_x1():\n    " + call.format(status=0, said="PROMOTE", **where)
        )
        outer = make(tmp_path / "outer", ordinary=ordinary, alone=alone)
        outer.expect(["suites/test_ordinary.py::test_o0", "suites/test_ordinary.py::test_inner"])
        result = run(outer, workers=0, **host)
        assert result.promotes, result.output


def test_the_wait_for_a_quiet_host_is_told_and_recorded(project: GateProject) -> None:
    result = run(project, "--gate-wait-quiet", "0.2 s", "--gate-evidence", "evidence.jsonl", workers=0)
    assert result.promotes, result.output
    records = read_evidence(project.root / "evidence.jsonl").tests
    found = {record.id.partition("::")[2]: record.quiet for record in records if record.quiet}
    assert list(found) == ["test_x0"]  # once, before the gate's first test
    quiet = found["test_x0"]
    assert quiet is not None
    assert quiet.waited_s >= 0.2
    assert quiet.quiet or "the host did not become quiet within 0 s, measuring all the same" in result.output


def test_a_time_that_is_none_is_refused(project: GateProject) -> None:
    result = run(project, "--gate-wait-quiet", "20 parsecs", workers=0)
    assert (result.status, "[duration]" in result.output) == (4, True), result.output
