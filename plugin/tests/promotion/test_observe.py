"""Promotion on what was only observed: allowed while it is observed, recorded as such, and never after."""

from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Literal

import msgspec
import pytest
from msgspec import UNSET

from release_gates.errors import PromotionRefused
from release_gates.ledger.bearing import history
from release_gates.ledger.history import failures
from release_gates.ledger.sqlite import SqliteLedger
from release_gates.model.candidate import Artifact, ReleaseCandidate
from release_gates.model.event import Promoted, RunFinished, RunInvalidated, RunStarted
from release_gates.model.gate import EnvironmentPolicy, GateSpec
from release_gates.model.outcome import Mode, Outcome, Severity
from release_gates.model.verdict import (
    CandidateName,
    GateJudgement,
    Inputs,
    LimitJudgement,
    Reason,
    Verdict,
)
from release_gates.promotion.promote import promote

NOW = datetime(2026, 12, 5, 23, 50, tzinfo=UTC)
MIDNIGHT = NOW + timedelta(minutes=10)
LAST = date(2026, 12, 5)
RULES = "r" * 64
CANDIDATE = ReleaseCandidate(
    name="engine",
    version="1",
    commit="c",
    artifacts=(Artifact(name="a", sha256=hashlib.sha256(b"a").hexdigest(), path="a"),),
)
FAIL = Reason(outcome=Outcome.FAIL, sentence="a.b is 9 ms", gate="load")


def environment(
    *, gate: Mode = Mode.ENFORCE, entry: Mode = Mode.ENFORCE, until: date | None = LAST
) -> EnvironmentPolicy:
    load = GateSpec(name="load", owner="me", mode=gate, observe_until=until if gate is Mode.OBSERVE else None)
    return EnvironmentPolicy(
        name="staging",
        gates=(GateSpec(name="smoke", owner="me"), load),
        local_may_promote=True,
        mode=entry,
        observe_until=until if entry is Mode.OBSERVE else None,
    )


def judged(name: str, outcome: Outcome, *, observing: bool) -> GateJudgement:
    limit = LimitJudgement(name="a.b", outcome=outcome, because="a.b is 9 ms", measured="9", allowed="5")
    return GateJudgement(
        name=name,
        owner="me",
        severity=Severity.BLOCKING,
        outcome=outcome,
        because="",
        expected=1,
        ran=1,
        limits=(limit,),
        problems=(),
        mode="observe" if observing else UNSET,
    )


def verdict(load: Outcome, *, gate: bool = False, entry: bool = False) -> Verdict:
    held = not load.promotes and not gate
    return Verdict(
        verdict="HOLD" if held else "PROMOTE",
        kind="broken" if held else "",
        because="load: a.b is 9 ms" if held else "fine",
        environment="staging",
        candidate=CandidateName(name="engine", version="1", commit="c", digest=CANDIDATE.digest),
        run="r1",
        local=True,
        attempt=1,
        attempts_allowed=3,
        decided=NOW,
        gates=(judged("smoke", Outcome.PASS, observing=False), judged("load", load, observing=gate)),
        reasons=(FAIL,) if held else (),
        inputs=Inputs(rules=RULES, evidence=(hashlib.sha256(b"r1").hexdigest(),), history="h"),
        mode="observe" if entry else UNSET,
        observed=((FAIL,) if not load.promotes else ()) if gate else UNSET,
    )


@pytest.fixture
def ledger(tmp_path: Path) -> SqliteLedger:
    (tmp_path / "r1.jsonl").write_text("r1")
    made = SqliteLedger.open(tmp_path / "ledger.db", create=True)
    made.append(
        RunStarted(
            run="r1",
            environment="staging",
            candidate=CANDIDATE,
            rules=RULES,
            actor="ann",
            evidence=("r1.jsonl",),
        ),
        at=NOW,
    )
    return made


def enter(
    ledger: SqliteLedger, tmp_path: Path, asked: EnvironmentPolicy, *, now: datetime = NOW, rules: str = RULES
) -> Promoted:
    event = promote(
        ledger, environment=asked, candidate=CANDIDATE, rules=rules, by="bob", now=now, root=tmp_path
    )
    assert isinstance(event.fact, Promoted)
    return event.fact


def refusal(
    ledger: SqliteLedger, tmp_path: Path, asked: EnvironmentPolicy, *, now: datetime = NOW, rules: str = RULES
) -> str:
    before = ledger.head()
    with pytest.raises(PromotionRefused) as found:
        enter(ledger, tmp_path, asked, now=now, rules=rules)
    assert ledger.head() == before
    return found.value.slug


@pytest.mark.parametrize(
    ("load", "gate", "entry", "says"),
    [
        (Outcome.PASS, False, False, UNSET),
        (Outcome.PASS, True, False, ""),
        (Outcome.FAIL, True, False, "load: a.b is 9 ms"),
        (Outcome.PASS, False, True, ""),
        (Outcome.FAIL, False, True, "load: a.b is 9 ms"),
    ],
)
def test_the_event_says_what_would_have_held(
    ledger: SqliteLedger, tmp_path: Path, load: Outcome, gate: bool, entry: bool, says: object
) -> None:
    ledger.append(RunFinished(run="r1", verdict=verdict(load, gate=gate, entry=entry)), at=NOW)
    asked = environment(
        gate=Mode.OBSERVE if gate else Mode.ENFORCE, entry=Mode.OBSERVE if entry else Mode.ENFORCE
    )
    assert enter(ledger, tmp_path, asked).observed == says


@pytest.mark.parametrize("load", [Outcome.PASS, Outcome.FAIL])
@pytest.mark.parametrize("entry", [False, True])
def test_after_the_last_day_nothing_observed_counts(
    ledger: SqliteLedger, tmp_path: Path, load: Outcome, entry: bool
) -> None:
    ledger.append(RunFinished(run="r1", verdict=verdict(load, gate=not entry, entry=entry)), at=NOW)
    modes = (Mode.ENFORCE, Mode.OBSERVE) if entry else (Mode.OBSERVE, Mode.ENFORCE)
    asked = environment(gate=modes[0], entry=modes[1])
    assert refusal(ledger, tmp_path, asked, now=MIDNIGHT) == "verdict-observed"
    forever = environment(gate=modes[0], entry=modes[1], until=None)
    assert enter(ledger, tmp_path, forever, now=MIDNIGHT).run == "r1"


@pytest.mark.parametrize("load", [Outcome.PASS, Outcome.FAIL])
@pytest.mark.parametrize(("gate", "entry"), [(True, False), (False, True), (True, True)])
def test_an_enforced_policy_takes_no_observed_verdict_whoever_wrote_it(
    ledger: SqliteLedger, tmp_path: Path, load: Outcome, gate: bool, entry: bool
) -> None:
    ledger.append(RunFinished(run="r1", verdict=verdict(load, gate=gate, entry=entry)), at=NOW)
    assert refusal(ledger, tmp_path, environment()) == "verdict-observed"
    assert refusal(ledger, tmp_path, environment(), rules="s" * 64) == "rules-changed"


def test_an_enforced_hold_stays_one_while_the_entry_is_observed(ledger: SqliteLedger, tmp_path: Path) -> None:
    ledger.append(RunFinished(run="r1", verdict=verdict(Outcome.FAIL)), at=NOW)
    assert refusal(ledger, tmp_path, environment(entry=Mode.OBSERVE)) == "verdict-is-hold"


def test_a_promote_of_observed_gates_alone_is_unsound(ledger: SqliteLedger, tmp_path: Path) -> None:
    found = verdict(Outcome.FAIL, gate=True)
    gates = tuple(msgspec.structs.replace(gate, mode="observe") for gate in found.gates)
    ledger.append(RunFinished(run="r1", verdict=msgspec.structs.replace(found, gates=gates)), at=NOW)
    asked = environment(gate=Mode.OBSERVE)
    smoke = msgspec.structs.replace(asked.gates[0], mode=Mode.OBSERVE)
    asked = msgspec.structs.replace(asked, gates=(smoke, asked.gates[1]))
    assert refusal(ledger, tmp_path, asked) == "verdict-unsound"


def test_observing_still_asks_for_a_run_that_stands(ledger: SqliteLedger, tmp_path: Path) -> None:
    asked = environment(entry=Mode.OBSERVE, until=None)
    assert refusal(ledger, tmp_path, asked) == "run-unfinished"
    ledger.append(RunFinished(run="r1", verdict=verdict(Outcome.FAIL, entry=True)), at=NOW)
    assert refusal(ledger, tmp_path, asked, now=NOW + timedelta(days=2)) == "verdict-stale"
    (tmp_path / "r1.jsonl").write_text("other")
    assert refusal(ledger, tmp_path, asked) == "evidence-changed"
    ledger.append(RunInvalidated(run="r1", by="carl", reason="wrong host"), at=NOW)
    assert refusal(ledger, tmp_path, asked) == "run-invalidated"


@pytest.mark.parametrize("observed_first", [True, False])
def test_of_two_verdicts_the_enforced_hold_counts(
    ledger: SqliteLedger, tmp_path: Path, observed_first: bool
) -> None:
    both = [verdict(Outcome.FAIL, entry=True), verdict(Outcome.FAIL)]
    for each in both if observed_first else reversed(both):
        ledger.append(RunFinished(run="r1", verdict=each), at=NOW)
    asked = environment(entry=Mode.OBSERVE, until=None)
    assert refusal(ledger, tmp_path, asked) == "verdict-is-hold"
    known = tuple(ledger.events())
    assert list(failures(known, candidate=CANDIDATE.digest, environment="staging"))


def test_of_two_promotes_the_observed_one_counts(ledger: SqliteLedger, tmp_path: Path) -> None:
    for entry in (False, True):
        ledger.append(RunFinished(run="r1", verdict=verdict(Outcome.PASS, entry=entry)), at=NOW)
    assert refusal(ledger, tmp_path, environment()) == "verdict-observed"


@pytest.mark.parametrize(("begun", "entry", "attempts"), [("observe", False, 1), ("observe", True, 0)])
def test_a_run_over_midnight_counts_by_its_verdict(
    tmp_path: Path, begun: Literal["observe"], entry: bool, attempts: int
) -> None:
    ledger = SqliteLedger.open(tmp_path / "other.db", create=True)
    started = RunStarted(
        run="r1",
        environment="staging",
        candidate=CANDIDATE,
        rules=RULES,
        actor="ann",
        evidence=("r1.jsonl",),
        mode=begun,
    )
    ledger.append(started, at=NOW)
    asked = {"candidate": CANDIDATE.digest, "environment": "staging", "rules": RULES, "run": "r2"}
    assert history(tuple(ledger.events()), **asked).unproven_runs == ()
    ledger.append(RunFinished(run="r1", verdict=verdict(Outcome.MISSING, entry=entry)), at=MIDNIGHT)
    assert len(history(tuple(ledger.events()), **asked).unproven_runs) == attempts


@pytest.mark.parametrize(("gate", "entry"), [(True, False), (False, True)])
def test_an_observed_fail_is_no_failure_of_the_digests(ledger: SqliteLedger, gate: bool, entry: bool) -> None:
    ledger.append(RunFinished(run="r1", verdict=verdict(Outcome.FAIL, gate=gate, entry=entry)), at=NOW)
    known = tuple(ledger.events())
    assert list(failures(known, candidate=CANDIDATE.digest, environment="staging")) == []
    found = history(known, candidate=CANDIDATE.digest, environment="staging", rules=RULES, run="r2")
    assert (found.failures, found.unproven_runs) == ((), ())


def test_an_enforced_fail_is_one(ledger: SqliteLedger) -> None:
    ledger.append(RunFinished(run="r1", verdict=verdict(Outcome.FAIL)), at=NOW)
    found = history(
        tuple(ledger.events()), candidate=CANDIDATE.digest, environment="staging", rules=RULES, run="r2"
    )
    assert ([each.gate for each in found.failures], found.unproven_runs) == (["load"], ("r1",))
