"""What other tools' rules say of a run's own samples, from its evidence."""

from __future__ import annotations

import math
from pathlib import Path

import msgspec
import pytest
from click import ClickException

from benchmarks.rules import mann_whitney
from benchmarks.rules_on import table
from benchmarks.samples import HEADER, NOW
from release_gates.model.evidence import Evidence, TestRecord
from release_gates.model.measurement import Measurement
from release_gates.model.outcome import Outcome
from release_gates.model.paired import Paired, PairPlan, ProcessPair

POLICY = """
schema = 1
[gate.benchmark]
owner = "core"
[gate.benchmark.limits]
"*.cpu_time" = { baseline = "<= 1.5 %" }
"""


def paired(percent: float, noise: float) -> Paired:
    """Return processes of a build that is slower by some percent, on a host whose speed drifts by 4 %."""
    plan = PairPlan(looks=(6, 12), confirm=8, false_alarm=0.01, wrong_pass=0.01, benchmarks=1)
    every = []
    for number in range(20):
        ratio = math.log1p(percent / 100) + noise * ((number // 2) % 3 - 1)
        before = 100.0 * (1 + 0.04 * (number % 5 - 2) / 2)
        every.append(
            ProcessPair(
                ratio=ratio,
                spread=0.01,
                kept=75,
                dropped=5,
                first="candidate" if number % 2 else "baseline",
                seed=number,
                times_ns=(before, before * math.exp(ratio)),
            )
        )
    return Paired(plan=plan, processes=tuple(every[:12]), confirmation=tuple(every[12:]))


def evidence(of: Paired) -> Evidence:
    measurement = Measurement(name="match.cpu_time", value=103.0, unit="ns", baseline=100.0, paired=of)
    test = TestRecord(
        id="t.py::test_core",
        gate="benchmark",
        outcome=Outcome.PASS,
        measurements=(measurement,),
        finished=NOW,
    )
    return Evidence(header=HEADER, tests=(test,), end=None, sha256="0" * 64)


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    (tmp_path / "environments.toml").write_text('schema = 1\npath = ["staging"]\n', encoding="utf-8")
    (tmp_path / "staging.toml").write_text(POLICY, encoding="utf-8")
    return tmp_path


def test_three_percent_are_seen_by_pairs_alone(policy: Path) -> None:
    """The host drifts by more than the build is slower, so that rules on single times see next to nothing."""
    ((name, change, ours, u_test, mean),) = table(evidence(paired(3, 0.002)), policy)
    assert (name, ours, mean) == ("match.cpu_time", "FAIL", "passes, +3.0%")
    assert change.startswith("+3.0 %, at most +3.")
    assert u_test.startswith(("slower, p = 0.0", "no difference, p = "))


def test_every_rule_sees_what_is_plain(policy: Path) -> None:
    ((_, _, ours, u_test, mean),) = table(evidence(paired(30, 0.002)), policy)
    assert (ours, u_test, mean) == ("FAIL", "slower, p = 0.000", "fails, +30.0%")


def test_the_u_test_is_that_of_the_tables() -> None:
    """Six against six without overlap: U = 36, z = 17.5 / 6.245."""
    assert mann_whitney([1, 2, 3, 4, 5, 6], [7, 8, 9, 10, 11, 12]) == pytest.approx(0.00507, abs=1e-5)


def test_old_evidence_is_refused(policy: Path) -> None:
    """Ratios alone are no times of two sides, and nobody makes some up."""
    whole = paired(3, 0.002)
    one = msgspec.structs.replace(whole.processes[0], times_ns=None)
    with pytest.raises(ClickException, match="holds ratios"):
        list(table(evidence(msgspec.structs.replace(whole, processes=(one, *whole.processes[1:]))), policy))
