"""Promotion, and what else people tell the ledger: adopted, first release, invalidated."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from msgspec import UNSET, structs

from release_gates.errors import LedgerError, PromotionRefused
from release_gates.ledger.deployments import DeploymentView
from release_gates.ledger.history import ITS_OWN, RunView, live_in, runs
from release_gates.ledger.protocol import Ledger
from release_gates.model.candidate import ReleaseCandidate
from release_gates.model.checkpoint import Noted
from release_gates.model.event import Adopted, Approved, Event, FirstRelease, RunInvalidated
from release_gates.model.gate import EnvironmentPolicy
from release_gates.model.person import same_person
from release_gates.model.verdict import Verdict
from release_gates.promotion.approvals import answer_to, check_answer, check_approvals
from release_gates.promotion.attested import asks_signature, check_rules_approved, check_signature
from release_gates.promotion.checks import (
    check_candidate,
    check_evidence,
    check_live,
    check_no_failure,
    check_stored,
    check_verdict,
    newest_run,
)
from release_gates.promotion.deployment import Clock
from release_gates.promotion.entering import Checked, Entry, enter, resume_entry
from release_gates.promotion.noted import check_noted
from release_gates.promotion.routes import Emergency, check_emergency, check_nothing_owed, check_route
from release_gates.promotion.soak import check_soak
from release_gates.promotion.taking import check_nobody_deploys
from release_gates.promotion.windows import check_window


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
    _check_by(by)
    check_emergency(environment, emergency)
    check_candidate(candidate)
    _check_whole(ledger, heads)

    def checked(events: Sequence[Event]) -> tuple[RunView, Verdict]:
        return check_promotion(
            events,
            environment=environment,
            candidate=candidate,
            rules=rules,
            now=now,
            root=root,
            local=ledger.local,
            noted=noted,
        )

    entry = Entry(environment=environment, candidate=candidate, by=by.strip(), root=root, emergency=emergency)
    return entry, checked


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
    _check_by(by)
    check_emergency(environment, emergency)
    _check_whole(ledger, heads)
    entry = Entry(environment=environment, candidate=candidate, by=by.strip(), root=root, emergency=emergency)

    def allowed(events: Sequence[Event], view: DeploymentView) -> None:
        before = tuple(event for event in events if event.seq < view.seq)
        known = [each.started.rules for each in runs(before) if each.started.run == view.started.run]
        check_noted(environment, noted, events)
        check_stored(view.started.candidate, root)
        check_promotion(
            before,
            environment=structs.replace(environment, checkpoint=False),
            candidate=candidate,
            rules=known[0] if known else "",
            now=min(view.at, clock()),
            root=root,
            local=ledger.local,
        )

    return resume_entry(ledger, entry, allowed, clock=clock)


def _check_whole(ledger: Ledger, heads: Sequence[str]) -> None:
    if damage := ledger.verify(heads=heads):
        raise PromotionRefused(
            f"the ledger is damaged: {damage[0].sentence} ({len(damage)} finding(s)).",
            slug="ledger-damaged",
            hint="`release-gates verify` names all; bring the ledger back from its backup.",
        )


def check_promotion(
    events: Sequence[Event],
    *,
    environment: EnvironmentPolicy,
    candidate: ReleaseCandidate,
    rules: str,
    now: datetime,
    root: Path,
    local: bool,
    noted: Noted | None = None,
) -> tuple[RunView, Verdict]:
    """Return the run and its verdict on which a candidate may enter now, or refuse as ``promote`` does."""
    run, verdict = check_ready(
        events,
        environment=environment,
        candidate=candidate,
        rules=rules,
        now=now,
        root=root,
        local=local,
    )
    check_noted(environment, noted, events)
    check_approvals(events, run, verdict, environment, candidate, now=now)
    check_soak(events, environment, candidate, now=now)
    check_window(environment, now=now)
    return run, verdict


def check_ready(
    events: Sequence[Event],
    *,
    environment: EnvironmentPolicy,
    candidate: ReleaseCandidate,
    rules: str,
    now: datetime,
    root: Path,
    local: bool,
) -> tuple[RunView, Verdict]:
    """Return the run and its verdict to which people may say yes now: all but their approvals is there."""
    run = newest_run(runs(events), environment, candidate, rules)
    check_route(run, environment)
    verdict = check_verdict(run, environment, now=now, local=local and not asks_signature(environment))
    check_signature(run, verdict, environment, root, now=now)
    check_rules_approved(run, verdict, environment, root, now=now)
    check_no_failure(events, run, candidate, environment.name)
    check_evidence(run, verdict, root)
    check_live(events, run, candidate, environment.name)
    check_nothing_owed(events, environment, now=now)
    return run, verdict


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
    _check_by(by)

    def checked(events: Sequence[Event]) -> Approved:
        run, verdict = check_ready(
            events,
            environment=environment,
            candidate=candidate,
            rules=rules,
            now=now,
            root=root,
            local=ledger.local,
        )
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


def adopt(
    ledger: Ledger,
    *,
    environment: str,
    candidate: ReleaseCandidate,
    by: str,
    reason: str,
    now: datetime,
    outside: str = "",
) -> Event:
    """Record that a candidate is live already, without a promotion of ours; ``outside`` of which executor."""
    _check_by(by)
    _check_reason(reason)
    check_candidate(candidate)
    fact = Adopted(
        environment=environment,
        candidate=candidate,
        by=by.strip(),
        reason=reason.strip(),
        outside=outside or UNSET,
    )
    return ledger.append(fact, at=now)


def first_release(ledger: Ledger, *, environment: str, by: str, reason: str, now: datetime) -> Event:
    """Record that nothing is live yet; refused where the ledger knows of something live."""
    _check_by(by)
    _check_reason(reason)

    def checked(events: Sequence[Event]) -> FirstRelease:
        check_nobody_deploys(events, environment)
        live = live_in(events, environment)
        if live is not None and live.candidate is not None:
            raise PromotionRefused(
                f"{live.candidate.name} {live.candidate.version} is live in {environment} since "
                f"{live.since:%Y-%m-%d %H:%M} UTC, so this is no first release.",
                slug="not-first-release",
                hint="Go on without it: the next run is compared with what is live.",
            )
        return FirstRelease(environment=environment, by=by.strip(), reason=reason.strip())

    return ledger.append_after(checked, at=now)


def invalidate(ledger: Ledger, *, run: str, by: str, reason: str, now: datetime) -> Event:
    """Record that a run counts for nothing, neither its FAIL nor its PROMOTE.

    Refused for an unknown run, without a reason, and to whoever ran it.
    """
    _check_by(by)
    _check_reason(reason)

    def checked(events: Sequence[Event]) -> RunInvalidated:
        view = next((each for each in runs(events) if each.started.run == run), None)
        if view is None:
            raise LedgerError(
                f"the ledger knows no run '{run}'.",
                slug="unknown-run",
                hint="`release-gates status` lists runs.",
            )
        if any(same_person(by, own) for own in (view.started.actor, ITS_OWN)):
            raise PromotionRefused(
                f"{view.started.actor} ran {run}, and --by is '{by}': somebody else has to invalidate it.",
                slug="invalidated-by-runner",
                hint="--by names the person who decided this.",
            )
        return RunInvalidated(run=run, by=by.strip(), reason=reason.strip())

    return ledger.append_after(checked, at=now)


def _check_by(by: str) -> None:
    if not by.strip():
        raise PromotionRefused(
            "nobody is named, and the ledger keeps who did it.",
            slug="no-by",
            hint="--by NAME, or GATE_ACTOR.",
        )


def _check_reason(reason: str) -> None:
    if not reason.strip():
        raise PromotionRefused(
            "a reason is needed, and this one is empty.", slug="no-reason", hint="--reason TEXT."
        )
