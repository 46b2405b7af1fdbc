"""How a ledger lies in its SQLite file: one table, and triggers that refuse every change."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from functools import cache

LAYOUT = 1
"""Stored as ``user_version``; a file of another layout is refused."""

_SQL = """
CREATE TABLE events (
    seq    INTEGER PRIMARY KEY,
    kind   TEXT NOT NULL,
    body   TEXT NOT NULL,
    digest TEXT NOT NULL UNIQUE
);
CREATE TRIGGER events_no_update BEFORE UPDATE ON events
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER events_no_delete BEFORE DELETE ON events
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER events_in_order BEFORE INSERT ON events
WHEN NEW.seq IS NOT (SELECT COALESCE(MAX(seq), 0) + 1 FROM events)
  OR EXISTS (SELECT 1 FROM events WHERE digest = NEW.digest)
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
"""
# INSERT OR REPLACE removes the rows that it conflicts with (by seq or by digest) and fires no DELETE
# trigger; hence both conditions of events_in_order.


def lay_out(connection: sqlite3.Connection) -> None:
    """Make the table and its triggers; the caller holds the transaction."""
    for statement in _statements():
        connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {LAYOUT}")


def is_empty(connection: sqlite3.Connection) -> bool:
    """Whether the file holds nothing at all."""
    return not _objects(connection)


def layout_faults(connection: sqlite3.Connection) -> Iterator[str]:
    """Yield what a file lacks, or has too much, to be a ledger of this layout."""
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version != LAYOUT:
        yield f"its layout is {version}; this version of release-gates reads {LAYOUT}"
    found, wanted = _objects(connection), _wanted()
    for name in sorted(found.keys() | wanted.keys()):
        if name not in found:
            yield f"{name} is missing"
        elif found[name] != wanted.get(name):
            yield f"{name} is not as release-gates made it"


def _objects(connection: sqlite3.Connection) -> dict[str, str]:
    rows = connection.execute("SELECT type || ' ' || name, COALESCE(sql, '') FROM sqlite_master")
    return {_text(name): _text(sql) for name, sql in rows}


@cache
def _wanted() -> dict[str, str]:
    connection = sqlite3.connect(":memory:")
    try:
        lay_out(connection)
        return _objects(connection)
    finally:
        connection.close()


def _text(value: str | bytes) -> str:
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else value


def _statements() -> Iterator[str]:
    text = ""
    for line in _SQL.strip().splitlines():
        text += line + "\n"
        if sqlite3.complete_statement(text):
            yield text
            text = ""
