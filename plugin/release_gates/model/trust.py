"""Whose signature counts for what: public keys of machines and of persons, never both."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Literal

from release_gates.model.record import Record

Holder = Literal["machine", "person"]

HOLDER_OF: dict[str, Holder] = {
    "evidence": "machine",
    "verdict": "machine",
    "rules": "person",
    "approval": "person",
    "checkpoint": "machine",
}
"""Each role of a key with who alone may have it: no machine approves, no person attests measurements."""


_PRIME = 2**255 - 19
_WEAK = {
    *(0, 1, _PRIME - 1),
    2707385501144840649318225287225658788936804267575313519463743609750303402022,
    55188659117513257062467267217118295137698188065244968500265048394206261417927,
}
"""The coordinates of the eight points of small order, under which anybody can sign; zeros are one of them."""


def is_weak(public: str) -> bool:
    """Tell whether 64 hexadecimal digits are a public key (Ed25519) that everybody can sign by."""
    return (int.from_bytes(bytes.fromhex(public), "little") % 2**255) % _PRIME in _WEAK


class TrustedKey(Record, frozen=True, kw_only=True):
    """One public key (Ed25519, 64 hexadecimal digits). No ``environments`` means all of them.

    ``valid_from`` is its first day and ``valid_until`` its last, both in UTC.
    """

    name: str
    public: str
    holder: Holder
    roles: tuple[str, ...]
    person: str = ""
    environments: tuple[str, ...] = ()
    valid_from: date
    valid_until: date

    def may(self, role: str, environment: str) -> bool:
        """Tell whether the key has a role for an environment, and is of the kind that may have it."""
        return (
            role in self.roles
            and HOLDER_OF.get(role) == self.holder
            and (not self.environments or environment in self.environments)
        )

    def is_valid(self, at: datetime) -> bool:
        """Tell whether a moment lies within the days of the key."""
        return self.valid_from <= at.astimezone(UTC).date() <= self.valid_until


class Trust(Record, frozen=True, kw_only=True):
    """Every key that ``gates/trust.toml`` names."""

    keys: tuple[TrustedKey, ...] = ()

    def key(self, public: str) -> TrustedKey | None:
        """Return the key, or None for one that nobody named."""
        return next((key for key in self.keys if key.public == public), None)
