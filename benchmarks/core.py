"""What the plugin costs, side by side with bare pytest in one run: ``make accuracy-core``."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.samples import HEADER, NOW, RULES
from benchmarks.table import Row, report, row
from release_gates.judge.decide import decide
from release_gates.model.event import History
from release_gates.model.evidence import Evidence, RunEnd, TestRecord
from release_gates.model.gate import EnvironmentPolicy, GateSpec
from release_gates.model.limit import Bound, Limit, LimitRule
from release_gates.model.measurement import Measurement
from release_gates.model.outcome import Outcome
from release_gates.testing import GateProject

FILES, TESTS = 50, 100
PLUGIN = ("-p", "release_gates.pytest_plugin")
QUIET = ("-q", "-p", "no:cacheprovider", "-o", "required_plugins=")
HOOKS = "def pytest_runtest_setup(item): pass\ndef pytest_runtest_call(item): pass\n"
HOOKS += "def pytest_runtest_teardown(item): pass\ndef pytest_runtest_logreport(report): pass\n"


def measure(quick: bool) -> list[Row]:
    """Measure everything; ``quick`` takes fewer rounds and a tenth of the records."""
    rounds = 3 if quick else 9
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        return [
            *_many_tests(place / "many", rounds),
            *_without_gates(place / "plain", rounds),
            _start_up(place / "one", 3 * rounds),
            _decide(10_000 if quick else 100_000, 3),
        ]


def _many_tests(folder: Path, rounds: int) -> list[Row]:
    trivial = project(folder / "trivial", "def test_{n}(): pass\n")
    measuring = project(folder / "measuring", "def test_{n}(gate): gate.measure('order.time', 3, 'ms')\n")
    selected = by_select(project(folder / "selected", "def test_{n}(): pass\n"))
    (trivial.root / "four_hooks.py").write_text(HOOKS)
    bare, gates = ("-m", "slow"), (*PLUGIN, "-m", "gate_staging")
    hooks = ("-p", "four_hooks", *bare)
    many = f"{FILES * TESTS:,} trivial tests: "
    here = trivial.root
    return [
        row(f"{many}in a gate, CPU against bare pytest", ratios(here, gates, here, bare, rounds), "x", 1.15),
        row(
            f"{many}in a gate by `select`, against by a mark",
            ratios(selected.root, gates, here, gates, rounds),
            "x",
            1.1,
        ),
        row(
            f"{many}four empty hooks against bare pytest", ratios(here, hooks, here, bare, rounds), "x", None
        ),
        row(
            f"{many}each measures a value, against none does",
            ratios(measuring.root, gates, here, gates, rounds),
            "x",
            None,
        ),
    ]


def _without_gates(folder: Path, rounds: int) -> list[Row]:
    plain = project(folder, "def test_{n}(): pass\n")
    shutil.rmtree(plain.root / "gates")
    found = ratios(plain.root, (*PLUGIN, "-m", "slow"), plain.root, ("-m", "slow"), rounds)
    return [row("the same tests, plugin installed, no gates in the project", found, "x", 1.02)]


def _start_up(folder: Path, rounds: int) -> Row:
    one = project(folder, "def test_{n}(): pass\n", files=1, tests=1)
    bare, gates = ("--collect-only", "-m", "slow"), ("--collect-only", *PLUGIN, "-m", "gate_staging")
    pairs = [(cpu_s(one.root, gates), cpu_s(one.root, bare)) for _ in range(rounds)]
    return row("start-up added, CPU", [1000 * (ours - theirs) for ours, theirs in pairs], "ms", 15.0)


def _decide(count: int, rounds: int) -> Row:
    environment, expected, evidence = recorded(count)
    times = []
    for _ in range(rounds):
        start = time.process_time()
        verdict = decide(
            environment,
            rules=RULES,
            expected=expected,
            evidence=[evidence],
            history=History(),
            now=NOW,
            local=False,
            run="run",
        )
        times.append(time.process_time() - start)
        if not verdict.promotes:
            raise RuntimeError(f"the measured verdict should promote: {verdict.because}")
    return row(f"decide on {count:,} records", times, "s", 1.0 * count / 100_000)


def recorded(count: int) -> tuple[EnvironmentPolicy, dict[str, tuple[str, ...]], Evidence]:
    """Return a policy with one limit, and ``count`` records of which every tenth measured a value."""
    limit = Limit(text="<= 5 ms", bounds=(Bound(operator="<=", value=5.0, unit="ms"),))
    spec = GateSpec(name="smoke", owner="me", limits=(LimitRule(name="*.time", limit=limit),))
    records = tuple(
        TestRecord(
            id=f"suites/test_a.py::test_{number}",
            gate="smoke",
            outcome=Outcome.PASS,
            phases=("setup", "call", "teardown"),
            measurements=(Measurement(name="a.time", value=3.0, unit="ms"),) if number % 10 == 0 else (),
            finished=NOW,
        )
        for number in range(count)
    )
    end = RunEnd(ended=NOW, problems=(), tests=count)
    environment = EnvironmentPolicy(name="staging", gates=(spec,))
    expected = {"smoke": tuple(record.id for record in records)}
    return environment, expected, Evidence(header=HEADER, tests=records, end=end, sha256="0")


def project(folder: Path, test: str, *, files: int = FILES, tests: int = TESTS) -> GateProject:
    """Write a project whose tests all bear the gate's mark and the mark ``slow``."""
    made = GateProject(folder)
    head = 'import pytest\npytestmark = [pytest.mark.gate("smoke"), pytest.mark.slow]\n'
    ids = []
    for number in range(files):
        name = f"suites/test_{number}.py"
        made.write(name, head + "".join(test.format(n=each) for each in range(tests)))
        ids += [f"{name}::test_{each}" for each in range(tests)]
    made.expect(ids)
    marks = "markers =\n    slow: all of them\n    gate(name): a gate\n"
    made.write("pytest.ini", f"[pytest]\naddopts = --import-mode=importlib\ntestpaths = suites\n{marks}")
    return made


def by_select(made: GateProject) -> GateProject:
    """Take the gate's mark off every test, and let policy select them: files, and single tests of one."""
    for file in (made.root / "suites").iterdir():
        file.write_text(file.read_text().replace('pytest.mark.gate("smoke"), ', ""))
    with (made.root / "gates/staging.toml").open("a") as policy:
        policy.write('select = ["suites/**", "suites/test_1.py::test_1*"]\n')
    return made


def ratios(folder: Path, ours: Sequence[str], other: Path, theirs: Sequence[str], rounds: int) -> list[float]:
    """Return CPU ratios of two calls of pytest, taken in turn; the first pair only warms up."""
    pairs = [(cpu_s(folder, ours), cpu_s(other, theirs)) for _ in range(rounds + 1)]
    return [left / right for left, right in pairs[1:]]


def cpu_s(folder: Path, arguments: Sequence[str]) -> float:
    """Return user and system seconds of one pytest that has to end as it should."""
    shutil.rmtree(folder / ".gates", ignore_errors=True)  # else attempts and history grow from round to round
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(folder)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # nobody compiles a plugin anew at each start
    command = [sys.executable, "-m", "pytest", *QUIET, *arguments]
    child = subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    wanted = 10 if "--collect-only" in arguments and "gate_staging" in arguments else 0
    if child.returncode != wanted:
        raise RuntimeError(f"{' '.join(command)} ended with {child.returncode} in {folder}")
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    sys.exit(report("core", measure))
