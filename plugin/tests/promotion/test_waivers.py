"""A waiver that ended between verdict and promotion lets nothing in; one that counts, what it covers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from msgspec import UNSET

from release_gates.errors import PromotionRefused
from release_gates.ledger.history import RunView
from release_gates.model.candidate import Artifact, ReleaseCandidate
from release_gates.model.event import Event, GateFailed, RunStarted
from release_gates.model.gate import EnvironmentPolicy, GateSpec
from release_gates.model.outcome import Outcome, Severity
from release_gates.model.verdict import CandidateName, GateJudgement, Inputs, LimitJudgement, Verdict
from release_gates.model.waiver import Waived
from release_gates.promotion.checks import check_no_failure, check_verdict

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
CANDIDATE = ReleaseCandidate(
    name="e", version="1", commit="c", artifacts=(Artifact(name="a", sha256="0" * 64),)
)
ENTRY = EnvironmentPolicy(name="staging", gates=(GateSpec(name="load", owner="x"),), local_may_promote=True)
WAIVED = Waived(
    waiver="slow",
    was=Outcome.FAIL,
    bounds="<= 6 ms",
    reason="known",
    ticket="OPS-1",
    owner="ann",
    approver="bob",
    expires=NOW,
)


def view(*, named: bool = True) -> RunView:
    limit = LimitJudgement(
        name="order.time",
        outcome=Outcome.WAIVED,
        because="order.time is 6 ms",
        measured="6 ms",
        allowed="<= 5 ms",
        test="t::a",
        waived=WAIVED if named else UNSET,
    )
    gate = GateJudgement(
        name="load",
        owner="x",
        severity=Severity.BLOCKING,
        outcome=Outcome.WAIVED,
        because="",
        expected=1,
        ran=1,
        limits=(limit,),
        problems=(),
    )
    verdict = Verdict(
        verdict="PROMOTE",
        kind="",
        because="",
        environment="staging",
        candidate=CandidateName(name="e", version="1", commit="c", digest=CANDIDATE.digest),
        run="r1",
        local=True,
        attempt=1,
        attempts_allowed=3,
        decided=NOW - timedelta(minutes=5),
        gates=(gate,),
        reasons=(),
        inputs=Inputs(rules="r", evidence=("e",), history="h"),
    )
    started = RunStarted(
        run="r1", environment="staging", candidate=CANDIDATE, rules="r", actor="ann", evidence=("e",)
    )
    return RunView(started=started, at=NOW, verdict=verdict, verdict_seq=3, invalidated="")


def test_until_its_last_moment_it_counts() -> None:
    at = NOW - timedelta(microseconds=1)
    assert check_verdict(view(), ENTRY, now=at, local=True).promotes
    with pytest.raises(PromotionRefused, match=r"waiver slow, which expired .*\[waiver-expired\]"):
        check_verdict(view(), ENTRY, now=NOW, local=True)


def test_waived_by_nobody_is_unsound() -> None:
    with pytest.raises(PromotionRefused, match="verdict-unsound"):
        check_verdict(view(named=False), ENTRY, now=NOW - timedelta(minutes=1), local=True)


@pytest.mark.parametrize(("test", "refused"), [("t::a", False), ("t::b", True)])
def test_only_the_failure_that_is_waived_is_taken_into_account(test: str, refused: bool) -> None:
    fact = GateFailed(
        run="r1", environment="staging", candidate=CANDIDATE.digest, gate="load", test=test, because="bad"
    )
    events = [
        Event(seq=1, at=NOW, prev="0", fact=view().started),
        Event(seq=2, at=NOW, prev="0", fact=fact),
    ]
    if refused:
        with pytest.raises(PromotionRefused, match="failed-since"):
            check_no_failure(events, view(), CANDIDATE, "staging")
    else:
        check_no_failure(events, view(), CANDIDATE, "staging")
