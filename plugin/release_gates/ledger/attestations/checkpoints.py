"""A machine's signature of where the ledger is."""

from __future__ import annotations

from datetime import datetime

import msgspec

from release_gates.errors import TrustError
from release_gates.ledger.attestations.opening import opened
from release_gates.model.attestation import LEDGER_CHECKPOINT, STATEMENT, Resource, Statement
from release_gates.model.checkpoint import Checkpoint, Noted, SignedCheckpoint
from release_gates.model.record import CLOCK_TOLERANCE, SCHEMA, canonical
from release_gates.model.trust import HOLDER_OF, Trust

ROLE = "checkpoint"


def asks_signed_checkpoints(trust: Trust) -> bool:
    """Tell whether checkpoints count only if they are signed: some key is there to sign them."""
    return any(ROLE in key.roles for key in trust.keys)


def checkpoint_statement(made: Checkpoint, signed: datetime) -> bytes:
    """Return what is signed of a ledger: head, count, time and which ledger it is."""
    return _statement(SignedCheckpoint(checkpoint=made, signed=signed))


def check_signed_checkpoint(line: bytes, name: str, trust: Trust, *, now: datetime) -> Noted:
    """Return a checkpoint that a machine's key of that role signed in its days; else ``TrustError``."""
    payload, key, _ = opened(line, trust)
    said = _said(payload)
    if said.signed.tzinfo is None or said.signed > now + CLOCK_TOLERANCE:
        raise _unfit(f"it says that it was signed at {said.signed}, which is in the future")
    if ROLE not in key.roles or key.holder != HOLDER_OF[ROLE]:
        raise TrustError(
            f"key {key.name}, of a {key.holder} with the role(s) {', '.join(key.roles)}, may not sign it.",
            slug="key-role",
            hint="",
        )
    if not key.is_valid(said.signed):
        raise TrustError(
            f"key {key.name} is valid from {key.valid_from} to {key.valid_until}, and it was signed on "
            f"{said.signed:%Y-%m-%d}.",
            slug="key-expired",
            hint="",
        )
    return Noted(checkpoint=said.checkpoint, name=name, key=key)


def _said(payload: bytes) -> SignedCheckpoint:
    try:
        statement = msgspec.json.decode(payload, type=Statement)
        if statement.predicate_type != LEDGER_CHECKPOINT:
            raise _unfit("it is no checkpoint")
        said = msgspec.json.decode(statement.predicate, type=SignedCheckpoint)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        raise _unfit("it is not as release-gates writes it") from None
    if said.checkpoint.schema != SCHEMA or _statement(said) != payload:
        raise _unfit("it is not as release-gates writes it")
    return said


def _statement(said: SignedCheckpoint) -> bytes:
    return canonical(
        {
            "_type": STATEMENT,
            "subject": (Resource(name="ledger", digest={"sha256": said.checkpoint.digest}),),
            "predicateType": LEDGER_CHECKPOINT,
            "predicate": said,
        }
    )


def _unfit(why: str) -> TrustError:
    return TrustError(f"{why}.", slug="attestation-unfit", hint="")
