"""A note, kept outside, of where the ledger was once: by it a ledger that was rewound or rebuilt is found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from release_gates.errors import LedgerError, TrustError
from release_gates.ledger.attestations.checkpoints import (
    ROLE,
    asks_signed_checkpoints,
    check_signed_checkpoint,
    checkpoint_statement,
)
from release_gates.ledger.attestations.envelope import sealed
from release_gates.ledger.chain import Damage, to_row
from release_gates.ledger.notes import MOST_BYTES, Kept, Note, unreadable
from release_gates.ledger.protocol import Ledger
from release_gates.model.checkpoint import Checkpoint, Noted
from release_gates.model.event import Event
from release_gates.model.record import SCHEMA
from release_gates.model.trust import Trust

if TYPE_CHECKING:
    from securesystemslib.signer import CryptoSigner

_ENVELOPE = b'{"payload"'


def read_checkpoint(note: Note, trust: Trust, *, now: datetime) -> Noted:
    """Return the newest checkpoint of a place; ``LedgerError`` if there is none, or none that counts.

    One that is signed counts by its key. Where ``trust`` has a key for checkpoints, no other counts.
    """
    kept = note.newest()
    if kept is None:
        raise unreadable(note.name, "there is none")
    found = _noted(kept, trust, now)
    if kept.seq not in (None, found.checkpoint.seq):
        raise unreadable(kept.name, f"it is of event {found.checkpoint.seq}: the tag was moved or copied")
    return found


def contradictions(noted: Noted, events: Iterable[Event]) -> Iterator[Damage]:
    """Yield how a whole chain contradicts a checkpoint, if it does."""
    seen, last = noted.checkpoint, 0
    for event in events:
        last = event.seq
        if last == seen.seq:
            digest = to_row(event).digest
            if digest != seen.digest:
                yield Damage(
                    last,
                    f"event {last} has the digest {digest[:16]}…, and {noted.name} noted "
                    f"{seen.digest[:16]}… for it: the ledger was rebuilt, or is another one",
                )
            return
    yield Damage(
        last + 1,
        f"the ledger ends with event {last}, and {noted.name} noted event {seen.seq} "
        f"({seen.digest[:16]}…, {seen.at:%Y-%m-%d %H:%M} UTC): it was rewound, or is another one",
    )


def check_checkpoint(noted: Noted, events: Iterable[Event]) -> None:
    """Raise ``LedgerError`` if a ledger does not hold what a checkpoint noted."""
    for found in contradictions(noted, events):
        raise LedgerError(
            f"{found.sentence}.",
            slug="ledger-rewound",
            hint="Bring the ledger back from its backup, or name the right one; nothing moves until then.",
        )


def write_checkpoint(
    note: Note, ledger: Ledger, trust: Trust, *, now: datetime, signer: CryptoSigner | None = None
) -> Noted:
    """Note where the ledger is now, beside or in place of an older note that it still holds.

    ``LedgerError`` for a ledger with damage, or a note that would not count: unsigned where signatures are
    asked for, or of a key that may not.
    """
    for found in ledger.verify():
        raise LedgerError(
            f"{found.sentence}.",
            slug="ledger-damaged",
            hint="`release-gates verify` names all; bring the ledger back from its backup.",
        )
    events = tuple(ledger.events())
    if note.newest() is not None:
        older = read_checkpoint(note, trust, now=now)
        check_checkpoint(older, events)
        if events[-1].seq == older.checkpoint.seq:
            return older
    if not events:
        raise LedgerError(
            "the ledger has no event yet, so there is nothing to note.",
            slug="checkpoint-empty",
            hint="Begin it by `release-gates adopt`, `first-release` or a run.",
        )
    made = Checkpoint(
        seq=events[-1].seq,
        at=events[-1].at,
        digest=to_row(events[-1]).digest,
        ledger=to_row(events[0]).digest,
    )
    data = _written(made, signer, now)
    new = _noted(Kept(data, note.name), trust, now)
    return msgspec.structs.replace(new, name=note.write(data, made.seq))


def _written(made: Checkpoint, signer: CryptoSigner | None, now: datetime) -> bytes:
    if signer is not None:
        return sealed(checkpoint_statement(made, now), signer) + b"\n"
    return msgspec.json.format(msgspec.json.encode(made), indent=2) + b"\n"


def _noted(kept: Kept, trust: Trust, now: datetime) -> Noted:
    if len(kept.data) > MOST_BYTES:
        raise unreadable(kept.name, f"it is longer than {MOST_BYTES} bytes")
    if kept.data.startswith(_ENVELOPE):
        try:
            return check_signed_checkpoint(kept.data.removesuffix(b"\n"), kept.name, trust, now=now)
        except TrustError as error:
            raise LedgerError(
                f"{kept.name}: the checkpoint does not count: {error.message}",
                slug=error.slug,
                hint=f"`ledger checkpoint --key KEYFILE`, by a machine's key with the role {ROLE}.",
            ) from None
    noted = Noted(checkpoint=_plain(kept), name=kept.name)
    if asks_signed_checkpoints(trust):
        raise LedgerError(
            f"{kept.name}: the checkpoint is not signed, and gates/trust.toml names a key that signs them.",
            slug="checkpoint-unsigned",
            hint="`release-gates ledger checkpoint --key KEYFILE`, after somebody has seen that it is right.",
        )
    return noted


def _plain(kept: Kept) -> Checkpoint:
    try:
        found = msgspec.json.decode(kept.data, type=Checkpoint)
    except (ValueError, RecursionError) as error:
        raise unreadable(kept.name, ascii(str(error)[:200])) from error
    if found.schema != SCHEMA:
        raise unreadable(kept.name, f"it has schema {found.schema}; this version reads {SCHEMA}")
    return found
