"""May this candidate enter this environment now? Every check in one order; the first that refuses is said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from release_gates.ledger.history import RunView, runs
from release_gates.model.candidate import ReleaseCandidate
from release_gates.model.checkpoint import Noted
from release_gates.model.event import Event
from release_gates.model.gate import EnvironmentPolicy
from release_gates.model.verdict import Verdict
from release_gates.promotion.approvals import check_approvals
from release_gates.promotion.attested import asks_signature, check_rules_approved, check_signature
from release_gates.promotion.checks import (
    check_evidence,
    check_live,
    check_no_failure,
    check_verdict,
    newest_run,
)
from release_gates.promotion.noted import check_noted
from release_gates.promotion.routes import check_nothing_owed, check_route
from release_gates.promotion.soak import check_soak
from release_gates.promotion.windows import check_window


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Who wants to enter what, by which rules, and when.

    ``root`` is where evidence paths begin, ``local`` whether the ledger is unsigned scratch, ``noted`` its
    checkpoint, if one is named.
    """

    environment: EnvironmentPolicy
    candidate: ReleaseCandidate
    rules: str
    now: datetime
    root: Path
    local: bool
    noted: Noted | None = None


def check_promotion(events: Sequence[Event], question: Question) -> tuple[RunView, Verdict]:
    """Return the run and its verdict on which a candidate may enter now, or raise ``PromotionRefused``."""
    run, verdict = check_ready(events, question)
    environment, candidate, now = question.environment, question.candidate, question.now
    check_noted(environment, question.noted, events)
    check_approvals(events, run, verdict, environment, candidate, now=now)
    check_soak(events, environment, candidate, now=now)
    check_window(environment, now=now)
    return run, verdict


def check_ready(events: Sequence[Event], question: Question) -> tuple[RunView, Verdict]:
    """Return the run and its verdict to which people may say yes now: all but their approvals is there."""
    environment, candidate, now = question.environment, question.candidate, question.now
    run = newest_run(runs(events), environment, candidate, question.rules)
    check_route(run, environment)
    verdict = check_verdict(
        run, environment, now=now, local=question.local and not asks_signature(environment)
    )
    check_signature(run, verdict, environment, question.root, now=now)
    check_rules_approved(run, verdict, environment, question.root, now=now)
    check_no_failure(events, run, candidate, environment.name)
    check_evidence(run, verdict, question.root)
    check_live(events, run, candidate, environment.name)
    check_nothing_owed(events, environment, now=now)
    return run, verdict
