"""Who may do what in a ledger's database: the owner makes it, writers append and read, nobody changes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from release_gates.errors import LedgerError
from release_gates.ledger.postgresql.layout import NAME

if TYPE_CHECKING:
    from sqlalchemy import Connection

ROLE = re.compile(r"[A-Za-z_][\w$.-]{0,62}", re.ASCII)

# A superuser is a member of every role, and up to PostgreSQL 15 CREATEROLE can join any other.
_MIGHT = f"""SELECT r.rolname, r.rolsuper, r.rolcreaterole OR EXISTS (
        SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_database d ON d.datname = current_database()
        LEFT JOIN pg_proc p ON p.pronamespace = n.oid
        WHERE n.nspname = '{NAME}' AND c.relname = 'events' AND (
            pg_has_role(r.oid, c.relowner, 'MEMBER') OR pg_has_role(r.oid, n.nspowner, 'MEMBER')
            OR pg_has_role(r.oid, d.datdba, 'MEMBER') OR pg_has_role(r.oid, p.proowner, 'MEMBER')))
    FROM pg_roles r WHERE r.rolname = """  # noqa: S608 - names of ours alone


def check_role(place: str, connection: Connection, role: str | None = None) -> None:
    """Raise ``LedgerError`` if a role, by default the connection's own, could take the triggers away."""
    if role is None:
        found = connection.exec_driver_sql(_MIGHT + "session_user").one_or_none()
    else:
        found = connection.exec_driver_sql(_MIGHT + "%s", (role,)).one_or_none()
    if found is None:
        raise _refused(place, f"there is no role '{role}'", f'CREATE ROLE "{role}" LOGIN; then run again.')
    name, is_super, owns = found
    if is_super or owns:
        why = "is a superuser" if is_super else "owns the ledger or may take its owner's place"
        raise _refused(
            place,
            f"role '{name}' {why}: it could change what was written",
            "Let those who decide connect as a role that may append and read: "
            "release-gates ledger init URL --writer ROLE.",
        )


def grant(place: str, connection: Connection, writer: str) -> None:
    """Let a role append and read; ``LedgerError`` if it is not there, or may do more than that."""
    if not ROLE.fullmatch(writer):
        raise _refused(place, f"{writer!r} is no name of a role", "Use letters, digits, _ $ . and -.")
    check_role(place, connection, writer)
    connection.exec_driver_sql(f'GRANT USAGE ON SCHEMA {NAME} TO "{writer}"')
    connection.exec_driver_sql(f'GRANT SELECT, INSERT ON TABLE {NAME}.events TO "{writer}"')


def _refused(place: str, sentence: str, hint: str) -> LedgerError:
    return LedgerError(f"{place}: {sentence}.", slug="ledger-role", hint=hint)
