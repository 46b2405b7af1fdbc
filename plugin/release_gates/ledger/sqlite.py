"""The ledger in one SQLite file: WAL, triggers that refuse every change, one writer at a time."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from release_gates.errors import LedgerError
from release_gates.ledger.chain import START, Damage, Row, damage, to_row
from release_gates.ledger.faults import ledger_fault
from release_gates.ledger.layout import is_empty, lay_out, layout_faults
from release_gates.ledger.links import event_of, next_event, whole
from release_gates.ledger.storage import network_file_system
from release_gates.model.event import Event, Fact

BUSY_S = 30.0
"""So long a writer waits for the others."""

_ROWS = "SELECT seq, kind, body, digest FROM events ORDER BY seq"


class SqliteLedger:
    """A local, unsigned ledger (see ``release_gates.ledger.protocol.Ledger``)."""

    local = True

    def __init__(self, path: Path) -> None:
        self._path = path
        self.url = f"sqlite:///{path}"

    @classmethod
    def open(cls, path: Path, *, create: bool) -> SqliteLedger:
        """Open a ledger file; ``LedgerError`` if it is absent and not to be made, or unfit."""
        _prepare(path, create=create)
        if kind := network_file_system(path):
            raise LedgerError(
                f"{path}: lies on a network file system ({kind}), where SQLite loses events.",
                slug="ledger-on-network",
                hint="Put it on a local disk: --gate-ledger FILE.",
            )
        ledger = cls(path)
        with ledger._transaction("rwc" if create else "rw") as connection:
            if is_empty(connection):
                _refuse_absent(path, create=create)
                lay_out(connection)
            _check_layout(path, connection)
        return ledger

    def append(self, fact: Fact, *, at: datetime) -> Event:
        """Append one fact; ``LedgerError`` where the store or the clock refuses."""
        with self._transaction() as connection:
            return self._append(connection, fact, at)

    def append_after(self, decide: Callable[[Sequence[Event]], Fact], *, at: datetime) -> Event:
        """Append what ``decide`` makes of all events so far, in one transaction.

        The whole chain is verified first: from a damaged one nothing is decided.
        """
        with self._transaction() as connection:
            before = whole(str(self._path), list(_rows(connection)))
            return self._append(connection, decide(before), at)

    def events(self) -> Iterator[Event]:
        """Yield every event, the oldest first; ``LedgerError`` for one that cannot be read."""
        with self._connection() as connection:
            rows = list(_rows(connection))
        yield from (event_of(str(self._path), row) for row in rows)

    def head(self) -> str:
        """Return the digest of the last event, 64 zeros for none."""
        with self._connection() as connection:
            last = _last(connection)
        return last.digest if last else START

    def verify(self, *, heads: Sequence[str] = ()) -> tuple[Damage, ...]:
        """Return all damage, that of the store (its triggers) first."""
        with self._connection() as connection:
            store = [Damage(0, f"the store was changed: {fault}") for fault in layout_faults(connection)]
            return (*store, *damage(_rows(connection), heads))

    def _append(self, connection: sqlite3.Connection, fact: Fact, at: datetime) -> Event:
        event = next_event(str(self._path), _last(connection), fact, at)
        new = to_row(event)
        connection.execute(
            "INSERT INTO events VALUES (?, ?, ?, ?)", (new.seq, new.kind, new.body.decode(), new.digest)
        )
        return event

    @contextmanager
    def _transaction(self, mode: str = "rw") -> Iterator[sqlite3.Connection]:
        """Hold the one write lock; whatever is raised inside leaves the ledger as it was."""
        with self._connection(mode) as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")

    @contextmanager
    def _connection(self, mode: str = "rw") -> Iterator[sqlite3.Connection]:
        try:
            # mode=rw: a ledger that vanished while we run is an error, not a new and empty one
            with closing(_connected(self._path, mode)) as connection:
                yield connection
        except sqlite3.Error as error:
            raise ledger_fault(self._path, error) from error


def _connected(path: Path, mode: str) -> sqlite3.Connection:
    uri = f"file:{quote(str(path.absolute()))}?mode={mode}"
    connection = sqlite3.connect(uri, uri=True, timeout=BUSY_S, isolation_level=None)
    try:
        connection.text_factory = bytes
        journal = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        if journal != b"wal":
            raise sqlite3.OperationalError(f"its storage cannot hold a write-ahead log (only {journal!r})")
        connection.execute("PRAGMA synchronous = FULL")
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(path: Path, *, create: bool) -> None:
    try:
        if not path.exists():
            _refuse_absent(path, create=create)
            path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LedgerError(
            f"{path}: cannot be reached ({error.strerror or error}).",
            slug="ledger-unreadable",
            hint="Check that its folder is a folder, and that this user may write there.",
        ) from error


def _refuse_absent(path: Path, *, create: bool) -> None:
    if not create:
        raise LedgerError(
            f"{path}: there is no ledger.",
            slug="ledger-absent",
            hint="Bring it back from its backup; a new one begins with `release-gates adopt`.",
        )


def _check_layout(path: Path, connection: sqlite3.Connection) -> None:
    if faults := list(layout_faults(connection)):
        raise LedgerError(
            f"{path}: is no ledger of this version: {'; '.join(faults)}.",
            slug="ledger-layout",
            hint="Use the release-gates that wrote it or its backup; a scratch ledger may be moved away.",
        )


def _rows(connection: sqlite3.Connection) -> Iterator[Row]:
    return (_row(values) for values in connection.execute(_ROWS))


def _last(connection: sqlite3.Connection) -> Row | None:
    values = connection.execute(f"{_ROWS} DESC LIMIT 1").fetchone()
    return _row(values) if values else None


def _row(values: tuple[int, object, object, object]) -> Row:
    """Return a row whatever was put into its columns: what is no text fits no digest."""
    seq, kind, body, digest = values
    return Row(seq, _text(kind), body if isinstance(body, bytes) else _text(body).encode(), _text(digest))


def _text(value: object) -> str:
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else repr(value)
