"""Promotion: what was allowed is carried out, gone on with, or said yes and no to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from msgspec import structs

from release_gates.errors import PromotionRefused
from release_gates.ledger.deployments import DeploymentView
from release_gates.ledger.history import runs
from release_gates.ledger.protocol import Ledger
from release_gates.model.candidate import ReleaseCandidate
from release_gates.model.checkpoint import Noted
from release_gates.model.event import Approved, Event
from release_gates.model.gate import EnvironmentPolicy
from release_gates.promotion.allowed import Question, check_promotion, check_ready
from release_gates.promotion.approvals import answer_to, check_answer
from release_gates.promotion.checks import check_candidate, check_stored
from release_gates.promotion.deployment import Clock
from release_gates.promotion.entering import Checked, Entry, enter, resume_entry
from release_gates.promotion.noted import check_noted
from release_gates.promotion.routes import Emergency, check_emergency
from release_gates.promotion.telling import check_by


def promote(
    ledger: Ledger,
    *,
    environment: EnvironmentPolicy,
    candidate: ReleaseCandidate,
    rules: str,
    by: str,
    now: datetime,
    root: Path,
    heads: Sequence[str] = (),
    noted: Noted | None = None,
    emergency: Emergency | None = None,
    clock: Clock | None = None,
) -> Event:
    """Let a candidate enter an environment, or refuse by ``PromotionRefused``.

    The newest run for exactly these digests and rules has to stand for a PROMOTE that is fresh, and the
    evidence that it was decided on has to be unchanged. Where the whole entry is only observed a HOLD stops
    nothing; the event says so, and what would have held. Checked and appended with nobody in between.
    ``heads`` are digests of the ledger that were seen earlier, ``noted`` is its checkpoint, if one is named;
    ``emergency`` is given exactly where the route is that of one;
    ``root`` is where evidence paths begin. ``clock`` tells the times of a deployment's steps; None: ``now``.
    """
    entry, checked = asked(
        ledger,
        environment=environment,
        candidate=candidate,
        rules=rules,
        by=by,
        now=now,
        root=root,
        heads=heads,
        noted=noted,
        emergency=emergency,
    )
    return enter(ledger, entry, checked, clock=clock or (lambda: now))


def asked(
    ledger: Ledger,
    *,
    environment: EnvironmentPolicy,
    candidate: ReleaseCandidate,
    rules: str,
    by: str,
    now: datetime,
    root: Path,
    heads: Sequence[str] = (),
    noted: Noted | None = None,
    emergency: Emergency | None = None,
) -> tuple[Entry, Checked]:
    """Return who asks for which entry, and what allows it; a ledger that is damaged allows nothing."""
    check_by(by)
    check_emergency(environment, emergency)
    check_candidate(candidate)
    _check_whole(ledger, heads)

    question = Question(
        environment=environment,
        candidate=candidate,
        rules=rules,
        now=now,
        root=root,
        local=ledger.local,
        noted=noted,
    )
    entry = Entry(environment=environment, candidate=candidate, by=by.strip(), root=root, emergency=emergency)
    return entry, lambda events: check_promotion(events, question)


def resume(
    ledger: Ledger,
    *,
    environment: EnvironmentPolicy,
    candidate: ReleaseCandidate,
    by: str,
    clock: Clock,
    root: Path,
    heads: Sequence[str] = (),
    noted: Noted | None = None,
    emergency: Emergency | None = None,
) -> Event:
    """Go on with the unfinished promotion of exactly this candidate; taken back where it failed since.

    Everything that allowed it is checked once more as of the moment when it began, so that nobody deploys by
    an event that was written without these checks. Rules that changed since then do not count.
    """
    check_by(by)
    check_emergency(environment, emergency)
    _check_whole(ledger, heads)
    entry = Entry(environment=environment, candidate=candidate, by=by.strip(), root=root, emergency=emergency)

    def allowed(events: Sequence[Event], view: DeploymentView) -> None:
        before = tuple(event for event in events if event.seq < view.seq)
        known = [each.started.rules for each in runs(before) if each.started.run == view.started.run]
        check_noted(environment, noted, events)
        check_stored(view.started.candidate, root)
        question = Question(
            environment=structs.replace(environment, checkpoint=False),
            candidate=candidate,
            rules=known[0] if known else "",
            now=min(view.at, clock()),
            root=root,
            local=ledger.local,
        )
        check_promotion(before, question)

    return resume_entry(ledger, entry, allowed, clock=clock)


def _check_whole(ledger: Ledger, heads: Sequence[str]) -> None:
    if damage := ledger.verify(heads=heads):
        raise PromotionRefused(
            f"the ledger is damaged: {damage[0].sentence} ({len(damage)} finding(s)).",
            slug="ledger-damaged",
            hint="`release-gates verify` names all; bring the ledger back from its backup.",
        )


def answer(
    ledger: Ledger,
    *,
    environment: EnvironmentPolicy,
    candidate: ReleaseCandidate,
    rules: str,
    by: str,
    role: str | None,
    yes: bool,
    reason: str,
    now: datetime,
    root: Path,
    sign: Callable[[Approved], str] | None = None,
) -> Event:
    """Record a person's yes or no to a promotion that lacks nothing but approvals, or refuse it.

    ``sign`` makes the envelope of an answer by that person's key.
    """
    check_by(by)
    question = Question(
        environment=environment, candidate=candidate, rules=rules, now=now, root=root, local=ledger.local
    )

    def checked(events: Sequence[Event]) -> Approved:
        run, verdict = check_ready(events, question)
        fact = answer_to(
            run,
            verdict,
            environment,
            candidate,
            by=by,
            role=role,
            answer="yes" if yes else "no",
            reason=reason,
            now=now,
        )
        fact = fact if sign is None else structs.replace(fact, envelope=sign(fact))
        check_answer(fact, environment, now=now)
        return fact

    return ledger.append_after(checked, at=now)
