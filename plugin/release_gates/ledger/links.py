"""What may follow the last event of a chain, whatever store holds it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from release_gates.ledger.chain import START, Row, damage, to_event, to_row
from release_gates.ledger.faults import clock_back, ledger_damaged
from release_gates.model.event import Event, Fact
from release_gates.model.record import CLOCK_TOLERANCE


def next_event(place: str, last: Row | None, fact: Fact, at: datetime) -> Event:
    """Return the event of a fact that follows ``last``, the newest of the ledger at ``place``.

    ``LedgerError`` if that one is damaged, or of a time that the clock says is yet to come.
    """
    if at.tzinfo is None:
        raise ValueError("an event needs a time with a time zone")
    _check_end(place, last, at)
    return Event(
        seq=last.seq + 1 if last else 1,
        at=at.astimezone(UTC),
        prev=last.digest if last else START,
        fact=fact,
    )


def event_of(place: str, row: Row) -> Event:
    """Return the event of a row; ``LedgerError`` if it holds none."""
    try:
        return to_event(row)
    except ValueError as error:
        raise ledger_damaged(place, f"event {row.seq} ({row.kind}) cannot be read: {error}") from error


def whole(place: str, rows: Sequence[Row]) -> tuple[Event, ...]:
    """Return the events of a chain without damage; ``LedgerError`` names the first that there is."""
    for found in damage(rows):
        raise ledger_damaged(place, found.sentence)
    return tuple(event_of(place, row) for row in rows)


def _check_end(place: str, last: Row | None, at: datetime) -> None:
    if last is None:
        return
    event = event_of(place, last)
    if to_row(event) != last:
        raise ledger_damaged(place, f"event {last.seq} ({last.kind}) does not fit its digest")
    if event.at - at > CLOCK_TOLERANCE:
        raise clock_back(place, f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}", f"{event.at:%Y-%m-%d %H:%M:%S}")
