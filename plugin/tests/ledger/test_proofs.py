"""When a gate was last seen red: the newest proof counts, and a few defects never pass for all."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import accumulate

from hypothesis import given
from hypothesis import strategies as st

from release_gates.ledger.bearing import history
from release_gates.ledger.history import failures, runs
from release_gates.ledger.proofs import gate_proofs
from release_gates.ledger.sqlite import SqliteLedger
from release_gates.model.event import Event, GatesProved
from release_gates.model.outcome import Outcome
from release_gates.model.proof import CleanGate, GateProofs, Proof, ProofOutcome, Sighting

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
CAUGHT, MISSED, UNGUARDED = ProofOutcome.CAUGHT, ProofOutcome.MISSED, ProofOutcome.UNGUARDED
DECLARED = 3


def proved(
    outcomes: dict[str, ProofOutcome], *, rules: str = "r1", gate: str = "smoke", environment: str = "staging"
) -> GatesProved:
    rows = tuple(
        Proof(defect=name, gate=gate, outcome=outcome, message="order.lost is", candidate="c" * 64)
        for name, outcome in outcomes.items()
    )
    return GatesProved(
        environment=environment,
        rules=rules,
        actor="Ann",
        candidate="a" * 64,
        clean=(CleanGate(gate=gate, outcome=Outcome.PASS),),
        declared={gate: DECLARED},
        proofs=rows,
    )


def at(number: int) -> datetime:
    return NOW + timedelta(hours=number)


def seen(*facts: GatesProved, gate: str = "smoke", environment: str = "staging") -> GateProofs:
    events = [Event(seq=seq, at=at(seq), prev="0" * 64, fact=fact) for seq, fact in enumerate(facts, start=1)]
    return gate_proofs(events, environment=environment, gate=gate)


def sighting(number: int, caught: int, tried: int, *, red: int | None, rules: str = "r1") -> Sighting:
    return Sighting(
        rules=rules,
        tried_at=at(number),
        red=None if red is None else at(red),
        caught=caught,
        tried=tried,
        declared=DECLARED,
    )


def test_no_proof_no_sighting() -> None:
    assert seen() == GateProofs(gate="smoke")
    assert seen(proved({"a": CAUGHT}), gate="load") == GateProofs(gate="load")
    assert seen(proved({"a": CAUGHT}), environment="dev") == GateProofs(gate="smoke")
    assert seen(proved({"a": UNGUARDED})) == GateProofs(gate="smoke")


def test_red_on_some() -> None:
    found = seen(proved({"a": CAUGHT, "b": MISSED}))
    assert found.newest == found.red == sighting(1, 1, 2, red=1)


def test_tried_and_never_red() -> None:
    found = seen(proved({"a": MISSED}))
    assert (found.newest, found.red) == (sighting(1, 0, 1, red=None), None)


def test_one_defect_alone_does_not_pass_for_all() -> None:
    found = seen(proved({"a": CAUGHT}))
    assert found.newest is not None
    assert (found.newest.caught, found.newest.tried, found.newest.declared) == (1, 1, DECLARED)


def test_proofs_under_the_same_rules_add_up_each_defect_as_it_was_last() -> None:
    found = seen(proved({"a": CAUGHT, "b": MISSED}), proved({"b": CAUGHT}), proved({"a": MISSED}))
    assert found.newest == sighting(3, 1, 2, red=2)


def test_other_rules_begin_anew_and_the_earlier_red_stays_visible() -> None:
    found = seen(proved({"a": CAUGHT, "b": CAUGHT}), proved({"a": MISSED}, rules="r2"))
    assert found.newest == sighting(2, 0, 1, red=None, rules="r2")
    assert found.red == sighting(1, 2, 2, red=1)


def test_a_red_that_is_gone_is_not_the_newest() -> None:
    found = seen(proved({"a": CAUGHT}), proved({"a": MISSED}))
    assert found.newest == sighting(2, 0, 1, red=None)
    assert found.red == sighting(1, 1, 1, red=1)


OUTCOMES = st.sampled_from([CAUGHT, MISSED, UNGUARDED, ProofOutcome.NOT_PROVEN, ProofOutcome.OTHER_REASON])
FACTS = st.builds(
    proved,
    st.dictionaries(st.sampled_from("abc"), OUTCOMES, max_size=3),
    rules=st.sampled_from(["r1", "r2"]),
    gate=st.sampled_from(["smoke", "load"]),
)


@given(st.lists(FACTS, max_size=6))
def test_never_red_without_a_catch_and_never_more_than_there_are(facts: list[GatesProved]) -> None:
    for found in accumulate(facts, lambda done, fact: [*done, fact], initial=list[GatesProved]()):
        told = seen(*found)
        caught = [
            row for fact in found for row in fact.proofs if (row.gate, row.outcome) == ("smoke", CAUGHT)
        ]
        assert (told.red is not None) == bool(caught)
        for each in (told.newest, told.red):
            assert each is None or each.caught <= each.tried <= each.declared
            assert each is None or (each.red is None) == (each.caught == 0)


def test_a_proof_is_no_run_and_no_failure(ledger: SqliteLedger) -> None:
    ledger.append(proved({"a": CAUGHT}), at=NOW)
    events = tuple(ledger.events())
    assert isinstance(events[0].fact, GatesProved)
    assert events[0].fact == proved({"a": CAUGHT})
    assert runs(events) == ()
    for digest in ("a" * 64, "c" * 64):
        assert list(failures(events, candidate=digest, environment="staging")) == []
        known = history(events, candidate=digest, environment="staging", rules="r1", run="r")
        assert (known.live, known.failures, known.unproven_runs) == (None, (), ())
