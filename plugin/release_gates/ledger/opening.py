"""Which ledger a text names."""

from __future__ import annotations

from pathlib import Path

from release_gates.errors import LedgerError
from release_gates.ledger.protocol import Ledger
from release_gates.ledger.sqlite import SqliteLedger

DEFAULT = "ledger.db"


def open_ledger(url: str | None, *, base: Path, state: Path, create: bool = False) -> Ledger:
    """Open the ledger that ``url`` names, or the default one in ``state``, which is made when absent.

    ``url`` is a path (relative to ``base``) or ``sqlite:///path``. One that somebody configured and that is
    absent is a ``LedgerError`` unless ``create``: it may have been lost, and with it every FAIL.
    """
    if url is None:
        return SqliteLedger.open(state / DEFAULT, create=True)
    scheme, separator, rest = url.partition("://")
    if separator and scheme != "sqlite":
        raise LedgerError(
            f"ledger '{url}': there is no store for '{scheme}'.",
            slug="unknown-ledger",
            hint="Name a file, or sqlite:///path/ledger.db.",
        )
    return SqliteLedger.open(base / (rest.removeprefix("/") if separator else url), create=create)
