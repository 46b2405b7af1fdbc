"""What a shorter route left open: until when the normal route has to pass for what is live."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from msgspec import UNSET

from release_gates.ledger.history import live_in, live_since, runs
from release_gates.model.candidate import ReleaseCandidate
from release_gates.model.event import Event, Live, Promoted


@dataclass(frozen=True, slots=True, kw_only=True)
class Owed:
    """A candidate is live by a route that did not ask for everything. ``due`` is the last moment."""

    environment: str
    candidate: ReleaseCandidate
    route: str
    seq: int
    due: datetime

    def overdue(self, now: datetime) -> bool:
        """Tell whether it should have passed by now."""
        return now > self.due

    def sentence(self, now: datetime) -> str:
        """Return what is open, and since when or until when."""
        name = f"{self.candidate.name} {self.candidate.version}"
        return (
            f"{name} entered {self.environment} on route {self.route}; a PROMOTE on the normal route for the "
            f"same digests {'was' if self.overdue(now) else 'is'} due by {self.due:%Y-%m-%d %H:%M} UTC"
        )


def owed(events: Sequence[Event], environment: str) -> Owed | None:
    """Return what is open for what is live in an environment; None where nothing is.

    Paid by a PROMOTE of the same digests on the normal route that is decided after the promotion and counts.
    """
    since = live_since(events, environment)
    event = next((each for each in events if each.seq == since), None)
    if event is None or not isinstance(event.fact, Promoted):
        return None
    fact, route, within_s = event.fact, event.fact.route, event.fact.full_within_s
    if route is UNSET:
        return None
    for view in runs(events):
        verdict = view.verdict
        if (
            verdict is not None
            and view.promotes
            and not view.observed
            and verdict.route is UNSET
            and view.verdict_seq > event.seq
            and (verdict.environment, verdict.candidate.digest) == (environment, fact.candidate.digest)
        ):
            return None
    return Owed(
        environment=environment,
        candidate=fact.candidate,
        route=route,
        seq=event.seq,
        due=event.at + timedelta(seconds=0.0 if within_s is UNSET else within_s),
    )


def compared_with(events: Sequence[Event], environment: str, candidate: str) -> Live | None:
    """Return the live build that a candidate's digest is measured beside; None if the ledger does not know.

    What entered on a shorter route is measured beside what was live before it: beside itself it would be no
    slower than it is.
    """
    debt = owed(events, environment)
    if debt is None or debt.candidate.digest != candidate:
        return live_in(events, environment)
    return live_in([event for event in events if event.seq < debt.seq], environment)
