"""What people tell the ledger beside promotions: adopted, first release, invalidated."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from msgspec import UNSET

from release_gates.errors import LedgerError, PromotionRefused
from release_gates.ledger.history import ITS_OWN, live_in, runs
from release_gates.ledger.protocol import Ledger
from release_gates.model.candidate import ReleaseCandidate
from release_gates.model.event import Adopted, Event, FirstRelease, RunInvalidated
from release_gates.model.person import same_person
from release_gates.promotion.checks import check_candidate
from release_gates.promotion.taking import check_nobody_deploys


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
    check_by(by)
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
    check_by(by)
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
    check_by(by)
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


def check_by(by: str) -> None:
    """Refuse what nobody answers for: the ledger keeps who did it."""
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
