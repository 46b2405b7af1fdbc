"""A note, kept outside, of where the ledger was once: by it a ledger that was rewound or rebuilt is found."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated

import msgspec

from release_gates.errors import LedgerError
from release_gates.ledger.chain import Damage, to_row
from release_gates.ledger.protocol import Ledger
from release_gates.model.event import Event
from release_gates.model.record import SCHEMA

MOST_BYTES = 10_000


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Number, time and digest of an event that was the ledger's last; the digest covers all before it."""

    schema: int = SCHEMA
    seq: Annotated[int, msgspec.Meta(ge=1)]
    at: datetime
    digest: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]


def read_checkpoint(path: Path) -> Checkpoint:
    """Return what a file says; ``LedgerError`` if it is absent or no checkpoint."""
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
        found = msgspec.json.decode(data, type=Checkpoint)
        if found.schema != SCHEMA or len(data) > MOST_BYTES:
            raise ValueError(f"it has schema {found.schema}; this version reads {SCHEMA}")
    except (OSError, ValueError, RecursionError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise LedgerError(
            f"{path}: cannot be read as a checkpoint ({why}).",
            slug="checkpoint-unreadable",
            hint="Bring it back from where it is kept; without it nobody knows if the ledger was rewound.",
        ) from error
    return found


def contradictions(path: Path, events: Iterable[Event]) -> Iterator[Damage]:
    """Yield how a whole chain contradicts the checkpoint in a file, if it does."""
    seen = read_checkpoint(path)
    last = 0
    for event in events:
        last = event.seq
        if last == seen.seq:
            digest = to_row(event).digest
            if digest != seen.digest:
                yield Damage(
                    last,
                    f"event {last} has the digest {digest[:16]}…, and {path.name} noted "
                    f"{seen.digest[:16]}… for it: the ledger was rebuilt, or is another one",
                )
            return
    yield Damage(
        last + 1,
        f"the ledger ends with event {last}, and {path.name} noted event {seen.seq} "
        f"({seen.digest[:16]}…, {seen.at:%Y-%m-%d %H:%M} UTC): it was rewound, or is another one",
    )


def check_checkpoint(path: Path, events: Iterable[Event]) -> None:
    """Raise ``LedgerError`` if a ledger does not hold what a checkpoint noted."""
    for found in contradictions(path, events):
        raise LedgerError(
            f"{found.sentence}.",
            slug="ledger-rewound",
            hint="Bring the ledger back from its backup, or name the right one; nothing moves until then.",
        )


def write_checkpoint(path: Path, ledger: Ledger) -> Checkpoint:
    """Note where the ledger is now, in place of an older note that it still holds; else ``LedgerError``.

    The file is replaced as a whole, and only from a ledger without damage.
    """
    for found in ledger.verify():
        raise LedgerError(
            f"{found.sentence}.",
            slug="ledger-damaged",
            hint="`release-gates verify` names all; bring the ledger back from its backup.",
        )
    events = tuple(ledger.events())
    if path.exists():
        check_checkpoint(path, events)
    if not events:
        raise LedgerError(
            "the ledger has no event yet, so there is nothing to note.",
            slug="checkpoint-empty",
            hint="Begin it by `release-gates adopt`, `first-release` or a run.",
        )
    made = Checkpoint(seq=events[-1].seq, at=events[-1].at, digest=to_row(events[-1]).digest)
    _replace(path, msgspec.json.format(msgspec.json.encode(made), indent=2) + b"\n")
    return made


def _replace(path: Path, data: bytes) -> None:
    new = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with new.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except OSError as error:
        new.unlink(missing_ok=True)
        raise LedgerError(
            f"{path}: the checkpoint cannot be written ({error.strerror or error}).",
            slug="checkpoint-unwritable",
            hint="Name a file in a folder where this user may write.",
        ) from error
