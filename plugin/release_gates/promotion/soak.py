"""Soak: how long a candidate has been live, unbroken and verified, in an earlier environment.

By the ledger alone. It counts from the latest of: the event since which these digests are live there, the
first PROMOTE of that entry on the normal route that still stands, the last deployment there that was taken
back. Whatever else is live in between ends it. A FAIL of these digests there forbids it, unless somebody
else invalidated that run, or a waiver accepts it: in such a PROMOTE of its own, or in one that knows of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from release_gates.errors import PromotionRefused
from release_gates.ledger.deployments import deployments, entered, unfinished
from release_gates.ledger.history import failures
from release_gates.ledger.verified import verified
from release_gates.model.candidate import ReleaseCandidate
from release_gates.model.event import Adopted, DeploymentUndone, Event, FirstRelease
from release_gates.model.gate import EnvironmentPolicy
from release_gates.model.timetable import Soak
from release_gates.promotion.checks import is_waived, unaccounted


def check_soak(
    events: Sequence[Event], environment: EnvironmentPolicy, candidate: ReleaseCandidate, *, now: datetime
) -> None:
    """Refuse unless the candidate has soaked as the environment asks; say how much time is left."""
    soak = environment.soak
    if soak is None:
        return
    what = f"{candidate.name} {candidate.version} ({candidate.digest[:12]})"
    asked = f"{environment.name} asks for {_long(soak.for_s)} in {soak.environment}"
    live = _live_since(events, soak.environment, candidate, asked, what)
    since = max(live, _verified_since(events, soak, candidate, asked, what))
    left = soak.for_s - (now - since).total_seconds()
    if left > 0:
        ends = (since + timedelta(seconds=soak.for_s)).astimezone(UTC)
        raise PromotionRefused(
            f"{what} is live and verified in {soak.environment} since {since:%Y-%m-%d %H:%M:%S} UTC, and "
            f"{asked}: {_long(left)} left.",
            slug="soak-unfinished",
            hint=f"It ends at {ends:%Y-%m-%d %H:%M:%S} UTC.",
        )


def _live_since(
    events: Sequence[Event], place: str, candidate: ReleaseCandidate, asked: str, what: str
) -> datetime:
    """Return since when a candidate is live, or refuse; a deployment that was taken back begins it anew."""
    if view := unfinished(events, place):
        raise PromotionRefused(
            f"{view.by} is changing what is live in {place}, and {asked}.",
            slug="soak-not-live",
            hint="`release-gates status` shows when that has ended.",
        )
    began = [view.seq for view in deployments(events) if view.started.environment == place]
    live, since, seq = "", None, 0
    for event, fact in entered(events, place):
        digest = "" if isinstance(fact, FirstRelease) else fact.candidate.digest
        moved = any(seq < each < event.seq for each in began)
        if digest != live or not isinstance(fact, Adopted) or moved:
            since = event.at
        live, seq = digest, event.seq
    if since is None or live != candidate.digest:
        raise PromotionRefused(
            f"{what} is not live in {place}, and {asked}.",
            slug="soak-not-live",
            hint=f"`release-gates promote --to {place}` begins it.",
        )
    undone = [
        event.at
        for event in events
        if isinstance(event.fact, DeploymentUndone) and event.fact.environment == place
    ]
    return max([since, *undone])


def _verified_since(
    events: Sequence[Event], soak: Soak, candidate: ReleaseCandidate, asked: str, what: str
) -> datetime:
    """Return when the first PROMOTE of everything was decided that no FAIL speaks against, or refuse."""
    place, digest = soak.environment, candidate.digest
    known = verified(events, place, digest)
    views = {view.started.run: view for view, _ in known}
    decided = [
        verdict.decided
        for view, verdict in known
        if all(
            each.run in views and is_waived(views[each.run], each)
            for each in unaccounted(events, view, candidate, place)
        )
    ]
    if decided:
        return min(decided)
    failed = next((each for _, each in failures(events, candidate=digest, environment=place)), None)
    if failed is not None:
        raise PromotionRefused(
            f"{what} is live in {place}, where gate {failed.gate} failed for these digests in run "
            f"{failed.run}: {failed.because}; {asked}.",
            slug="soak-not-verified",
            hint="Mend it, and begin with the new candidate.",
        )
    raise PromotionRefused(
        f"{what} is live in {place}, and no run there stands for a PROMOTE of it on the normal route; "
        f"{asked}, verified.",
        slug="soak-not-verified",
        hint=f"`release-gates run {place}` measures it; the soak counts from its PROMOTE.",
    )


def _long(seconds: float) -> str:
    """Return a duration for people; odd seconds are rounded up to a minute."""
    minutes = -int(-seconds // 60)
    hours, rest = divmod(minutes, 60)
    if not hours:
        return f"{rest} min"
    return f"{hours} h {rest} min" if rest else f"{hours} h"
