"""What a shorter route left open: until when the normal route has to pass for what is live."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from msgspec import UNSET

from release_gates.ledger.deployments import Entered, entered
from release_gates.ledger.history import live_in
from release_gates.ledger.verified import verified
from release_gates.model.candidate import ReleaseCandidate
from release_gates.model.event import Adopted, Event, FirstRelease, Live, Promoted, RolledBack


@dataclass(frozen=True, slots=True, kw_only=True)
class Owed:
    """A candidate is live by a route that did not ask for everything. ``due`` is the last moment.

    What was live before the event ``since`` was proven; everything from there on came on shorter routes.
    """

    environment: str
    candidate: ReleaseCandidate
    route: str
    since: int
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
    and by nothing else: an adoption changes nothing, what a rollback brings back is due anew, and another
    candidate on a shorter route has no more time than the one that it replaces.
    """
    debt: Owed | None = None
    told = entered(events, environment)
    debts: dict[int, Owed] = {}
    for number, (_, fact) in enumerate(told, start=1):
        entry = None if isinstance(fact, FirstRelease) else _unpaid(events, told[:number], fact.candidate)
        debt = None if entry is None else _follows(entry, told[:number], debt, debts)
    return debt


def _unpaid(
    events: Sequence[Event], told: Sequence[tuple[Event, Entered]], candidate: ReleaseCandidate
) -> tuple[Event, Promoted] | None:
    """Return how a candidate was promoted last, if on a shorter route for which nothing has paid."""
    came = [
        (event, fact)
        for event, fact in reversed(told)
        if isinstance(fact, Promoted) and fact.candidate.digest == candidate.digest
    ]
    if not came or came[0][1].route is UNSET:
        return None
    event, fact = came[0]
    proofs = verified(events, fact.environment, candidate.digest)
    paid = any(view.verdict_seq > event.seq and not view.observed for view, _ in proofs)
    return None if paid else (event, fact)


def _follows(
    entry: tuple[Event, Promoted],
    told: Sequence[tuple[Event, Entered]],
    last: Owed | None,
    debts: dict[int, Owed],
) -> Owed:
    """Return what the newest of ``told`` owes, after what was owed before it; ``debts`` are all so far."""
    event, fact = entry
    since = max(
        each.at
        for each, how in told
        if not isinstance(how, (Adopted, FirstRelease)) and how.candidate.digest == fact.candidate.digest
    )
    due = since + timedelta(seconds=0.0 if fact.full_within_s is UNSET else fact.full_within_s)
    goes_on = last is not None and not isinstance(told[-1][1], RolledBack)
    known = last or debts.get(event.seq)
    debts[event.seq] = Owed(
        environment=fact.environment,
        candidate=fact.candidate,
        route=fact.route or "",
        since=known.since if known else event.seq,
        due=min(due, last.due) if last is not None and goes_on else due,
    )
    return debts[event.seq]


def compared_with(events: Sequence[Event], environment: str, candidate: str) -> Live | None:
    """Return the live build that a candidate's digest is measured beside; None if the ledger does not know.

    That is the last that was proven: what entered on a shorter route would be no slower than itself, and
    whatever comes after it no slower than what nobody measured. Where nothing was live before it, another
    candidate is measured beside it all the same.
    """
    live, debt = live_in(events, environment), owed(events, environment)
    if debt is None:
        return live
    before = live_in([event for event in events if event.seq < debt.since], environment)
    nothing = before is None or before.candidate is None
    return live if nothing and debt.candidate.digest != candidate else before
