"""The shape that every stored type shares: frozen, keyword-only, strict about keys, JSON by msgspec."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Any

import msgspec
import rfc8785

CLOCK_TOLERANCE = timedelta(seconds=60)
"""So far the clocks of two hosts may differ, or one may go back (time servers correct by less)."""

SCHEMA = 1
"""Version of all JSON forms. A reader refuses another one instead of guessing."""


class Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all stored types; equal by value, unknown keys are refused when read."""


def canonical(value: object) -> bytes:
    """Return the canonical JSON of a record (RFC 8785): what digests are taken over.

    A number that JSON cannot hold (NaN, infinity) is refused by ``ValueError``.
    """
    plain: Any = msgspec.to_builtins(value)
    return rfc8785.dumps(plain)


def digest(value: object) -> str:
    """Return the SHA-256 (hex) of a record's canonical JSON."""
    return hashlib.sha256(canonical(value)).hexdigest()
