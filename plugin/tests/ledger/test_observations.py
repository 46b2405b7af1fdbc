"""Adding up what was only observed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from release_gates.ledger.observations import observations, shape
from release_gates.model.candidate import Artifact, ReleaseCandidate
from release_gates.model.event import Event, Fact, RunFinished, RunInvalidated, RunStarted
from release_gates.model.outcome import Outcome, Severity
from release_gates.model.verdict import CandidateName, GateJudgement, Inputs, Reason, Verdict

NOW = datetime(2026, 12, 1, 12, 0, tzinfo=UTC)
RULES = "r" * 64


def candidate(content: int) -> ReleaseCandidate:
    return ReleaseCandidate(
        name="engine",
        version=f"1.{content}",
        commit="c",
        artifacts=(Artifact(name="a", sha256=f"{content:064x}", path="a"),),
    )


def judged(name: str, outcome: Outcome, *, observing: bool, severity: Severity) -> GateJudgement:
    return GateJudgement(
        name=name,
        owner="me",
        severity=severity,
        outcome=outcome,
        because="",
        expected=1,
        ran=1,
        limits=(),
        problems=(),
        mode="observe" if observing else UNSET,
    )


class Story:
    """Events as they come; each run an hour after the one before."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.runs = 0

    def add(self, fact: Fact) -> None:
        at = NOW + timedelta(hours=self.runs)
        self.events.append(Event(seq=len(self.events) + 1, at=at, prev="", fact=fact))

    def run(
        self,
        content: int,
        load: Outcome = Outcome.PASS,
        sentence: str = "",
        *,
        environment: str = "staging",
        entry: bool = False,
        gate: bool = True,
        severity: Severity = Severity.BLOCKING,
        finished: bool = True,
    ) -> str:
        self.runs += 1
        run, made = f"r{self.runs}", candidate(content)
        started = RunStarted(
            run=run,
            environment=environment,
            candidate=made,
            rules=RULES,
            actor="ann",
            evidence=("e",),
            mode="observe" if entry else UNSET,
        )
        self.add(started)
        bad = not load.promotes
        reasons = (Reason(outcome=load, sentence=sentence, gate="load"),) if bad else ()
        held = reasons if not gate else ()
        verdict = Verdict(
            verdict="HOLD" if held else "PROMOTE",
            kind="" if not held else "broken" if load is Outcome.FAIL else "not proven",
            because="",
            environment=environment,
            candidate=CandidateName(name="engine", version=made.version, commit="c", digest=made.digest),
            run=run,
            local=True,
            attempt=1,
            attempts_allowed=3,
            decided=NOW,
            gates=(judged("load", load, observing=gate, severity=severity),),
            reasons=held,
            inputs=Inputs(rules=RULES, evidence=("e",), history="h"),
            mode="observe" if entry else UNSET,
            observed=reasons if gate else UNSET,
        )
        if finished:
            self.add(RunFinished(run=run, verdict=verdict))
        return run


def test_reasons_are_grouped_and_candidates_counted() -> None:
    story = Story()
    story.run(1, Outcome.FAIL, "order.time is 9 ms; the limit is <= 5 ms")
    story.run(2, Outcome.FAIL, "order.time is 7.25 ms; the limit is <= 5 ms")
    story.run(3, Outcome.MISSING, "2 expected tests did not run")
    story.run(3)
    story.run(4)
    (entry,) = observations(story.events).entries
    assert (entry.runs, entry.broken, entry.not_proven, entry.candidates) == (5, 2, 1, 4)
    assert [each.version for each in entry.held] == ["1.1", "1.2"], "a later run proved what was missing"
    (gate,) = entry.gates
    first = gate.reasons[0]
    assert (first.shape, first.runs) == ("order.time is … ms; the limit is <= … ms", 2)
    assert first.newest == "order.time is 7.25 ms; the limit is <= 5 ms"
    assert [each.version for each in first.candidates] == ["1.1", "1.2"]
    assert (first.first, first.last) == (NOW + timedelta(hours=1), NOW + timedelta(hours=2))


def test_a_fail_is_held_although_a_later_run_of_the_digests_is_green() -> None:
    story = Story()
    story.run(1, Outcome.FAIL, "bad")
    story.run(1)
    (entry,) = observations(story.events).entries
    assert [each.version for each in entry.held] == ["1.1"]


def test_what_is_enforced_invalidated_advisory_or_too_old_does_not_count() -> None:
    story = Story()
    story.run(1, Outcome.FAIL, "bad", gate=False)
    story.run(2, Outcome.PASS, gate=True, severity=Severity.INFO)
    assert observations(story.events).entries == ()
    story.add(RunInvalidated(run=story.run(3, Outcome.FAIL, "bad"), by="bob", reason="wrong host"))
    assert observations(story.events).entries == ()
    story.run(4, Outcome.FAIL, "bad")
    assert observations(story.events, since=NOW + timedelta(hours=5)).entries == ()
    assert observations(story.events, environment="production").entries == ()
    assert len(observations(story.events, environment="staging", since=NOW).entries) == 1


def test_a_whole_entry_and_runs_that_were_killed() -> None:
    story = Story()
    story.run(1, Outcome.ERROR, "bad", entry=True, gate=False)
    story.run(2, entry=True, gate=False, finished=False)
    story.run(3, environment="dev", entry=True, gate=False)
    dev, staging = observations(story.events).entries
    assert (dev.environment, dev.broken, dev.not_proven, dev.held) == ("dev", 0, 0, ())
    assert (staging.runs, staging.not_proven, staging.unfinished, staging.candidates) == (1, 1, 1, 1)


@pytest.mark.parametrize(
    ("sentence", "shaped"),
    [
        ("p99 is 1 200 us", "p99 is … us"),
        ("order_entry.p95 is 4.1e-3 s, +12.5 % against 3", "order_entry.p95 is … s, … % against …"),
        ("failed in run 20261121T031053Z-fd1fac: bad", "failed in run …: bad"),
        ("digest a2a941f32854 is not b527f4835ff6", "digest … is not …"),
        ("evidence of 2026-11-21 03:10 UTC", "evidence of … UTC"),
        ("tests/test_v2.py::test_a[5-2]: port 8080", "tests/test_v2.py::test_a[…]: port …"),
        ("defaced facade", "defaced facade"),
    ],
)
def test_shape(sentence: str, shaped: str) -> None:
    assert shape(sentence) == shaped


@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(allow_nan=False, allow_infinity=False))
def test_the_number_does_not_change_the_shape(one: float, other: float) -> None:
    assert shape(f"a.b is {one!r} ms") == shape(f"a.b is {other!r} ms") == "a.b is … ms"


@given(st.text())
def test_shaping_twice_is_shaping_once(text: str) -> None:
    once = shape(text)
    assert shape(once) == once
    assert len(once) <= len(text)


OUTCOMES = st.sampled_from([Outcome.PASS, Outcome.FAIL, Outcome.MISSING])


@given(st.lists(st.tuples(st.integers(1, 4), OUTCOMES, st.booleans(), st.booleans()), max_size=12))
def test_the_sums_agree(told: list[tuple[int, Outcome, bool, bool]]) -> None:
    story = Story()
    for content, outcome, entry, gate in told:
        story.run(content, outcome, f"bad {content}", entry=entry, gate=gate)
    entries = observations(story.events).entries
    seen = [(content, outcome) for content, outcome, entry, gate in told if entry or gate]
    assert bool(entries) is bool(seen)
    for each in entries:
        assert each.runs == len(seen)
        assert each.broken + each.not_proven == sum(outcome is not Outcome.PASS for _, outcome in seen)
        assert each.candidates == len({content for content, _ in seen})
        broken = {f"1.{content}" for content, outcome in seen if outcome is Outcome.FAIL}
        assert broken <= {candidate.version for candidate in each.held}
