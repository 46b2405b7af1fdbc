"""A new ledger in a database, made by the role that is to own it."""

from __future__ import annotations

from release_gates.ledger.postgresql.address import address_of, check_packages
from release_gates.ledger.postgresql.layout import STATEMENTS, TURN, is_absent, layout_faults
from release_gates.ledger.postgresql.roles import grant
from release_gates.ledger.postgresql.store import PostgresLedger, unfit


def make_ledger(url: str, writer: str) -> tuple[str, bool]:
    """Make a ledger and let ``writer`` append to it, in one transaction; one that is there gets a writer.

    Return what may be shown of its address, and whether it is new. A ``LedgerError`` changes nothing.
    """
    check_packages()
    address = address_of(url)
    with PostgresLedger(address).connection() as connection:
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({TURN})")
        new = is_absent(connection)
        for statement in STATEMENTS if new else ():
            connection.exec_driver_sql(statement)
        grant(address.shown, connection, writer)
        if faults := list(layout_faults(connection)):
            raise unfit(address.shown, faults)
        connection.commit()
    return address.shown, new
