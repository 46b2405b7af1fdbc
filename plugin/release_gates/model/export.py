"""What an export says of itself: which period, which piece of which chain, which runs, and what it lacks."""

from __future__ import annotations

from datetime import date

from release_gates.model.record import SCHEMA, Record


class Missing(Record, frozen=True, kw_only=True):
    """A file that belongs into an export and is not there: whose it is, where it was looked for, and why."""

    run: str
    file: str
    because: str


class ExportedRun(Record, frozen=True, kw_only=True):
    """A run by its name and the number of the event by which it began; that number names its folder."""

    run: str
    seq: int

    @property
    def folder(self) -> str:
        """Where the files of the run are."""
        return f"runs/{self.seq:08}"


class Export(Record, frozen=True, kw_only=True):
    """One export: from the first moment of ``since`` to the last of ``until``, in UTC.

    ``ledger`` is the digest of the ledger's first event, ``prev`` that before the event ``first``, ``head``
    that of the event ``last``.
    """

    schema: int = SCHEMA
    since: date
    until: date
    ledger: str
    first: int
    last: int
    prev: str
    head: str
    runs: tuple[ExportedRun, ...]
    missing: tuple[Missing, ...]
