"""A piece of the chain as a file: one event a line, each naming the digest of the one before it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from release_gates.ledger.chain import START, Row, damage, to_event, to_row
from release_gates.model.event import Event


def segment_bytes(events: Iterable[Event]) -> bytes:
    """Return consecutive events as lines of canonical JSON."""
    return b"".join(to_row(event).body + b"\n" for event in events)


def read_segment(data: bytes) -> tuple[Event, ...]:
    """Return the events of a piece of a chain, which follow each other without a gap; else ``ValueError``.

    The first one's own ``prev`` is believed: whoever wants to know what came before needs that piece too.
    """
    if not data.endswith(b"\n"):
        raise ValueError("its last event has no end")
    try:
        events = tuple(to_event(Row(0, "", line, "")) for line in data[:-1].split(b"\n"))
    except RecursionError:
        raise ValueError("an event is nested too deeply") from None
    first = events[0]
    if first.seq < 1 or (first.seq == 1 and first.prev != START):
        raise ValueError(f"event {first.seq} cannot be the first of a ledger")
    before = Row(first.seq - 1, "", b"", first.prev)
    for found in damage((to_row(event) for event in events), after=before):
        raise ValueError(found.sentence)
    return events


def about_run(events: Iterable[Event], run: str) -> tuple[Event, ...]:
    """Return every event that names a run, or a deployment that named it, whatever kind it is of."""
    names = {run}
    found = []
    for event in events:
        named = (getattr(event.fact, key, "") for key in ("run", "deployment"))
        own = {name for name in named if isinstance(name, str) and name}
        if own & names:
            names |= own
            found.append(event)
    return tuple(found)


def piece(events: Sequence[Event], first: int, last: int) -> tuple[Event, ...]:
    """Return the events from number ``first`` to number ``last``."""
    return tuple(event for event in events if first <= event.seq <= last)
