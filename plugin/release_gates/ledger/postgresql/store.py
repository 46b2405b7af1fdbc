"""The ledger in PostgreSQL: append-only by grants and triggers, one writer at a time by an advisory lock."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING

from release_gates.errors import LedgerError
from release_gates.ledger.chain import START, Damage, Row, damage, to_row
from release_gates.ledger.links import event_of, next_event, whole
from release_gates.ledger.postgresql.address import Address, address_of, check_packages, engine_of
from release_gates.ledger.postgresql.faults import ledger_fault
from release_gates.ledger.postgresql.layout import TURN, events_table, is_absent, layout_faults
from release_gates.ledger.postgresql.roles import check_role
from release_gates.model.event import Event, Fact

if TYPE_CHECKING:
    from sqlalchemy import Connection

BUSY_S = 30.0
"""So long a writer waits for the others."""

SETTLE_TRIES, SETTLE_PAUSE_S = 10, 1.0
"""How often, and with what pause, a lost connection's last event is looked for."""

_LIMITS = """SELECT set_config('lock_timeout', %s, true), set_config('statement_timeout', '2min', true),
    set_config('idle_in_transaction_session_timeout', '5min', true),
    set_config('synchronous_commit', CASE WHEN current_setting('synchronous_commit') IN ('off', 'local')
        THEN 'on' ELSE current_setting('synchronous_commit') END, true)"""


class PostgresLedger:
    """A ledger that many hosts share (see ``release_gates.ledger.protocol.Ledger``).

    ``local`` is true as long as nobody signs its events: whoever may append can append any verdict.
    """

    local = True

    def __init__(self, address: Address) -> None:
        self._address = address
        self._place = address.shown
        self._engine = engine_of(address)
        self.url = address.url.set(drivername="postgresql").render_as_string(hide_password=False)

    @classmethod
    def open(cls, url: str) -> PostgresLedger:
        """Open a ledger; ``LedgerError`` if it is absent, unfit, or this role may do more than append."""
        check_packages()
        ledger = cls(address_of(url))
        with ledger.connection() as connection:
            if is_absent(connection):
                raise _absent(ledger._place)
            if faults := list(layout_faults(connection)):
                raise unfit(ledger._place, faults)
            check_role(ledger._place, connection)
        return ledger

    def append(self, fact: Fact, *, at: datetime) -> Event:
        """Append one fact; ``LedgerError`` where the store or the clock refuses."""
        return self._append(lambda _connection: fact, at)

    def append_after(self, decide: Callable[[Sequence[Event]], Fact], *, at: datetime) -> Event:
        """Append what ``decide`` makes of all events so far, in one transaction.

        The whole chain is verified first: from a damaged one nothing is decided. ``decide`` is called once.
        """
        return self._append(lambda connection: decide(whole(self._place, list(_rows(connection)))), at)

    def events(self) -> Iterator[Event]:
        """Yield every event, the oldest first; ``LedgerError`` for one that cannot be read."""
        with self.connection() as connection:
            rows = list(_rows(connection))
        yield from (event_of(self._place, row) for row in rows)

    def head(self) -> str:
        """Return the digest of the last event, 64 zeros for none."""
        with self.connection() as connection:
            last = _last(connection)
        return last.digest if last else START

    def verify(self, *, heads: Sequence[str] = ()) -> tuple[Damage, ...]:
        """Return all damage, that of the store (its layout, its rights) first."""
        with self.connection() as connection:
            store = [Damage(0, f"the store was changed: {fault}") for fault in layout_faults(connection)]
            return (*store, *damage(_rows(connection), heads))

    def _append(self, make: Callable[[Connection], Fact], at: datetime) -> Event:
        """Append what ``make`` returns, while nobody else appends; a step that fails changes nothing.

        Only the commit itself can fail and yet have been done.
        """
        event = None
        try:
            with self.connection() as connection:
                _take_turn(connection)
                fact = make(connection)
                new = next_event(self._place, _last(connection), fact, at)
                _insert(self._place, connection, to_row(new))
                event = new
                connection.commit()
        except LedgerError as error:
            if event is None:
                raise
            self._settle(event, error)
        assert event is not None
        return event

    def _settle(self, event: Event, lost: LedgerError) -> None:
        """Find out whether an event was written whose commit was not answered; return only if it was.

        Whoever has the turn knows: the transaction that was lost held it until it ended.
        """
        for attempt in range(SETTLE_TRIES):
            time.sleep(SETTLE_PAUSE_S if attempt else 0)
            try:
                with self.connection() as connection:
                    _take_turn(connection)
                    if _is_standby(connection):
                        continue  # it may not have heard of the event yet
                    written = to_row(event) in _rows(connection, since=event.seq)
            except LedgerError:
                continue
            if written:
                return
            raise LedgerError(
                f"{self._place}: the connection was lost; event {event.seq} was not written ({lost.message})",
                slug="ledger-unreachable",
                hint="Run again.",
            )
        raise LedgerError(
            f"{self._place}: the connection was lost while event {event.seq} was written, and whether it is "
            f"in the ledger cannot be found out now ({lost.message})",
            slug="ledger-in-doubt",
            hint="See what `release-gates status` says once the server answers, before you run again.",
        )

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """Lend a connection in a transaction that is rolled back unless it was committed."""
        from sqlalchemy.exc import SQLAlchemyError

        try:
            with self._engine.connect() as connection:
                yield connection
        except SQLAlchemyError as error:
            secret = self._address.url.password or ""
            raise ledger_fault(self._place, error, secret=str(secret)) from error


def unfit(place: str, faults: Sequence[str]) -> LedgerError:
    """Return the ``LedgerError`` for a database whose ledger is not as release-gates made it."""
    return LedgerError(
        f"{place}: is no ledger of this version: {'; '.join(faults)}.",
        slug="ledger-layout",
        hint="Use the release-gates that made it, or bring it back from its backup.",
    )


def _absent(place: str) -> LedgerError:
    return LedgerError(
        f"{place}: there is no ledger.",
        slug="ledger-absent",
        hint="Bring it back from its backup; its owner makes a new one: "
        "`release-gates ledger init URL --writer ROLE`.",
    )


def _take_turn(connection: Connection) -> None:
    # A plain statement, not the INSERT, has to wait: what it reads afterwards is newer than the last commit.
    connection.exec_driver_sql(_LIMITS, (f"{int(BUSY_S * 1000)}ms",))
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({TURN})")


def _insert(place: str, connection: Connection, row: Row) -> None:
    values = {"seq": row.seq, "kind": row.kind, "body": row.body.decode(), "digest": row.digest}
    table = events_table()
    written = connection.execute(table.insert().returning(table.c.digest), values).scalars().all()
    if written != [row.digest]:
        raise unfit(place, ["something in it drops events that are appended"])


def _is_standby(connection: Connection) -> bool:
    return bool(connection.exec_driver_sql("SELECT pg_is_in_recovery()").scalar_one())


def _rows(connection: Connection, *, since: int | None = None) -> Iterator[Row]:
    table = events_table()
    query = table.select().order_by(table.c.seq)
    if since is not None:
        query = query.where(table.c.seq >= since)
    return (_row(values) for values in connection.execute(query))


def _last(connection: Connection) -> Row | None:
    table = events_table()
    values = connection.execute(table.select().order_by(table.c.seq.desc()).limit(1)).one_or_none()
    return _row(values) if values else None


def _row(values: Sequence[object]) -> Row:
    """Return a row whatever its columns hold: what is no text fits no digest."""
    seq, kind, body, digest = values
    return Row(seq if isinstance(seq, int) else -1, str(kind), str(body).encode(), str(digest))
