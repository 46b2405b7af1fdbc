"""What the ledger says of a candidate: no sequence of events hides a FAIL or lends a PROMOTE."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from release_gates.ledger.bearing import history
from release_gates.ledger.history import failures, live_in, live_since, runs
from release_gates.model.candidate import Artifact, ReleaseCandidate
from release_gates.model.event import (
    Adopted,
    Event,
    Fact,
    FirstRelease,
    GateFailed,
    Promoted,
    RunFinished,
    RunInvalidated,
    RunStarted,
)
from release_gates.model.outcome import Outcome, Severity
from release_gates.model.person import same_person
from release_gates.model.verdict import CandidateName, GateJudgement, Inputs, TestProblem, Verdict

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
CANDIDATES = {
    name: ReleaseCandidate(
        name=name, version="1", commit="abc", artifacts=(Artifact(name="a", sha256=name * 64),)
    )
    for name in "ab"
}


def events(facts: Sequence[Fact]) -> list[Event]:
    return [
        Event(seq=seq, at=NOW + timedelta(seconds=seq), prev="0" * 64, fact=fact)
        for seq, fact in enumerate(facts, start=1)
    ]


def started(run: str, candidate: str = "a", environment: str = "staging", rules: str = "r1") -> RunStarted:
    return RunStarted(
        run=run,
        environment=environment,
        candidate=CANDIDATES[candidate],
        rules=rules,
        actor="Ann",
        evidence=(f"{run}.jsonl",),
    )


def failed(run: str, candidate: str = "a", environment: str = "staging") -> GateFailed:
    return GateFailed(
        run=run,
        environment=environment,
        candidate=CANDIDATES[candidate].digest,
        gate="smoke",
        test="t",
        because="9 ms",
    )


def finished(
    run: str,
    outcome: Outcome = Outcome.PASS,
    candidate: str = "a",
    environment: str = "staging",
    rules: str = "r1",
    severity: Severity = Severity.BLOCKING,
    repeats: str = "",
) -> RunFinished:
    problem = TestProblem(test="t", outcome=outcome, because="9 ms", run=repeats)
    gate = GateJudgement(
        name="smoke",
        owner="me",
        severity=severity,
        outcome=outcome,
        because="9 ms",
        expected=1,
        ran=1,
        limits=(),
        problems=(problem,) if outcome is not Outcome.PASS else (),
    )
    promotes = outcome.promotes or severity is not Severity.BLOCKING
    verdict = Verdict(
        verdict="PROMOTE" if promotes else "HOLD",
        kind="" if promotes else "broken" if outcome is Outcome.FAIL else "not proven",
        because="",
        environment=environment,
        candidate=CandidateName(name="a", version="1", commit="abc", digest=CANDIDATES[candidate].digest),
        run=run,
        local=True,
        attempt=1,
        attempts_allowed=3,
        decided=NOW,
        gates=(gate,),
        reasons=(),
        inputs=Inputs(rules=rules, evidence=("0",), history="h"),
    )
    return RunFinished(run=run, verdict=verdict)


def taken_back(run: str, by: str = "bob", reason: str = "wrong host") -> RunInvalidated:
    return RunInvalidated(run=run, by=by, reason=reason)


def bears(*facts: Fact, run: str = "now") -> tuple[list[str], list[str]]:
    """Return the runs whose FAIL counts, and those that proved nothing, for candidate a."""
    found = history(
        events(facts), candidate=CANDIDATES["a"].digest, environment="staging", rules="r1", run=run
    )
    return [failure.run for failure in found.failures], list(found.unproven_runs)


FAIL, INCONCLUSIVE = Outcome.FAIL, Outcome.INCONCLUSIVE
ROWS: list[tuple[str, tuple[Fact, ...], list[str], list[str]]] = [
    ("promoted", (started("1"), finished("1")), [], []),
    ("killed", (started("1"),), [], ["1"]),
    ("not proven", (started("1"), finished("1", INCONCLUSIVE)), [], ["1"]),
    ("broken", (started("1"), finished("1", FAIL)), ["1"], ["1"]),
    ("failed, then killed", (started("1"), failed("1")), ["1"], ["1"]),
    ("failed, and says PROMOTE", (started("1"), failed("1"), finished("1")), ["1"], []),
    ("failed, of a run that never started", (failed("1"),), ["1"], []),
    ("verdict of a run that never started", (finished("1", FAIL),), ["1"], []),
    ("other candidate", (started("1", "b"), failed("1", "b"), finished("1", FAIL, "b")), [], []),
    ("other environment", (started("1", "a", "dev"), failed("1", "a", "dev")), [], []),
    ("other rules", (started("1", rules="r2"), finished("1", FAIL, rules="r2")), ["1"], []),
    ("advisory", (started("1"), finished("1", FAIL, severity=Severity.ADVISORY)), [], []),
    ("repeats an earlier one", (started("1"), finished("1", FAIL, repeats="0")), [], ["1"]),
    ("the run itself", (started("now"), failed("now")), [], []),
    ("started later", (started("now"), started("2"), failed("2")), ["2"], []),
    ("invalidated", (started("1"), failed("1"), finished("1", FAIL), taken_back("1")), [], []),
    ("failed after it was invalidated", (started("1"), taken_back("1"), failed("1")), ["1"], []),
    ("invalidated before it started", (taken_back("1"), started("1"), failed("1")), ["1"], ["1"]),
    ("invalidated by its actor", (started("1"), failed("1"), taken_back("1", " ANN ")), ["1"], ["1"]),
    ("taken back by its process", (started("1"), failed("1"), taken_back("1", "pytest")), ["1"], ["1"]),
    ("invalidated by nobody", (started("1"), failed("1"), taken_back("1", " ")), ["1"], ["1"]),
    ("PROMOTE taken back", (started("1"), finished("1"), taken_back("1", "pytest")), [], ["1"]),
    ("HOLD, then PROMOTE", (started("1"), finished("1", INCONCLUSIVE), finished("1")), [], ["1"]),
    ("PROMOTE, then HOLD", (started("1"), finished("1"), finished("1", INCONCLUSIVE)), [], ["1"]),
    ("verdict on another candidate", (started("1"), finished("1", candidate="b")), [], ["1"]),
    ("verdict for another environment", (started("1"), finished("1", environment="dev")), [], ["1"]),
    ("verdict under other rules", (started("1"), finished("1", rules="r2")), [], ["1"]),
    ("verdict from before its start", (finished("1"), started("1")), [], ["1"]),
]


@pytest.mark.parametrize(("facts", "fails", "unproven"), [row[1:] for row in ROWS], ids=[r[0] for r in ROWS])
def test_what_bears_on_a_decision(facts: tuple[Fact, ...], fails: list[str], unproven: list[str]) -> None:
    assert bears(*facts) == (fails, unproven)


def test_run_id_that_started_twice_lends_no_verdict() -> None:
    views = runs(events((started("1", "a"), finished("1"), started("1", "b"))))
    assert [view.promotes for view in views] == [True, False]


def test_invalidation_without_a_reason_still_takes_a_promote_back() -> None:
    (view,) = runs(events((started("1"), finished("1"), taken_back("1", reason=" "))))
    assert not view.promotes


def test_live_is_what_the_last_event_says() -> None:
    facts: list[Fact] = [FirstRelease(environment="staging", by="b", reason="new venue")]
    assert live_in(events([]), "staging") is None
    live = live_in(events(facts), "staging")
    assert live is not None
    assert (live.candidate, live.reason) == (None, "new venue")
    facts.append(Adopted(environment="staging", candidate=CANDIDATES["a"], by="b", reason="it runs"))
    facts.append(Promoted(environment="staging", candidate=CANDIDATES["b"], run="1", by="b"))
    facts.append(Promoted(environment="dev", candidate=CANDIDATES["a"], run="1", by="b"))
    live = live_in(events(facts), "staging")
    assert live is not None
    assert live.candidate == CANDIDATES["b"]
    assert live_since(events(facts), "staging") == 3
    assert live_since(events(facts), "production") == 0


@pytest.mark.parametrize("other", ["ann lee", " ANN  LEE ", "Ann Lee"])
def test_same_person(other: str) -> None:
    assert same_person("Ann Lee", other)
    assert not same_person("Ann Leo", other)


any_fact = st.one_of(
    st.builds(
        started,
        st.sampled_from("1234"),
        st.sampled_from("ab"),
        st.sampled_from(["staging", "dev"]),
        st.sampled_from(["r1", "r2"]),
    ),
    st.builds(failed, st.sampled_from("1234"), st.sampled_from("ab"), st.sampled_from(["staging", "dev"])),
    st.builds(
        finished,
        st.sampled_from("1234"),
        st.sampled_from(list(Outcome)),
        st.sampled_from("ab"),
        st.sampled_from(["staging", "dev"]),
    ),
    st.builds(taken_back, st.sampled_from("1234"), st.sampled_from(["bob", "ann", "pytest"])),
    st.builds(
        Adopted,
        environment=st.just("staging"),
        candidate=st.sampled_from(list(CANDIDATES.values())),
        by=st.just("b"),
        reason=st.just("r"),
    ),
)


@settings(max_examples=200)
@given(st.lists(any_fact, max_size=14), any_fact)
def test_only_an_invalidation_by_somebody_else_takes_a_fail_away(facts: list[Fact], more: Fact) -> None:
    before, after = set(bears(*facts)[0]), set(bears(*facts, more)[0])
    lost = before - after
    if isinstance(more, RunInvalidated) and more.by == "bob":
        assert lost <= {more.run}
    else:
        assert not lost


@settings(max_examples=200)
@given(st.lists(any_fact, max_size=14))
def test_every_fail_stands_unless_its_run_was_invalidated(facts: list[Fact]) -> None:
    digest, wanted = CANDIDATES["a"].digest, set()
    for fact in facts:
        if isinstance(fact, GateFailed) and (fact.candidate, fact.environment) == (digest, "staging"):
            wanted.add(fact.run)
        elif isinstance(fact, RunInvalidated) and fact.by == "bob":
            wanted.discard(fact.run)
    assert wanted <= set(bears(*facts)[0])


@settings(max_examples=100)
@given(st.lists(any_fact, max_size=14))
def test_pure_and_consistent(facts: list[Fact]) -> None:
    assert bears(*facts) == bears(*facts)
    found = list(failures(events(facts), candidate=CANDIDATES["a"].digest, environment="staging"))
    assert [failure.run for _, failure in found] == bears(*facts)[0]
    assert len({(failure.run, failure.gate) for _, failure in found}) == len(found)
    known = {fact.run for fact in facts if isinstance(fact, RunStarted)}
    assert set(bears(*facts)[1]) <= known
