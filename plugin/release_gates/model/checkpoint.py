"""Where a ledger was once, and who says so."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec

from release_gates.model.record import SCHEMA, Record
from release_gates.model.trust import TrustedIdentity, TrustedKey

Sha256 = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]


class Checkpoint(Record, frozen=True, kw_only=True):
    """Number, time and digest of an event that was the ledger's last; the digest covers all before it.

    ``ledger`` is the digest of its first event, by which one ledger is told from another; "" in notes that
    are older than the field. The number is that of all events as well: they are counted from 1.
    """

    schema: int = SCHEMA
    seq: Annotated[int, msgspec.Meta(ge=1)]
    at: datetime
    digest: Sha256
    ledger: Annotated[str, msgspec.Meta(pattern="^([0-9a-f]{64})?$")] = ""


class SignedCheckpoint(Record, frozen=True, kw_only=True):
    """What a machine signs of a ledger; the subject of its statement is the last event's digest."""

    checkpoint: Checkpoint
    signed: datetime


class Noted(Record, frozen=True, kw_only=True):
    """A checkpoint as it was read: ``name`` is where it stands, ``key`` who signed it, None for nobody."""

    checkpoint: Checkpoint
    name: str
    key: TrustedKey | TrustedIdentity | None = None
