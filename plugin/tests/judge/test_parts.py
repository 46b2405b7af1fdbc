"""What parts of the evidence that come from elsewhere add to a decision."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from release_gates.judge.gates import judge_gate
from release_gates.judge.limits import judge_rule
from release_gates.judge.waivers import Waiving
from release_gates.model.candidate import Artifact, ReleaseCandidate
from release_gates.model.event import History
from release_gates.model.evidence import Evidence, HostFacts, RunEnd, RunHeader, TestRecord
from release_gates.model.gate import EnvironmentPolicy, GateSpec
from release_gates.model.limit import LimitRule
from release_gates.model.measurement import Measurement
from release_gates.model.outcome import Outcome
from release_gates.model.record import canonical
from release_gates.policy.grammar import parse_limit

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
HEADER = RunHeader(
    run="r",
    environment="staging",
    candidate=ReleaseCandidate(
        name="e", version="1", commit="c", artifacts=(Artifact(name="a", sha256="0" * 64),)
    ),
    rules="rules",
    host=HostFacts(
        hostname="h",
        cpu_model="c",
        cores=2,
        numa_nodes=1,
        kernel="k",
        governor="g",
        python="3",
        fingerprint="f",
    ),
    actor="me",
    command=(),
    plugins=(),
    started=NOW,
)


def judged(spec: GateSpec, *records: TestRecord) -> list[str]:
    part = Evidence(header=HEADER, tests=records, end=RunEnd(ended=NOW, problems=(), tests=1), sha256="e")
    entry = EnvironmentPolicy(name="staging", gates=(spec,))
    waiving = Waiving(waivers=(), environment=entry, gate=spec, candidate=HEADER.candidate, now=NOW)
    found = judge_gate(
        spec, expected=[each.id for each in records], evidence=[part], history=History(), waiving=waiving
    )
    return [problem.because for problem in found.problems]


def record(cell: str = "", *, hours: float = 0, valid_h: float | None = None) -> TestRecord:
    return TestRecord(
        id=f"junit:s::C::a[{cell}]",
        gate="unit",
        outcome=Outcome.PASS,
        phases=("setup", "call", "teardown"),
        cell=cell,
        valid_for_s=None if valid_h is None else valid_h * 3600,
        finished=NOW - timedelta(hours=hours),
    )


def test_each_cell_is_asked_for_by_name() -> None:
    spec = GateSpec(name="unit", owner="x", matrix={"os": ("linux", "mac"), "cc": ("gcc",)})
    assert judged(spec, record("os=linux,cc=gcc"), record("os=mac,cc=gcc")) == []
    assert judged(spec, record("os=linux,cc=gcc"), record("cc=gcc,os=mac")) == [
        "nothing ran in os=mac,cc=gcc, which the matrix of unit asks for"
    ]
    stale = record("os=mac,cc=gcc", hours=25)
    assert any(
        "nothing ran in os=mac,cc=gcc" in each for each in judged(spec, record("os=linux,cc=gcc"), stale)
    )


@pytest.mark.parametrize(
    ("hours", "valid_h", "holds"),
    [(2, None, True), (2, 3, True), (2, 1, False), (25, 48, False), (25, None, False)],
)
def test_a_record_may_be_valid_for_less_than_policy_says_never_for_more(
    hours: float, valid_h: float | None, *, holds: bool
) -> None:
    problems = judged(GateSpec(name="unit", owner="x"), record(hours=hours, valid_h=valid_h))
    assert (not problems) is holds


def test_a_judgement_of_a_measured_value_is_as_it_was_before_there_were_attested_ones() -> None:
    rule = LimitRule(name="t", limit=parse_limit("<= 5 ms"))
    measured = judge_rule(rule, Measurement(name="t", value=3, unit="ms"), live=None)
    attested = judge_rule(rule, Measurement(name="t", value=3, unit="ms", attested="Jane"), live=None)
    assert b"attested" not in canonical(measured)
    assert (attested.attested, attested.measured) == ("Jane", "3 ms (attested)")


def test_a_header_from_before_there_were_sources_still_reads() -> None:
    plain = msgspec.to_builtins(HEADER)
    del plain["sources"]
    assert msgspec.convert(plain, RunHeader) == HEADER
    assert HEADER.sources == ()
