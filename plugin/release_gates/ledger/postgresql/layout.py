"""How a ledger lies in its database: one table in its own schema, and triggers that refuse every change."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING

from release_gates.model.record import SCHEMA

if TYPE_CHECKING:
    from sqlalchemy import Connection, Table

LAYOUT = 1
"""Stands in the schema's comment; a ledger of another layout is refused."""

NAME = "release_gates"
TURN = 5_214_786_033_961_473_812
"""The advisory lock that a writer holds from before it reads the last event until its own is committed."""

_COMMENT = f"release-gates ledger, layout {LAYOUT}"
_REFUSE = "\nBEGIN\n    RAISE EXCEPTION 'the ledger is append-only' USING ERRCODE = '23000';\nEND\n"
# The lock is taken here as well, so that a writer that is not release-gates cannot fork the chain. How a body
# in canonical JSON ends is known: prev, schema and seq are the last of its keys.
_IN_ORDER = f"""
DECLARE
    last record;
    ending text;
BEGIN
    PERFORM pg_advisory_xact_lock({TURN});
    SELECT * INTO last FROM {NAME}.events ORDER BY seq DESC LIMIT 1;
    ending := ',"prev":"' || COALESCE(last.digest, repeat('0', 64))
        || '","schema":{SCHEMA},"seq":' || NEW.seq || '}}';
    IF NEW.seq IS DISTINCT FROM COALESCE(last.seq, 0) + 1
        OR right(NEW.body, length(ending)) IS DISTINCT FROM ending
        OR NEW.digest IS DISTINCT FROM encode(sha256(convert_to(NEW.body, 'UTF8')), 'hex')
    THEN
        RAISE EXCEPTION 'the ledger is append-only: no event that follows the last' USING ERRCODE = '23000';
    END IF;
    RETURN NEW;
END
"""  # noqa: S608 - names of ours alone

STATEMENTS = (
    f"CREATE SCHEMA {NAME}",
    f"REVOKE ALL ON SCHEMA {NAME} FROM PUBLIC",
    f"CREATE TABLE {NAME}.events (seq bigint PRIMARY KEY, kind text NOT NULL, body text NOT NULL, "
    "digest text NOT NULL UNIQUE)",
    f"REVOKE ALL ON TABLE {NAME}.events FROM PUBLIC",
    f"CREATE FUNCTION {NAME}.in_order() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog "
    f"AS $body${_IN_ORDER}$body$",
    f"CREATE FUNCTION {NAME}.refuse() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog "
    f"AS $body${_REFUSE}$body$",
    f"CREATE TRIGGER in_order BEFORE INSERT ON {NAME}.events FOR EACH ROW EXECUTE FUNCTION {NAME}.in_order()",
    f"CREATE TRIGGER no_change BEFORE UPDATE OR DELETE ON {NAME}.events FOR EACH ROW "
    f"EXECUTE FUNCTION {NAME}.refuse()",
    f"CREATE TRIGGER no_truncate BEFORE TRUNCATE ON {NAME}.events FOR EACH STATEMENT "
    f"EXECUTE FUNCTION {NAME}.refuse()",
    *(
        f"ALTER TABLE {NAME}.events ENABLE ALWAYS TRIGGER {trigger}"  # under session_replication_role too
        for trigger in ("in_order", "no_change", "no_truncate")
    ),
    f"COMMENT ON SCHEMA {NAME} IS '{_COMMENT}'",
)

# Everything in the schema, as name and definition, from the catalog: that takes no right on the schema.
_OBJECTS = f"""
WITH home AS (SELECT oid FROM pg_namespace WHERE nspname = '{NAME}'),
relation AS (
    SELECT c.* FROM pg_class c JOIN home ON c.relnamespace = home.oid WHERE c.relkind NOT IN ('i', 'I', 't')),
held AS (
    SELECT c.relowner AS owner, c.relname AS name, (aclexplode(c.relacl)).* FROM relation c
    UNION ALL
    SELECT c.relowner, c.relname || '.' || a.attname, (aclexplode(a.attacl)).*
    FROM relation c JOIN pg_attribute a ON a.attrelid = c.oid)
SELECT 'comment', COALESCE(obj_description(oid, 'pg_namespace'), '') FROM home
UNION ALL
SELECT 'relation ' || relname, concat_ws(' ', relkind, relpersistence, relrowsecurity,
    relforcerowsecurity, relhassubclass, relispartition) FROM relation
UNION ALL
SELECT 'column ' || c.relname || '.' || a.attname, concat_ws(' ', a.attnum,
    format_type(a.atttypid, a.atttypmod), a.attnotnull, a.atthasdef, a.attidentity, a.attgenerated)
FROM relation c JOIN pg_attribute a ON a.attrelid = c.oid WHERE a.attnum > 0 AND NOT a.attisdropped
UNION ALL
SELECT 'constraint ' || k.conname,
    concat_ws(' ', k.contype, k.conkey, k.condeferrable, k.convalidated)
FROM relation c JOIN pg_constraint k ON k.conrelid = c.oid WHERE k.contype <> 'n'
UNION ALL
SELECT 'trigger ' || t.tgname, concat_ws(' ', t.tgtype, t.tgenabled, p.proname,
    p.pronamespace = c.relnamespace, t.tgqual IS NULL, t.tgnargs, t.tgattr)
FROM relation c JOIN pg_trigger t ON t.tgrelid = c.oid JOIN pg_proc p ON p.oid = t.tgfoid
WHERE NOT t.tgisinternal
UNION ALL
SELECT 'rule ' || r.rulename, pg_get_ruledef(r.oid)
FROM relation c JOIN pg_rewrite r ON r.ev_class = c.oid
UNION ALL
SELECT 'function ' || p.proname,
    concat_ws(' ', l.lanname, p.prosecdef, p.provolatile, p.proconfig, p.prosrc)
FROM home JOIN pg_proc p ON p.pronamespace = home.oid JOIN pg_language l ON l.oid = p.prolang
UNION ALL
SELECT 'right ' || privilege_type || ' on ' || name || ' of ' ||
    CASE grantee WHEN 0 THEN 'everybody' ELSE pg_get_userbyid(grantee) END, ''
FROM held WHERE grantee <> owner AND (privilege_type NOT IN ('SELECT', 'INSERT') OR is_grantable)
"""  # noqa: S608 - names of ours alone
_FUNCTION = "plpgsql f v {search_path=pg_catalog} "
_WANTED = {
    "comment": _COMMENT,
    "relation events": "r p f f f f",
    "column events.seq": "1 bigint t f  ",
    "column events.kind": "2 text t f  ",
    "column events.body": "3 text t f  ",
    "column events.digest": "4 text t f  ",
    "constraint events_pkey": "p {1} f t",
    "constraint events_digest_key": "u {4} f t",
    "trigger in_order": "7 A in_order t t 0 ",
    "trigger no_change": "27 A refuse t t 0 ",
    "trigger no_truncate": "34 A refuse t t 0 ",
    "function in_order": _FUNCTION + _IN_ORDER,
    "function refuse": _FUNCTION + _REFUSE,
}
_SETTINGS = {"fsync": "on", "full_page_writes": "on", "server_encoding": "UTF8"}
"""Without the first two a crash of the server's host may lose or tear events that were acknowledged."""


@cache
def events_table() -> Table:
    """Return the table as SQLAlchemy sees it."""
    from sqlalchemy import BigInteger, Column, MetaData, Table, Text

    return Table(
        "events",
        MetaData(schema=NAME),
        Column("seq", BigInteger, primary_key=True),
        Column("kind", Text),
        Column("body", Text),
        Column("digest", Text),
    )


def is_absent(connection: Connection) -> bool:
    """Whether the database holds no ledger, not even a broken one."""
    return not _objects(connection)


def layout_faults(connection: Connection) -> Iterator[str]:
    """Yield what a database lacks, or has too much, to hold a ledger of this layout and to keep it."""
    found = _objects(connection)
    for name in sorted(found.keys() | _WANTED.keys()):
        if name not in found:
            yield f"{name} is missing"
        elif name == "comment" and found[name] != _COMMENT:
            yield f"its schema is '{found[name]}'; this version of release-gates reads '{_COMMENT}'"
        elif found[name] != _WANTED.get(name):
            yield f"{name} is not as release-gates made it"
    for name, wanted in _SETTINGS.items():
        value = connection.exec_driver_sql(f"SELECT current_setting('{name}')").scalar_one()
        if value != wanted:
            yield f"the server's {name} is {value}, and has to be {wanted}"


def _objects(connection: Connection) -> dict[str, str]:
    return {str(name): str(definition) for name, definition in connection.exec_driver_sql(_OBJECTS)}
