"""The hash chain: each event's digest covers its canonical JSON, which names the digest before it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from release_gates.model.event import Event
from release_gates.model.record import CLOCK_TOLERANCE, SCHEMA, canonical

START = "0" * 64
"""What the first event names as the digest before it."""

_decode = msgspec.json.Decoder(Event).decode
_encode = msgspec.json.Encoder(order="sorted").encode


@dataclass(frozen=True, slots=True)
class Row:
    """One stored event: its number, the kind in its column, its canonical JSON and its digest."""

    seq: int
    kind: str
    body: bytes
    digest: str


@dataclass(frozen=True, slots=True)
class Damage:
    """One place where the chain is not as it was written; ``seq`` 0 is the store itself."""

    seq: int
    sentence: str


def to_row(event: Event) -> Row:
    """Return an event in the form that is stored."""
    body = canonical(event)
    return Row(event.seq, kind_of(event), body, hashlib.sha256(body).hexdigest())


def to_event(row: Row) -> Event:
    """Return the event of a row; ``ValueError`` says why it holds none.

    Only what ``to_row`` could have written is an event: its canonical JSON, of this schema, in UTC.
    """
    try:
        event = _decode(row.body)
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise ValueError(str(error)) from error
    if event.schema != SCHEMA:
        raise ValueError(f"it has schema {event.schema}; this version reads {SCHEMA}")
    if event.at.utcoffset() != timedelta(0):
        raise ValueError("its time is not in UTC")
    if not _is_canonical(event, row.body):
        raise ValueError("it is not in canonical form")
    return event


def kind_of(event: Event) -> str:
    """Return the kind of an event's fact, such as ``run_started``."""
    return str(event.fact.__struct_config__.tag)


def damage(rows: Iterable[Row], heads: Sequence[str] = (), *, after: Row | None = None) -> Iterator[Damage]:
    """Yield everything that was changed, removed, inserted or reordered; ``after`` is what came before.

    A chain whose tail was cut off, or rewritten from some event on, is consistent in itself: only a
    digest that was seen earlier (``heads``: printed with each verdict) shows that.
    """
    wanted = {head: None for head in heads if head != START}
    last = after or Row(0, "", b"", START)
    at = None
    for row in rows:
        try:
            event = to_event(row)
        except ValueError as error:
            yield from _unreadable(row, last, error)
        else:
            yield from (Damage(row.seq, sentence) for sentence in _faults(row, event, last, at))
            at = event.at
        wanted.pop(row.digest, None)
        last = row
    for head in wanted:
        yield Damage(
            last.seq + 1,
            f"no event has the digest {head[:16]}…, which was printed once: the end was cut off or rewritten",
        )


def _unreadable(row: Row, last: Row, error: ValueError) -> Iterator[Damage]:
    place = f"event {row.seq} ({row.kind})"
    yield Damage(row.seq, f"{place} is no event any more: {error}")
    if row.seq != last.seq + 1:
        yield Damage(row.seq, _gap(place, row, last))


def _faults(row: Row, event: Event, last: Row, at: datetime | None) -> Iterator[str]:
    place = f"event {row.seq} ({kind_of(event)}, {event.at:%Y-%m-%d %H:%M:%S} UTC)"
    if hashlib.sha256(row.body).hexdigest() != row.digest:
        yield f"{place} was changed: its content does not fit its digest"
    if event.prev != last.digest:
        before = f"event {last.seq}" if last.seq else "the beginning"
        yield f"{place} does not follow {before}: one was removed, inserted, reordered or changed"
    if row.seq != last.seq + 1:
        yield _gap(place, row, last)
    if event.seq != row.seq:
        yield f"{place} was moved: it was written as event {event.seq}"
    if kind_of(event) != row.kind:
        yield f"{place}: its column says {row.kind!r}, its content is a {kind_of(event)}"
    if at is not None and at - event.at > CLOCK_TOLERANCE:
        yield f"{place} is older than the event before it, of {at:%Y-%m-%d %H:%M:%S} UTC"


def _gap(place: str, row: Row, last: Row) -> str:
    absent = range(last.seq + 1, row.seq)
    if not absent:
        return f"{place} stands after event {last.seq}"
    which = f"event {absent[0]} is" if len(absent) == 1 else f"events {absent[0]} to {absent[-1]} are"
    return f"{which} missing before {place}"


def _is_canonical(event: Event, body: bytes) -> bool:
    # Sorted encoding is RFC 8785 as long as there is no float, and no event holds one. The exact way is
    # forty times slower, so only what differs goes through it.
    return _encode(event) == body or canonical(event) == body
