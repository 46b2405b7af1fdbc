"""What a signed line says and who signed it, whichever of the two forms it has."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

import msgspec

from release_gates.ledger.attestations.certified import MEDIA_TYPE, certified
from release_gates.ledger.attestations.envelope import LARGEST_BYTES, unsealed
from release_gates.model.trust import Trust, TrustedIdentity, TrustedKey


class Opened(NamedTuple):
    """A payload that is signed, and by whom.

    ``period`` is when it was signed, if others vouch for that: sigstore's logs, between two moments.
    """

    payload: bytes
    key: TrustedKey | TrustedIdentity
    period: tuple[datetime, datetime] | None = None


class _Kind(msgspec.Struct, frozen=True):
    media_type: str = msgspec.field(name="mediaType", default="")


def opened(line: bytes, trust: Trust) -> Opened:
    """Return what an envelope or a sigstore bundle holds; ``TrustError`` if not by one of ``trust``."""
    if _media_type(line) == MEDIA_TYPE:
        return Opened(*certified(line, trust))
    return Opened(*unsealed(line, trust))


def _media_type(line: bytes) -> str:
    """Return what a line says that it is; nothing for an envelope, what is no JSON, and what is too long."""
    if len(line) > LARGEST_BYTES:
        return ""
    try:
        return msgspec.json.decode(line, type=_Kind).media_type
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return ""
