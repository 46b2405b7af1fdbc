"""What is only observed is judged as ever, holds nothing, and lends an enforced entry nothing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from release_gates.judge.decide import decide
from release_gates.model.candidate import Artifact, ReleaseCandidate
from release_gates.model.event import History
from release_gates.model.evidence import Evidence, HostFacts, RunEnd, RunHeader, TestRecord
from release_gates.model.gate import EnvironmentPolicy, GateSpec, observed
from release_gates.model.measurement import Measurement
from release_gates.model.outcome import Mode, Outcome, Severity
from release_gates.model.record import canonical
from release_gates.model.verdict import Verdict

NOW = datetime(2026, 12, 5, 23, 59, tzinfo=UTC)
LAST = date(2026, 12, 5)
HOST = HostFacts(
    hostname="h", cpu_model="c", cores=2, numa_nodes=1, kernel="k", governor="g", python="3", fingerprint="f"
)
CANDIDATE = ReleaseCandidate(
    name="e", version="1", commit="c", artifacts=(Artifact(name="a", sha256="0" * 64),)
)
EXPECTED = {"smoke": ("t::a",), "load": ("t::b",), "shown": ("t::c",)}
SPECS = (
    GateSpec(name="smoke", owner="x"),
    GateSpec(name="load", owner="y"),
    GateSpec(name="shown", owner="z", severity=Severity.ADVISORY),
)


def environment(*observing: str, entry: Mode = Mode.ENFORCE, until: date | None = None) -> EnvironmentPolicy:
    gates = tuple(
        msgspec.structs.replace(spec, mode=Mode.OBSERVE, observe_until=until)
        if spec.name in observing
        else spec
        for spec in SPECS
    )
    whole = until if entry is Mode.OBSERVE else None
    return EnvironmentPolicy(
        name="staging", gates=gates, local_may_promote=True, mode=entry, observe_until=whole
    )


def verdict(
    asked: EnvironmentPolicy,
    *,
    smoke: Outcome = Outcome.PASS,
    load: Outcome = Outcome.PASS,
    shown: Outcome = Outcome.PASS,
    now: datetime = NOW,
    problems: tuple[str, ...] = (),
    outcomes: Mapping[str, Outcome] | None = None,
) -> Verdict:
    outcomes = outcomes or {"smoke": smoke, "load": load, "shown": shown}
    begun = min(now, NOW) - timedelta(minutes=2)
    tests = tuple(
        TestRecord(
            id=EXPECTED[gate][0],
            gate=gate,
            outcome=outcome,
            because="it is bad",
            last=outcome,
            phases=("setup", "call", "teardown"),
            measurements=(Measurement(name="a.b", value=1, unit="ms"),),
            finished=begun + timedelta(minutes=1),
        )
        for gate, outcome in outcomes.items()
    )
    header = RunHeader(
        run="r1",
        environment="staging",
        candidate=CANDIDATE,
        rules="rules",
        host=HOST,
        actor="me",
        command=(),
        plugins=(),
        started=begun,
    )
    end = RunEnd(ended=begun + timedelta(minutes=1), problems=problems, tests=len(tests))
    return decide(
        asked,
        rules="rules",
        expected=EXPECTED,
        evidence=[Evidence(header=header, tests=tests, end=end, sha256="e")],
        history=History(),
        now=now,
        local=True,
        run="r1",
    )


def test_an_observed_gate_keeps_its_outcome_and_holds_nothing() -> None:
    found = verdict(environment("load"), load=Outcome.FAIL)
    assert (found.verdict, found.kind, found.reasons) == ("PROMOTE", "", ())
    gate = next(gate for gate in found.gates if gate.name == "load")
    assert (gate.outcome, gate.is_observed) == (Outcome.FAIL, True)
    assert [(reason.gate, reason.outcome) for reason in found.would_hold] == [("load", Outcome.FAIL)]
    assert found.because == (
        "2 gates passed: 2 tests ran, 0 limits measured and none broken; "
        "observed only, would hold: load: b: it is bad"
    )


def test_an_enforced_gate_holds_beside_an_observed_one() -> None:
    found = verdict(environment("load"), smoke=Outcome.ERROR, load=Outcome.FAIL)
    assert (found.verdict, found.kind) == ("HOLD", "not proven")
    assert {reason.gate for reason in found.reasons} == {"smoke"}
    assert found.because.startswith("smoke: a: it is bad; observed only, would hold: load")


def test_a_whole_entry_is_decided_as_if_it_were_enforced() -> None:
    found = verdict(environment(entry=Mode.OBSERVE), load=Outcome.FAIL)
    assert not found.promotes
    assert found.title == "WOULD HOLD (broken), observed"
    assert found.would_hold == found.reasons
    assert verdict(environment(entry=Mode.OBSERVE)).title == "WOULD PROMOTE, observed"


@pytest.mark.parametrize("smoke", [Outcome.PASS, Outcome.FAIL])
def test_an_enforced_entry_whose_blocking_gates_are_all_observed_holds(smoke: Outcome) -> None:
    found = verdict(environment("smoke", "load"), smoke=smoke)
    assert not found.promotes
    assert "every gate that could hold the entry to staging is only observed" in found.because


def test_an_advisory_gate_that_is_observed_would_hold_nothing() -> None:
    found = verdict(environment("shown"), shown=Outcome.FAIL)
    assert found.promotes
    assert found.would_hold == ()


def test_the_last_day_is_observed_and_the_next_is_not() -> None:
    asked = environment("load", until=LAST)
    assert verdict(asked, load=Outcome.FAIL).promotes
    after = verdict(asked, load=Outcome.FAIL, now=NOW + timedelta(minutes=1))
    assert (after.verdict, after.kind, after.would_hold) == ("HOLD", "broken", ())
    assert not any(gate.is_observed for gate in after.gates)


def test_an_entry_is_enforced_after_its_last_day() -> None:
    asked = environment(entry=Mode.OBSERVE, until=LAST)
    assert verdict(asked).observe_until == LAST
    after = verdict(asked, load=Outcome.FAIL, now=NOW + timedelta(minutes=1))
    assert (after.title, after.is_observed) == ("HOLD (broken)", False)


def test_nothing_new_stands_in_a_verdict_that_observes_nothing() -> None:
    keys = set(msgspec.to_builtins(verdict(environment())))
    assert keys & {"mode", "observe_until", "observed"} == set()
    gates = msgspec.to_builtins(verdict(environment()).gates)
    assert not any({"mode", "observe_until"} & set(gate) for gate in gates)


OUTCOMES = st.sampled_from(Outcome)
GATES = st.sets(st.sampled_from(["smoke", "load", "shown"]))


@settings(max_examples=300, deadline=None)
@given(
    st.fixed_dictionaries({"smoke": OUTCOMES, "load": OUTCOMES, "shown": OUTCOMES}),
    GATES,
    st.sampled_from(Mode),
    st.none() | st.dates(LAST - timedelta(days=3), LAST + timedelta(days=3)),
    st.lists(st.text(min_size=1, max_size=9), max_size=1),
)
def test_observing_takes_reasons_aside_and_loses_none(
    outcomes: dict[str, Outcome], observing: set[str], entry: Mode, until: date | None, problems: list[str]
) -> None:
    asked = environment(*observing, entry=entry, until=until)
    plain = verdict(environment(), problems=tuple(problems), outcomes=outcomes)
    found = verdict(asked, problems=tuple(problems), outcomes=outcomes)
    for one, other in zip(plain.gates, found.gates, strict=True):
        assert (one.outcome, one.problems, one.limits) == (other.outcome, other.problems, other.limits)
    assert set(plain.reasons) <= {*found.reasons, *found.would_hold}
    aside = {spec.name for spec in asked.gates if observed(spec, NOW)}
    assert not any(reason.gate in aside for reason in found.reasons)
    if found.promotes:
        assert {reason.gate for reason in plain.reasons} <= aside
    assert found.is_observed is observed(asked, NOW)
    assert msgspec.json.decode(msgspec.json.encode(found), type=Verdict) == found
    again = verdict(asked, problems=tuple(problems), outcomes=outcomes)
    assert canonical(found) == canonical(again)
