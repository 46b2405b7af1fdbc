"""The hash chain: each event's digest covers its canonical JSON, which names the digest before it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import msgspec

from release_gates.model.event import Event
from release_gates.model.record import SCHEMA, canonical

START = "0" * 64
"""What the first event names as the digest before it."""

_decode = msgspec.json.Decoder(Event).decode


@dataclass(frozen=True, slots=True)
class Row:
    """One stored event: its number, the kind in its column, its canonical JSON and its digest."""

    seq: int
    kind: str
    body: bytes
    digest: str


@dataclass(frozen=True, slots=True)
class Damage:
    """One place where the chain is not as it was written."""

    seq: int
    sentence: str


def to_row(event: Event) -> Row:
    """Return an event in the form that is stored."""
    body = canonical(event)
    return Row(event.seq, kind_of(event), body, hashlib.sha256(body).hexdigest())


def to_event(row: Row) -> Event:
    """Return the event of a row; ``msgspec.MsgspecError`` or ``UnicodeError`` if it holds none."""
    return _decode(row.body)


def kind_of(event: Event) -> str:
    """Return the kind of an event's fact, such as ``run_started``."""
    return str(event.fact.__struct_config__.tag)


def damage(rows: Iterable[Row], heads: Sequence[str] = ()) -> Iterator[Damage]:
    """Yield everything that was changed, removed, inserted or reordered.

    A chain whose tail was cut off, or rewritten from some event on, is consistent in itself: only a
    digest that was seen earlier (``heads``: printed with each verdict) shows that.
    """
    wanted = {head: None for head in heads if head != START}
    before, number = START, 0
    for number, row in enumerate(rows, start=1):
        if hashlib.sha256(row.body).hexdigest() != row.digest:
            yield Damage(
                row.seq, f"event {row.seq} ({row.kind}) was changed: its content does not fit its digest"
            )
        yield from _misplaced(row, number, before)
        before = row.digest
        wanted.pop(row.digest, None)
    for head in wanted:
        yield Damage(
            number + 1,
            f"no event has the digest {head[:16]}…, which was printed once: the end was cut off or rewritten",
        )


def _misplaced(row: Row, number: int, before: str) -> Iterator[Damage]:
    try:
        event = to_event(row)
    except (msgspec.MsgspecError, UnicodeError) as error:
        yield Damage(row.seq, f"event {row.seq} ({row.kind}) is no event: {error}")
        return
    place = f"event {row.seq} ({row.kind}, {event.at:%Y-%m-%d %H:%M:%S} UTC)"
    if event.schema != SCHEMA:
        yield Damage(row.seq, f"{place} has schema {event.schema}; this version reads {SCHEMA}")
    if event.prev != before:
        yield Damage(
            row.seq,
            f"{place} does not follow the event before it: one was removed, inserted, reordered or changed",
        )
    if row.seq != number or event.seq != row.seq:
        yield Damage(row.seq, f"{place} stands at place {number} and says {event.seq}")
    if kind_of(event) != row.kind:
        yield Damage(row.seq, f"{place}: its content is a {kind_of(event)}")
