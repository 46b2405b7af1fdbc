"""What SQLite could not do, in words that help."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from release_gates.errors import LedgerError

_BACKUP = "`release-gates verify` names what is damaged; bring the ledger back from its backup."

# By the beginning of SQLite's error name (https://sqlite.org/rescode.html): sentence, slug, hint.
_FAULTS: tuple[tuple[str, str, str, str], ...] = (
    ("SQLITE_FULL", "there is no room left on its disk", "ledger-disk-full", "Make room and run again."),
    (
        "SQLITE_READONLY",
        "it cannot be written",
        "ledger-read-only",
        "Give this user the right to write the file and its folder.",
    ),
    (
        "SQLITE_CANTOPEN",
        "it cannot be opened",
        "ledger-unreadable",
        "Check that it is a file, and that this user may read and write it and its folder.",
    ),
    ("SQLITE_NOTADB", "is not a ledger", "not-a-ledger", "Name the right file by --gate-ledger."),
    ("SQLITE_CORRUPT", "its file is damaged", "ledger-damaged", _BACKUP),
    (
        "SQLITE_BUSY",
        "another process kept it locked for too long",
        "ledger-busy",
        "See who uses it (fuser FILE), and run again.",
    ),
)


def ledger_fault(path: Path, error: sqlite3.Error) -> LedgerError:
    """Return the ``LedgerError`` for what SQLite said of a ledger file."""
    name = getattr(error, "sqlite_errorname", "")
    for prefix, sentence, slug, hint in _FAULTS:
        if name.startswith(prefix):
            return LedgerError(f"{path}: {sentence} ({error}).", slug=slug, hint=hint)
    return LedgerError(
        f"{path}: {error}.",
        slug="ledger-unusable",
        hint="Check the disk, and that the file is a ledger (`release-gates verify`).",
    )


def ledger_damaged(place: str, sentence: str) -> LedgerError:
    """Return the ``LedgerError`` for a chain that does not hold."""
    return LedgerError(f"{place}: {sentence}.", slug="ledger-damaged", hint=_BACKUP)


def clock_back(place: str, now: str, last: str) -> LedgerError:
    """Return the ``LedgerError`` for a clock that stands before the last event."""
    return LedgerError(
        f"{place}: the clock says {now} UTC, the last event is of {last} UTC.",
        slug="ledger-clock-back",
        hint="Set the clock right (chronyc tracking) and run again.",
    )
