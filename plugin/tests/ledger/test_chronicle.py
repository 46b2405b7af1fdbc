"""The whole ledger told: what was live and failed there, deliveries by period, how gates behaved."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import json

from release_gates.ledger.chronicle import chronicle
from release_gates.model.candidate import Artifact, ReleaseCandidate
from release_gates.model.chronicle import Chronicle, Stay
from release_gates.model.event import (
    Adopted,
    Approved,
    Event,
    Fact,
    FirstRelease,
    GateFailed,
    GatesProved,
    Promoted,
    RolledBack,
    RunFinished,
    RunInvalidated,
    RunStarted,
)
from release_gates.model.outcome import Outcome, Severity
from release_gates.model.proof import CleanGate, Proof, ProofOutcome
from release_gates.model.record import digest
from release_gates.model.verdict import CandidateName, GateJudgement, Inputs, TestProblem, Verdict
from release_gates.report.ledger_page import ledger_page

NOW = datetime(2026, 1, 30, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
PASS, FAIL, ERROR, MISSING = Outcome.PASS, Outcome.FAIL, Outcome.ERROR, Outcome.MISSING


def engine(version: int) -> ReleaseCandidate:
    artifact = Artifact(name="engine", sha256=f"{version:064x}")
    return ReleaseCandidate(name="engine", version=f"1.{version}", commit="c", artifacts=(artifact,))


class Story:
    """Facts an hour apart, unless ``wait`` says otherwise."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.at = NOW

    def add(self, fact: Fact, wait: timedelta = HOUR) -> None:
        self.at += wait
        self.events.append(Event(seq=len(self.events) + 1, at=self.at, prev="", fact=fact))

    def run(self, version: int, outcome: Outcome = PASS, *, earlier: str = "", rules: str = "r") -> str:
        """Begin and end a run with the one gate ``load``; ``earlier`` is the run of a FAIL that sticks."""
        run = f"run-{len(self.events)}"
        self.add(
            RunStarted(
                run=run, environment="e", candidate=engine(version), rules=rules, actor="ci", evidence=("f",)
            )
        )
        self.add(RunFinished(run=run, verdict=verdict(run, engine(version), outcome, earlier, rules)))
        return run

    def promote(self, version: int, run: str, wait: timedelta = HOUR) -> None:
        self.add(Promoted(environment="e", candidate=engine(version), run=run, by="Jane"), wait)

    def deliver(self, version: int) -> str:
        run = self.run(version)
        self.promote(version, run)
        return run

    def told(self) -> Chronicle:
        return chronicle(self.events, made=self.at + HOUR, head="h", local=True)

    def stays(self) -> list[Stay]:
        entries = (entry for each in self.told().candidates for entry in each.entries)
        return sorted((stay for entry in entries for stay in entry.stays), key=lambda stay: stay.since)


def verdict(run: str, candidate: ReleaseCandidate, outcome: Outcome, earlier: str, rules: str) -> Verdict:
    own = TestProblem(test="t", outcome=outcome, because="it is bad")
    old = TestProblem(test="t", outcome=FAIL, because="it was bad", run=earlier)
    problems = (*((own,) if outcome is not PASS else ()), *((old,) if earlier else ()))
    whole = FAIL if earlier else outcome
    gate = GateJudgement(
        name="load",
        owner="me",
        severity=Severity.BLOCKING,
        outcome=whole,
        because="",
        expected=1,
        ran=1,
        limits=(),
        problems=problems,
    )
    name = CandidateName(name="engine", version=candidate.version, commit="c", digest=candidate.digest)
    return Verdict(
        verdict="PROMOTE" if whole is PASS else "HOLD",
        kind="" if whole is PASS else "broken" if whole is FAIL else "not proven",
        because="load: it is bad" if problems else "1 gate passed",
        environment="e",
        candidate=name,
        run=run,
        local=True,
        attempt=1,
        attempts_allowed=3,
        decided=NOW,
        gates=(gate,),
        reasons=(),
        inputs=Inputs(rules=rules, evidence=(), history=""),
    )


# -- what was live, and what spoke against it -------------------------------------------------------


def test_one_build_after_another() -> None:
    story = Story()
    story.add(Adopted(environment="e", candidate=engine(0), by="Joe", reason="live"))
    story.deliver(1)
    old, new = story.stays()
    assert (old.how, old.until, old.delivers, old.failed) == ("adopted", new.since, False, "")
    assert (new.how, new.until, new.delivers, new.by) == ("promoted", None, True, "Jane")
    assert new.lead_s == 7200  # begun, decided an hour later, promoted an hour later


def test_a_return_is_the_sign_of_a_failure() -> None:
    story = Story()
    first = story.deliver(1)
    story.deliver(2)
    story.promote(1, first, wait=timedelta(minutes=20))
    good, bad, back = story.stays()
    assert (bad.failed, bad.restored_s) == ("engine 1.1 came back", 1200)
    assert (good.failed, back.failed, back.returned, back.delivers) == ("", "", True, False)
    whole = story.told().deliveries[0].whole
    assert (whole.deliveries, whole.returns, whole.failed) == (2, 1, 1)
    assert (whole.restore.median_s, whole.restore.of) == (1200, 1)


def test_a_rollback_is_the_sign_of_a_failure_and_no_delivery() -> None:
    story = Story()
    for version in (1, 2):
        story.deliver(version)
    told = {"instead_of": engine(2).digest, "by": "Dan", "reason": "orders were lost", "took_s": 41.5}
    story.add(RolledBack(environment="e", candidate=engine(1), **told))
    first, bad, back = story.stays()
    assert (first.failed, bad.failed, back.failed) == ("", "rolled back: orders were lost", "")
    assert bad.restored_s == HOUR.total_seconds()
    assert (back.how, back.by, back.returned, back.delivers) == ("rolled back", "Dan", True, False)
    whole = story.told().deliveries[0].whole
    assert (whole.deliveries, whole.returns, whole.failed) == (2, 1, 1)


def test_a_gate_that_fails_on_what_is_live_is_an_earlier_sign() -> None:
    story = Story()
    story.deliver(1)
    story.deliver(2)
    story.run(2, FAIL)
    (bad,) = [stay for stay in story.stays() if stay.failed]
    assert (bad.failed, bad.restored_s) == ("load: it is bad", None)  # still live
    assert story.told().deliveries[0].whole.restore.of == 0
    story.deliver(3)
    (bad,) = [stay for stay in story.stays() if stay.failed]
    assert bad.restored_s == 3 * 3600


def test_what_failed_before_it_went_live_or_was_forgiven_is_no_sign() -> None:
    story = Story()
    run = story.run(1, FAIL)
    story.deliver(1)  # nobody could; but then this FAIL was before
    again = story.run(1, FAIL)
    story.add(RunInvalidated(run=again, by="Ann", reason="the host was broken"))
    assert [stay.failed for stay in story.stays()] == [""]
    story.add(
        GateFailed(run=run, environment="other", candidate=engine(1).digest, gate="g", test="t", because="b")
    )
    assert [stay.failed for stay in story.stays()] == [""]
    story.add(
        GateFailed(run="x", environment="e", candidate=engine(1).digest, gate="g", test="t", because="b")
    )
    assert [stay.failed for stay in story.stays()] == ["gate g: b"]


def test_a_run_that_is_taken_back_after_promotion_is_a_sign() -> None:
    story = Story()
    run = story.deliver(1)
    story.add(RunInvalidated(run=run, by="pytest", reason="exit status"))
    assert story.stays()[0].failed == "its run was invalidated: exit status"
    told = story.told().candidates[0].entries[0].runs[0]
    assert told.title == "PROMOTE, taken back"


def test_an_adoption_of_what_is_live_changes_nothing_and_a_first_release_ends_it() -> None:
    story = Story()
    story.deliver(1)
    story.add(Adopted(environment="e", candidate=engine(1), by="Joe", reason="still"))
    (only,) = story.stays()
    assert only.until is None
    story.add(FirstRelease(environment="e", by="Joe", reason="gone"))
    (only,) = story.stays()
    assert (only.until, only.failed) == (story.at, "")


def test_who_said_yes_or_no_to_exactly_this_verdict() -> None:
    story = Story()
    run = story.run(1)
    decided = story.events[-1].fact
    assert isinstance(decided, RunFinished)
    facts = {
        "run": run,
        "environment": "e",
        "candidate": engine(1).digest,
        "verdict": digest(decided.verdict),
    }

    def answer(by: str, word: str = "yes", **other: str) -> None:
        said = {**facts, "by": by, "role": "risk", "answer": word, "reason": "because", **other}
        story.add(Approved(**said, until=NOW))  # type: ignore[arg-type]

    answer("Ann")
    answer("Bob", "no")
    for key in ("environment", "candidate", "verdict", "run"):
        answer("Eve", **{key: "another"})
    (told,) = story.told().candidates[0].entries[0].runs
    assert [(each.by, each.answer) for each in told.answers] == [("Ann", "yes"), ("Bob", "no")]
    html = ledger_page(story.told())
    assert "approved by Ann (risk)" in html
    assert "REFUSED by Bob (risk)" in html
    assert "Eve" not in html


# -- periods ----------------------------------------------------------------------------------------


def test_days_weeks_and_months_have_no_gap() -> None:
    story = Story()
    story.deliver(1)
    story.at = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
    story.deliver(2)
    found = story.told().deliveries[0]
    assert [each.name for each in found.months] == ["2026-01", "2026-02", "2026-03"]
    assert [each.deliveries for each in found.months] == [1, 0, 1]
    assert found.weeks[0].name == "2026-W05"
    assert found.weeks[0].begin == datetime(2026, 1, 26, tzinfo=UTC)
    assert (len(found.days), found.days[0].name, found.days[-1].name) == (32, "2026-01-30", "2026-03-02")
    assert [each.open for each in found.months] == [False, False, True]


@given(st.lists(st.integers(0, 90), min_size=1, max_size=20))
def test_every_delivery_is_in_one_period_of_each_kind(days: list[int]) -> None:
    story = Story()
    for version, day in enumerate(sorted(days)):
        story.at = max(story.at, NOW + timedelta(days=day))
        story.deliver(version)
    found = story.told().deliveries[0]
    for periods in (found.days, found.weeks, found.months):
        assert sum(each.deliveries for each in periods) == found.whole.deliveries == len(days)
        assert all(one.end == two.begin for one, two in pairwise(periods))
        assert sum(each.open for each in periods) == 1


# -- gates ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcomes", "judged", "red", "flaky"),
    [
        ([PASS], 1, 0, 0),
        ([PASS, PASS], 2, 0, 0),
        ([PASS, ERROR], 2, 1, 1),
        ([ERROR, PASS], 2, 1, 1),
        ([MISSING, PASS], 1, 0, 0),  # it did not look: neither red nor flaky
        ([FAIL, FAIL], 2, 2, 0),
    ],
)
def test_how_a_gate_behaved(outcomes: Iterable[Outcome], judged: int, red: int, flaky: int) -> None:
    story = Story()
    for outcome in outcomes:
        story.run(1, outcome)
    (gate,) = story.told().gates
    assert (gate.judged, gate.red, len(gate.flaky)) == (judged, red, flaky)
    assert gate.always_green == (red == 0)
    assert gate.never_proved


def test_green_after_a_fail_that_sticks_is_flaky_and_other_rules_are_not() -> None:
    story = Story()
    failed = story.run(1, FAIL)
    story.run(1, PASS, rules="others")
    assert story.told().gates[0].flaky == ()
    story.run(1, PASS, earlier=failed)  # its verdict is HOLD (broken); the gate itself was green
    assert [each.version for each in story.told().gates[0].flaky] == ["1.1"]


def test_an_invalidated_run_says_nothing_of_its_gates() -> None:
    story = Story()
    story.run(1)
    story.add(RunInvalidated(run=story.run(1, ERROR), by="Ann", reason="host"))
    (gate,) = story.told().gates
    assert (gate.judged, gate.red, gate.flaky) == (1, 0, ())


def test_a_gate_that_caught_a_defect_is_proved() -> None:
    story = Story()
    story.run(1)
    proof = Proof(defect="d", gate="load", outcome=ProofOutcome.CAUGHT, message="m")
    story.add(
        GatesProved(
            environment="e",
            rules="r",
            actor="ci",
            candidate="c",
            clean=(CleanGate(gate="load", outcome=PASS),),
            declared={"load": 1},
            proofs=(proof,),
        )
    )
    assert not story.told().gates[0].never_proved


def test_no_event_and_one_event() -> None:
    empty = chronicle([], made=NOW, head="0" * 64, local=True)
    assert (empty.events, empty.candidates, empty.deliveries, empty.gates) == (0, (), (), ())
    story = Story()
    story.add(Adopted(environment="e", candidate=engine(0), by="Joe", reason="live"))
    told = story.told()
    assert told.candidates[0].entries[0].is_live
    assert told.deliveries[0].whole.deliveries == 0
    assert json.decode(json.encode(told), type=Chronicle) == told
