"""What a shorter route left open: until when the normal route has to pass for what is live."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from msgspec import UNSET

from release_gates.ledger.deployments import entered
from release_gates.ledger.history import live_in
from release_gates.ledger.verified import verified
from release_gates.model.candidate import ReleaseCandidate
from release_gates.model.event import Adopted, Event, FirstRelease, Live, Promoted


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

    Paid by a PROMOTE of the same digests on the normal route that is decided after the promotion and counts,
    and by nothing else: an adoption changes nothing, and what a rollback brings back is due anew.
    """
    told = entered(events, environment)
    if not told or isinstance(last := told[-1][1], FirstRelease):
        return None
    digest = last.candidate.digest
    came = [
        (event, fact)
        for event, fact in told
        if not isinstance(fact, FirstRelease) and fact.candidate.digest == digest
    ]
    entry = next(((event, fact) for event, fact in reversed(came) if isinstance(fact, Promoted)), None)
    if entry is None or (route := entry[1].route) is UNSET:
        return None
    event, fact = entry
    proofs = verified(events, environment, digest)
    if any(view.verdict_seq > event.seq and not view.observed for view, _ in proofs):
        return None
    since = max(each.at for each, how in came if not isinstance(how, Adopted))
    return Owed(
        environment=environment,
        candidate=fact.candidate,
        route=route,
        seq=event.seq,
        due=since + timedelta(seconds=0.0 if fact.full_within_s is UNSET else fact.full_within_s),
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
