"""The ledger in one SQLite file: WAL, triggers that refuse every change, one writer at a time."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from release_gates.errors import LedgerError
from release_gates.ledger.chain import START, Damage, Row, damage, to_event, to_row
from release_gates.ledger.storage import network_file_system
from release_gates.model.event import Event, Fact

CLOCK_TOLERANCE = timedelta(seconds=60)
"""So far the clock may go back between two events (time servers correct by less)."""

_SCHEMA = """
CREATE TABLE events (
    seq    INTEGER PRIMARY KEY,
    kind   TEXT NOT NULL,
    body   BLOB NOT NULL,
    digest TEXT NOT NULL UNIQUE
);
CREATE TRIGGER events_no_update BEFORE UPDATE ON events
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER events_no_delete BEFORE DELETE ON events
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER events_in_order BEFORE INSERT ON events
WHEN NEW.seq IS NOT (SELECT COALESCE(MAX(seq), 0) + 1 FROM events)
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
"""


class SqliteLedger:
    """A local, unsigned ledger (see ``release_gates.ledger.protocol.Ledger``)."""

    local = True

    def __init__(self, path: Path) -> None:
        self._path = path
        self.url = f"sqlite:///{path}"

    @classmethod
    def open(cls, path: Path, *, create: bool) -> SqliteLedger:
        """Open a ledger file; ``LedgerError`` if it is absent and not to be made, or unfit."""
        if not path.exists():
            if not create:
                raise LedgerError(
                    f"{path}: there is no ledger.",
                    slug="ledger-absent",
                    hint="Bring it back from its backup; a new one begins with `release-gates adopt`.",
                )
            path.parent.mkdir(parents=True, exist_ok=True)
        if kind := network_file_system(path.parent):
            raise LedgerError(
                f"{path}: lies on a network file system ({kind}), where SQLite loses events.",
                slug="ledger-on-network",
                hint="Put it on a local disk: --gate-ledger FILE.",
            )
        ledger = cls(path)
        with ledger._transaction() as connection:
            if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'events'").fetchone():
                for statement in _statements():
                    connection.execute(statement)
        return ledger

    def append(self, fact: Fact, *, at: datetime) -> Event:
        """Append one fact."""
        with self._transaction() as connection:
            return self._append(connection, fact, at)

    def append_after(self, decide: Callable[[Sequence[Event]], Fact], *, at: datetime) -> Event:
        """Append what ``decide`` makes of all events so far, in one transaction."""
        with self._transaction() as connection:
            return self._append(connection, decide(tuple(map(self._event, _rows(connection)))), at)

    def events(self) -> Iterator[Event]:
        """Yield every event, the oldest first."""
        with self._connection() as connection:
            rows = list(_rows(connection))
        yield from map(self._event, rows)

    def head(self) -> str:
        """Return the digest of the last event."""
        with self._connection() as connection:
            row = connection.execute("SELECT digest FROM events ORDER BY seq DESC LIMIT 1").fetchone()
        return str(row[0]) if row else START

    def verify(self, *, heads: Sequence[str] = ()) -> tuple[Damage, ...]:
        """Return all damage."""
        with self._connection() as connection:
            return tuple(damage(_rows(connection), heads))

    def _append(self, connection: sqlite3.Connection, fact: Fact, at: datetime) -> Event:
        row = connection.execute(
            "SELECT seq, kind, body, digest FROM events ORDER BY seq DESC LIMIT 1"
        ).fetchone()
        last = self._event(Row(*row)) if row else None
        if last is not None and at < last.at - CLOCK_TOLERANCE:
            raise LedgerError(
                f"{self._path}: the clock says {at:%Y-%m-%d %H:%M:%S} UTC, the last event is of "
                f"{last.at:%Y-%m-%d %H:%M:%S}.",
                slug="ledger-clock-back",
                hint="Set the clock right (chronyc tracking) and run again.",
            )
        event = Event(
            seq=last.seq + 1 if last else 1,
            at=at.astimezone(UTC),
            prev=str(row[3]) if row else START,
            fact=fact,
        )
        new = to_row(event)
        connection.execute(
            "INSERT INTO events VALUES (?, ?, ?, ?)", (new.seq, new.kind, new.body, new.digest)
        )
        return event

    def _event(self, row: Row) -> Event:
        try:
            return to_event(row)
        except (msgspec.MsgspecError, UnicodeError) as error:
            raise LedgerError(
                f"{self._path}: event {row.seq} ({row.kind}) cannot be read: {error}.",
                slug="ledger-damaged",
                hint="`release-gates verify` names all damage; bring the ledger back from its backup.",
            ) from error

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._connection() as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        connection = None
        try:
            connection = sqlite3.connect(self._path, timeout=30, isolation_level=None)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            yield connection
        except sqlite3.Error as error:
            raise LedgerError(
                f"{self._path}: {error}.",
                slug="ledger-unusable",
                hint="Is it a ledger, writable, and is there room on the disk?",
            ) from error
        finally:
            if connection is not None:
                connection.close()


def _rows(connection: sqlite3.Connection) -> Iterator[Row]:
    for seq, kind, body, digest in connection.execute(
        "SELECT seq, kind, body, digest FROM events ORDER BY seq"
    ):
        yield Row(seq, kind, body if isinstance(body, bytes) else str(body).encode(), digest)


def _statements() -> list[str]:
    statements, text = [], ""
    for line in _SCHEMA.strip().splitlines():
        text += line + "\n"
        if sqlite3.complete_statement(text):
            statements.append(text)
            text = ""
    return statements
