"""Which ledger a text names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from release_gates.errors import LedgerError
from release_gates.ledger.postgresql.address import SCHEME
from release_gates.ledger.postgresql.store import PostgresLedger
from release_gates.ledger.protocol import Ledger
from release_gates.ledger.sqlite import SqliteLedger

DEFAULT = "ledger.db"
VARIABLE = "GATE_LEDGER"

_PASSWORDS = (
    (re.compile(r"(://[^@]*?):.*@", re.DOTALL), r"\1:***@"),
    (re.compile(r"((?:password|passwd|pwd)=)[^&\s]*", re.IGNORECASE), r"\1***"),
)


def open_ledger(url: str | None, *, base: Path, state: Path, create: bool = False) -> Ledger:
    """Open the ledger that ``url`` names, or the default one in ``state``, which is made when absent.

    ``url`` is a path (relative to ``base``), ``sqlite:///path`` or ``postgresql://…``. One that somebody
    configured and that is absent is a ``LedgerError`` unless ``create``: it may have been lost, and with it
    every FAIL. One in PostgreSQL is never made here: its owner does (``ledger.postgresql.making``).
    """
    if url is None:
        return SqliteLedger.open(state / DEFAULT, create=True)
    scheme, separator, rest = url.partition("://")
    if separator and scheme == SCHEME:
        return PostgresLedger.open(url)
    if separator and scheme != "sqlite":
        raise LedgerError(  # the rest of the address may hold a password
            f"there is no ledger store for '{scheme}'.",
            slug="unknown-ledger",
            hint="Name a file, sqlite:///path/ledger.db or postgresql://user@host/database.",
        )
    return SqliteLedger.open(base / (rest.removeprefix("/") if separator else url), create=create)


def told_to_child(url: str) -> tuple[list[str], dict[str, str]]:
    """Return the arguments and the variables that name a ledger to a pytest of ours.

    One on a server goes by a variable: anybody on the host may read arguments, and it may hold a password.
    A value is in the word of its option: pytest looks for its ini file around paths that stand alone.
    """
    if url.startswith(f"{SCHEME}://"):
        return [], {VARIABLE: url}
    return [f"--gate-ledger={url}"], {}


def without_passwords(words: Sequence[str]) -> tuple[str, ...]:
    """Return a command's words as evidence may keep them."""
    return tuple(map(_without_password, words))


def _without_password(word: str) -> str:
    for pattern, shown in _PASSWORDS:
        word = pattern.sub(shown, word)
    return word
