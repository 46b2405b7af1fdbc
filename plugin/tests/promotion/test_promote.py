"""Promotion: one row for each refusal, and the one way through."""

from __future__ import annotations

import hashlib
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from msgspec import UNSET, UnsetType

from release_gates.errors import GateError, LedgerError, PromotionRefused
from release_gates.ledger.bearing import history
from release_gates.ledger.history import live_in
from release_gates.ledger.sqlite import SqliteLedger
from release_gates.model.candidate import Artifact, ReleaseCandidate
from release_gates.model.event import GateFailed, Promoted, RunFinished, RunInvalidated, RunStarted
from release_gates.model.gate import EnvironmentPolicy, GateSpec
from release_gates.model.outcome import Outcome, Severity
from release_gates.model.timetable import Freeze, Soak, Window
from release_gates.model.verdict import CandidateName, GateJudgement, Inputs, LimitJudgement, Verdict
from release_gates.promotion.promote import promote
from release_gates.promotion.telling import adopt, first_release, invalidate

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
RULES = "r" * 64
ENVIRONMENT = EnvironmentPolicy(
    name="staging", gates=(GateSpec(name="smoke", owner="me"),), local_may_promote=True
)


def candidate(content: str = "1") -> ReleaseCandidate:
    sha256 = hashlib.sha256(content.encode()).hexdigest()
    return ReleaseCandidate(
        name="engine", version="1.1.0", commit="abc", artifacts=(Artifact(name="a", sha256=sha256, path="a"),)
    )


def judged(outcome: Outcome) -> GateJudgement:
    limit = LimitJudgement(
        name="a.b", outcome=outcome, because="a.b is 9 ms", measured="9 ms", allowed="<= 5 ms"
    )
    return GateJudgement(
        name="smoke",
        owner="me",
        severity=Severity.BLOCKING,
        outcome=outcome,
        because="",
        expected=1,
        ran=1,
        limits=(limit,),
        problems=(),
    )


@dataclass
class World:
    """A ledger with one finished run, and everything that promotion asks."""

    ledger: SqliteLedger
    root: Path

    def start(
        self,
        run: str,
        *,
        content: str = "1",
        rules: str = RULES,
        at: datetime = NOW,
        route: str | UnsetType = UNSET,
    ) -> None:
        (self.root / f"{run}.jsonl").write_text(run)
        fact = RunStarted(
            run=run,
            environment="staging",
            candidate=candidate(content),
            rules=rules,
            actor="ann",
            evidence=(f"{run}.jsonl",),
            route=route,
        )
        self.ledger.append(fact, at=at)

    def finish(
        self,
        run: str,
        outcome: Outcome = Outcome.PASS,
        *,
        at: datetime = NOW,
        local: bool = True,
        changes: dict[str, object] | None = None,
    ) -> None:
        promotes = outcome.promotes
        sha256 = hashlib.sha256((self.root / f"{run}.jsonl").read_bytes()).hexdigest()
        verdict = Verdict(
            verdict="PROMOTE" if promotes else "HOLD",
            kind="" if promotes else "broken" if outcome is Outcome.FAIL else "not proven",
            because="a.b is 9 ms",
            environment="staging",
            candidate=CandidateName(name="engine", version="1.1.0", commit="abc", digest=candidate().digest),
            run=run,
            local=local,
            attempt=1,
            attempts_allowed=3,
            decided=at,
            gates=(judged(outcome),),
            reasons=(),
            inputs=Inputs(rules=RULES, evidence=(sha256,), history="h"),
        )
        verdict = msgspec.structs.replace(verdict, **(changes or {}))
        self.ledger.append(RunFinished(run=run, verdict=verdict), at=at)

    def promote(
        self,
        *,
        content: str = "1",
        rules: str = RULES,
        now: datetime = NOW + timedelta(minutes=1),
        environment: EnvironmentPolicy = ENVIRONMENT,
        heads: tuple[str, ...] = (),
        by: str = "bob",
    ) -> Promoted:
        event = promote(
            self.ledger,
            environment=environment,
            candidate=candidate(content),
            rules=rules,
            by=by,
            now=now,
            root=self.root,
            heads=heads,
        )
        assert isinstance(event.fact, Promoted)
        return event.fact


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(SqliteLedger.open(tmp_path / "ledger.db", create=True), tmp_path)
    world.start("run-1")
    world.finish("run-1")
    return world


def _hotfix(outcome: Outcome | None, rules: str = RULES) -> Callable[[World], object]:
    """Begin a newer run on a shorter route, and end it so unless that is None."""

    def newer(world: World) -> None:
        world.start("run-2", route="hotfix", rules=rules)
        if outcome is not None:
            world.finish("run-2", outcome, changes={"route": "hotfix"})

    return newer


def test_a_newer_promote_on_a_shorter_route_takes_nothing_away(world: World) -> None:
    _hotfix(Outcome.PASS)(world)
    assert world.promote().run == "run-1"


def test_decided_by_a_clock_that_is_a_little_ahead(world: World) -> None:
    assert world.promote(now=NOW - timedelta(seconds=50)).run == "run-1"


def test_fresh_promote_for_these_digests_and_rules_goes_through(world: World) -> None:
    assert world.promote().run == "run-1"
    live = live_in(world.ledger.events(), "staging")
    assert live is not None
    assert live.candidate == candidate()


def _edit_evidence(world: World) -> None:
    path = world.root / "run-1.jsonl"
    path.write_bytes(path.read_bytes()[:-1] + b"X")


def _newer(outcome: Outcome) -> Callable[[World], None]:
    def change(world: World) -> None:
        world.start("run-2")
        world.finish("run-2", outcome)

    return change


def _failed(run: str) -> Callable[[World], None]:
    """A gate that a run sees fail after the verdict of run-1; the run may be another one, or run-1."""

    def change(world: World) -> None:
        if run != "run-1":
            fact = RunStarted(
                run=run,
                environment="staging",
                candidate=candidate(),
                rules=RULES,
                actor="ann",
                evidence=(f"{run}.jsonl",),
            )
            world.ledger.append(fact, at=NOW)
            world.start("run-3")
            world.finish("run-3")
        fact_failed = GateFailed(
            run=run,
            environment="staging",
            candidate=candidate().digest,
            gate="load",
            test="t",
            because="p95 is 9 ms",
        )
        world.ledger.append(fact_failed, at=NOW)

    return change


def _verdict(**changes: object) -> Callable[[World], None]:
    """A newest run whose verdict says PROMOTE and differs in one thing."""

    def change(world: World) -> None:
        world.start("run-2")
        world.finish("run-2", changes=changes)

    return change


def _adopt_other(world: World) -> None:
    adopt(world.ledger, environment="staging", candidate=candidate("2"), by="ann", reason="it runs", now=NOW)


def _damage(world: World) -> None:
    with closing(sqlite3.connect(world.root / "ledger.db", isolation_level=None)) as connection:
        connection.execute("DROP TRIGGER events_no_update")
        connection.execute("UPDATE events SET body = replace(body, 'ann', 'eve') WHERE seq = 1")


def _twice(world: World) -> None:
    world.start("run-2")
    world.finish("run-2", Outcome.ERROR)
    world.finish("run-2")


NAME = CandidateName(name="engine", version="1.1.0", commit="abc", digest="f" * 64)
NO_GATES = msgspec.structs.replace(ENVIRONMENT, gates=())
MORE_GATES = msgspec.structs.replace(
    ENVIRONMENT, gates=(*ENVIRONMENT.gates, GateSpec(name="load", owner="me"))
)
SHORT = msgspec.structs.replace(
    ENVIRONMENT, gates=(*ENVIRONMENT.gates, GateSpec(name="smoke", owner="me", valid_for_s=30.0))
)

SOAK = msgspec.structs.replace(ENVIRONMENT, soak=Soak(environment="dev", for_s=3600.0))
ON_MONDAY = msgspec.structs.replace(ENVIRONMENT, windows=(Window(zone="UTC", days=(0,)),))
FREEZE = Freeze(
    name="close",
    zone="UTC",
    begins=NOW,
    ends=NOW + timedelta(days=1),
    reason="books",
    environments=("staging",),
)
FROZEN = msgspec.structs.replace(ENVIRONMENT, freezes=(FREEZE,))
REFUSALS: list[tuple[str, Callable[[World], object], dict[str, object], str]] = [
    ("other candidate", lambda w: None, {"content": "2"}, "never-measured"),
    ("rules changed", lambda w: None, {"rules": "x" * 64}, "rules-changed"),
    ("newer run on another route, in progress", _hotfix(None), {}, "route-differs"),
    ("newer HOLD on another route", _hotfix(Outcome.INCONCLUSIVE), {}, "route-differs"),
    ("newer run on another route, under other rules", _hotfix(None, "x" * 64), {}, "rules-changed"),
    (
        "newer PROMOTE on another route, that was invalidated",
        lambda w: (
            _hotfix(Outcome.PASS)(w),
            w.ledger.append(RunInvalidated(run="run-2", by="eve", reason="r"), at=NOW),
        ),
        {},
        "route-differs",
    ),
    ("newer run under other rules", lambda w: w.start("run-2", rules="x" * 64), {}, "rules-changed"),
    ("run in progress", lambda w: w.start("run-2"), {}, "run-unfinished"),
    ("newer FAIL", _newer(Outcome.FAIL), {}, "verdict-is-hold"),
    ("newer INCONCLUSIVE", _newer(Outcome.INCONCLUSIVE), {}, "verdict-is-hold"),
    ("stale", lambda w: None, {"now": NOW + timedelta(hours=25)}, "verdict-stale"),
    ("clock set back", lambda w: None, {"now": NOW - timedelta(seconds=61)}, "verdict-from-the-future"),
    ("evidence edited", _edit_evidence, {}, "evidence-changed"),
    ("evidence gone", lambda w: (w.root / "run-1.jsonl").unlink(), {}, "evidence-absent"),
    (
        "local verdict",
        lambda w: None,
        {"environment": msgspec.structs.replace(ENVIRONMENT, local_may_promote=False)},
        "local-verdict",
    ),
    ("tail cut off", lambda w: None, {"heads": ("f" * 64,)}, "ledger-damaged"),
    ("live already", lambda w: w.promote(), {}, "already-live"),
    (
        "invalidated",
        lambda w: invalidate(w.ledger, run="run-1", by="carl", reason="wrong host", now=NOW),
        {},
        "run-invalidated",
    ),
    (
        "taken back by its own process",
        lambda w: w.ledger.append(RunInvalidated(run="run-1", by="pytest", reason=""), at=NOW),
        {},
        "run-invalidated",
    ),
    ("event changed", _damage, {}, "ledger-damaged"),
    ("older run failed later", _failed("run-2"), {}, "failed-since"),
    ("own gate failed", _failed("run-1"), {}, "failed-since"),
    ("PROMOTE after a HOLD of the same run", _twice, {}, "verdict-is-hold"),
    ("verdict on other digests", _verdict(candidate=NAME), {}, "run-unfinished"),
    ("verdict for another environment", _verdict(environment="dev"), {}, "run-unfinished"),
    ("verdict of another run", _verdict(run="run-1"), {}, "run-unfinished"),
    ("PROMOTE with a blocking FAIL", _verdict(gates=(judged(Outcome.FAIL),)), {}, "verdict-unsound"),
    ("PROMOTE with a blocking ERROR", _verdict(gates=(judged(Outcome.ERROR),)), {}, "verdict-unsound"),
    ("PROMOTE without gates", _verdict(gates=()), {}, "verdict-unsound"),
    ("PROMOTE with a reason against it", _verdict(kind="broken"), {}, "verdict-unsound"),
    ("policy without gates", lambda w: None, {"environment": NO_GATES}, "verdict-unsound"),
    ("gate that the verdict lacks", lambda w: None, {"environment": MORE_GATES}, "verdict-unsound"),
    ("stale for its shortest gate", lambda w: None, {"environment": SHORT}, "verdict-stale"),
    (
        "verdict names no evidence",
        _verdict(inputs=Inputs(rules=RULES, evidence=(), history="h")),
        {},
        "evidence-changed",
    ),
    ("other went live since", _adopt_other, {}, "baseline-changed"),
    ("said by nobody", lambda w: None, {"by": " "}, "no-by"),
    ("has not soaked", lambda w: None, {"environment": SOAK}, "soak-not-live"),
    ("outside of its window", lambda w: None, {"environment": ON_MONDAY}, "window-closed"),
    ("frozen", lambda w: None, {"environment": FROZEN}, "frozen"),
]


@pytest.mark.parametrize(
    ("change", "arguments", "slug"), [row[1:] for row in REFUSALS], ids=[row[0] for row in REFUSALS]
)
def test_refusal(
    world: World, change: Callable[[World], object], arguments: dict[str, object], slug: str
) -> None:
    change(world)
    before = world.ledger.head()
    with pytest.raises(PromotionRefused) as refused:
        world.promote(**arguments)  # type: ignore[arg-type]
    assert refused.value.slug == slug
    assert len(refused.value.message) > 20
    assert world.ledger.head() == before


def test_a_clock_that_was_set_back_moves_nothing(world: World) -> None:
    """Nobody sets the clock back into a window: nothing follows what the ledger knows to be later."""
    later = NOW + timedelta(hours=2)
    adopt(
        world.ledger, environment="dev", candidate=candidate("2"), by="ann", reason="it runs there", now=later
    )
    head = world.ledger.head()
    with pytest.raises(LedgerError) as refused:
        world.promote(now=NOW + timedelta(hours=1))
    assert (refused.value.slug, world.ledger.head()) == ("ledger-clock-back", head)


class TestHistory:
    def history(
        self, world: World, run: str = "now", rules: str = RULES
    ) -> tuple[list[str], tuple[str, ...]]:
        found = history(
            world.ledger.events(), candidate=candidate().digest, environment="staging", rules=rules, run=run
        )
        return [failure.run for failure in found.failures], found.unproven_runs

    def test_promote_leaves_nothing_to_answer_for(self, world: World) -> None:
        assert self.history(world) == ([], ())

    def test_fail_sticks_under_any_rules_and_attempts_count_under_the_same(self, world: World) -> None:
        _newer(Outcome.FAIL)(world)
        assert self.history(world) == (["run-2"], ("run-2",))
        assert self.history(world, rules="x" * 64) == (["run-2"], ())

    def test_fail_of_a_killed_run_sticks(self, world: World) -> None:
        world.start("run-2")
        fact = GateFailed(
            run="run-2",
            environment="staging",
            candidate=candidate().digest,
            gate="smoke",
            test="t",
            because="b",
        )
        world.ledger.append(fact, at=NOW)
        assert self.history(world) == (["run-2"], ("run-2",))

    def test_invalidated_run_counts_for_nothing(self, world: World) -> None:
        _newer(Outcome.FAIL)(world)
        invalidate(world.ledger, run="run-2", by="carl", reason="broken host", now=NOW)
        assert self.history(world) == ([], ())

    def test_other_candidate_and_the_run_itself_do_not_count(self, world: World) -> None:
        world.start("other", content="2")
        world.start("now")
        assert self.history(world) == ([], ())


class TestByHand:
    def test_invalidate_needs_somebody_else_a_reason_and_a_run(self, world: World) -> None:
        rows = [
            ("run-1", " ANN ", "why", "invalidated-by-runner"),
            ("run-1", "\uff21nn", "why", "invalidated-by-runner"),
            ("run-1", "pytest", "why", "invalidated-by-runner"),
            ("run-1", "", "why", "no-by"),
            ("run-1", "carl", "  ", "no-reason"),
            ("run-7", "carl", "why", "unknown-run"),
        ]
        for run, by, reason, slug in rows:
            with pytest.raises(GateError) as refused:
                invalidate(world.ledger, run=run, by=by, reason=reason, now=NOW)
            assert refused.value.slug == slug

    def test_first_release_only_where_nothing_is_live(self, world: World) -> None:
        first_release(world.ledger, environment="staging", by="ann", reason="new venue", now=NOW)
        adopt(world.ledger, environment="staging", candidate=candidate(), by="ann", reason="it runs", now=NOW)
        with pytest.raises(PromotionRefused, match="not-first-release"):
            first_release(world.ledger, environment="staging", by="ann", reason="again", now=NOW)

    def test_candidate_without_artifacts_is_nobodys(self, world: World) -> None:
        nothing = msgspec.structs.replace(candidate(), artifacts=())
        with pytest.raises(PromotionRefused, match="nothing-to-promote"):
            adopt(world.ledger, environment="staging", candidate=nothing, by="ann", reason="r", now=NOW)


def test_sentence_says_precisely_what_changed(world: World) -> None:
    with pytest.raises(PromotionRefused, match=r"the rules changed since run run-1.*Run the gate again"):
        world.promote(rules="x" * 64)
    with pytest.raises(PromotionRefused, match=r"run-1, was of other digests: engine 1\.1\.0"):
        world.promote(content="2")
    world.promote()
    with pytest.raises(PromotionRefused, match=r"is already live in staging since 2026-01-31 12:01 UTC"):
        world.promote()


def test_baseline_that_was_known_to_the_run_does_not_hold_it_up(tmp_path: Path) -> None:
    world = World(SqliteLedger.open(tmp_path / "ledger.db", create=True), tmp_path)
    _adopt_other(world)
    world.start("run-1")
    world.finish("run-1")
    assert world.promote().run == "run-1"


def test_invalidated_failure_needs_a_run_that_knows(world: World) -> None:
    _failed("run-2")(world)
    invalidate(world.ledger, run="run-2", by="carl", reason="wrong host", now=NOW)
    assert world.promote().run == "run-3"


PROMOTE = """
import sys
from pathlib import Path
sys.path[:0] = [sys.argv[2]]
from test_promote import PromotionRefused, SqliteLedger, World

root = Path(sys.argv[1])
world = World(SqliteLedger.open(root / "ledger.db", create=False), root)
sys.stdin.readline()
try:
    print(world.promote().run)
except PromotionRefused as refused:
    print(refused.slug)
"""


def test_of_two_promotions_at_once_exactly_one_goes_through(world: World) -> None:
    command = [sys.executable, "-c", PROMOTE, str(world.root), str(Path(__file__).parent)]
    racers = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(4)
    ]
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    said = sorted(racer.communicate()[0].strip() for racer in racers)
    assert said == ["already-live"] * 3 + ["run-1"]
    assert sum(isinstance(event.fact, Promoted) for event in world.ledger.events()) == 1
    assert world.ledger.verify() == ()
