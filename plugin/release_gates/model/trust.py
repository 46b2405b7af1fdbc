"""Whose signature counts for what: keys of machines or of persons, never both; identities of workflows."""

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


class Signatory(Record, frozen=True, kw_only=True):
    """Whoever may sign, and what for. No ``environments`` means all of them.

    ``valid_from`` is the first day and ``valid_until`` the last, both in UTC.
    """

    name: str
    holder: Holder
    roles: tuple[str, ...]
    person: str = ""
    environments: tuple[str, ...] = ()
    valid_from: date
    valid_until: date

    def may(self, role: str, environment: str) -> bool:
        """Tell whether it has a role for an environment, and is of the kind that may have it."""
        return (
            role in self.roles
            and HOLDER_OF.get(role) == self.holder
            and (not self.environments or environment in self.environments)
        )

    def is_valid(self, at: datetime) -> bool:
        """Tell whether a moment lies within its days."""
        return self.valid_from <= at.astimezone(UTC).date() <= self.valid_until


class TrustedKey(Signatory, frozen=True, kw_only=True):
    """One public key (Ed25519, 64 hexadecimal digits)."""

    public: str

    @property
    def title(self) -> str:
        """Return how sentences name it."""
        return f"key {self.name}"

    @property
    def proof(self) -> tuple[str, ...]:
        """Return what a signature has to show."""
        return (self.public, self.holder, self.person)


class TrustedIdentity(Signatory, frozen=True, kw_only=True):
    """A workflow, by what sigstore's certificate says of it: always a machine.

    ``issuer`` vouched for it, ``workflow`` is the URI of its file at a revision, ``repository`` ran it for
    ``ref`` because of ``trigger``. Each is the whole text.
    """

    holder: Literal["machine"] = "machine"
    issuer: str
    workflow: str
    repository: str
    ref: str
    trigger: str

    @property
    def title(self) -> str:
        """Return how sentences name it."""
        return f"identity {self.name}"

    @property
    def proof(self) -> tuple[str, ...]:
        """Return what a certificate has to say."""
        return (self.issuer, self.workflow, self.repository, self.ref, self.trigger)


class Trust(Record, frozen=True, kw_only=True):
    """Every key and identity that ``gates/trust.toml`` names.

    ``trusted_root`` is the text of ``gates/trusted_root.json``: whom sigstore's certificates and logs are
    believed from. Without it no identity is.
    """

    keys: tuple[TrustedKey, ...] = ()
    identities: tuple[TrustedIdentity, ...] = ()
    trusted_root: str = ""

    @property
    def signatories(self) -> tuple[TrustedKey | TrustedIdentity, ...]:
        """Return all who may sign something."""
        return (*self.keys, *self.identities)

    def key(self, public: str) -> TrustedKey | None:
        """Return the key, or None for one that nobody named."""
        return next((key for key in self.keys if key.public == public), None)
