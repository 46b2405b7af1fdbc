"""The ledger in a real PostgreSQL: who may do what, what a server refuses, connections that are cut."""

from __future__ import annotations

import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from release_gates.errors import LedgerError
from release_gates.ledger.chain import START, to_row
from release_gates.ledger.opening import open_ledger, without_passwords
from release_gates.ledger.postgresql import store as module
from release_gates.ledger.postgresql.layout import TURN
from release_gates.ledger.postgresql.making import make_ledger
from release_gates.ledger.postgresql.store import PostgresLedger
from release_gates.model.event import Event, FirstRelease
from release_gates.testing import GateProject

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
FACT = FirstRelease(environment="staging", by="bob", reason="new")
WORD = "hunter2zz"


def slug_of(url: str) -> str:
    """Return why a ledger is not opened; no word of it holds a password."""
    with pytest.raises(LedgerError) as caught:
        PostgresLedger.open(url)
    assert WORD not in str(caught.value)
    assert caught.value.hint
    return caught.value.slug


def append_slug(ledger: PostgresLedger) -> str:
    with pytest.raises(LedgerError) as caught:
        ledger.append(FACT, at=NOW)
    return caught.value.slug


class TestLayout:
    @pytest.mark.parametrize(
        ("statement", "named"),
        [
            ("COMMENT ON SCHEMA release_gates IS 'release-gates ledger, layout 2'", "layout 2"),
            ("ALTER TABLE release_gates.events DISABLE TRIGGER no_change", "no_change"),
            ("ALTER TABLE release_gates.events ENABLE TRIGGER no_change", "no_change"),
            ("ALTER TABLE release_gates.events SET UNLOGGED", "relation events"),
            ("ALTER TABLE release_gates.events DROP CONSTRAINT events_digest_key", "events_digest_key"),
            ("ALTER TABLE release_gates.events ALTER kind DROP NOT NULL", "events.kind"),
            ("ALTER TABLE release_gates.events ADD extra text", "events.extra"),
            ("ALTER TABLE release_gates.events ENABLE ROW LEVEL SECURITY", "relation events"),
            ("CREATE TABLE release_gates.heir () INHERITS (release_gates.events)", "heir"),
            ("CREATE RULE lost AS ON INSERT TO release_gates.events DO INSTEAD NOTHING", "rule lost"),
            ("GRANT UPDATE ON release_gates.events TO gates", "right UPDATE on events of gates"),
            ("GRANT UPDATE (body) ON release_gates.events TO PUBLIC", "events.body of everybody"),
            ("GRANT TRIGGER ON release_gates.events TO gates", "right TRIGGER on events of gates"),
            ("GRANT SELECT ON release_gates.events TO gates WITH GRANT OPTION", "right SELECT"),
            (
                "CREATE OR REPLACE FUNCTION release_gates.refuse() RETURNS trigger LANGUAGE plpgsql "
                "SET search_path = pg_catalog AS 'BEGIN RETURN OLD; END'",
                "function refuse",
            ),
            ("ALTER FUNCTION release_gates.in_order() SECURITY DEFINER", "function in_order"),
            (
                "CREATE TRIGGER zz BEFORE INSERT ON release_gates.events FOR EACH ROW "
                "WHEN (false) EXECUTE FUNCTION release_gates.in_order()",
                "trigger zz",
            ),
            ("DROP TABLE release_gates.events", "relation events is missing"),
        ],
    )
    def test_any_change_is_named_and_refused(self, postgres: Any, statement: str, named: str) -> None:
        postgres.execute(statement, role="ledger_owner")
        with pytest.raises(LedgerError, match="ledger-layout") as caught:
            postgres.open()
        assert named in caught.value.message

    def test_the_owner_cannot_change_or_empty_it_by_accident(self, postgres: Any) -> None:
        postgres.open().append(FACT, at=NOW)
        for statement in (
            "UPDATE release_gates.events SET kind = 'x'",
            "DELETE FROM release_gates.events",
            "TRUNCATE release_gates.events",
        ):
            with pytest.raises(psycopg.Error, match="append-only"):
                postgres.execute(statement, role="ledger_owner")
            with pytest.raises(psycopg.Error, match="append-only"):
                postgres.execute("SET session_replication_role = replica", statement)
            with pytest.raises(psycopg.Error, match="permission denied"):
                postgres.execute(statement, role="gates")
        assert len(list(postgres.open().events())) == 1

    def test_a_writer_without_our_code_can_neither_fork_nor_skip(self, postgres: Any) -> None:
        first = postgres.open().append(FACT, at=NOW)
        insert = "INSERT INTO release_gates.events VALUES (%s, %s, %s, %s)"
        prev = to_row(first).digest
        good = to_row(Event(seq=2, at=NOW, prev=prev, fact=FACT))
        fork = to_row(Event(seq=2, at=NOW, prev="0" * 64, fact=FACT))
        skip = to_row(Event(seq=3, at=NOW, prev=prev, fact=FACT))
        false = [(fork.seq, fork), (skip.seq, skip), (2, skip)]
        with psycopg.connect(postgres.url, autocommit=True) as connection:
            for seq, row in false:
                values = (seq, row.kind, row.body.decode(), row.digest)
                with pytest.raises(psycopg.Error, match="append-only"):
                    connection.execute(insert, values)
            with pytest.raises(psycopg.Error, match="append-only"):
                connection.execute(insert, (2, good.kind, good.body.decode(), "f" * 64))
            connection.execute(insert, (2, good.kind, good.body.decode(), good.digest))
        assert postgres.open().verify() == ()

    def test_an_event_that_the_server_drops_is_no_event(self, postgres: Any) -> None:
        ledger = postgres.open()
        postgres.execute(
            "CREATE FUNCTION public.lose() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
            "CREATE TRIGGER zz BEFORE INSERT ON release_gates.events FOR EACH ROW "
            "EXECUTE FUNCTION public.lose()",
        )
        assert append_slug(ledger) == "ledger-layout"


class TestRoles:
    @pytest.mark.parametrize("role", ["ledger_owner", "postgres"])
    def test_who_could_change_it_decides_nothing(self, postgres: Any, role: str) -> None:
        assert slug_of(postgres.server.url(postgres.database, role)) == "ledger-role"

    @pytest.mark.parametrize("power", ["CREATEROLE", "SUPERUSER", "IN ROLE ledger_owner NOINHERIT"])
    def test_a_writer_that_could_become_the_owner(self, postgres: Any, power: str) -> None:
        role = "mighty_" + power.split(maxsplit=1)[0].lower()
        postgres.execute(f"CREATE ROLE {role} LOGIN {power}")
        with pytest.raises(LedgerError, match="ledger-role"):
            make_ledger(postgres.owner_url, role)
        rows = postgres.execute(f"SELECT has_table_privilege('{role}', 'pg_class', 'SELECT')")
        assert rows == [(True,)]
        postgres.execute(f"DROP ROLE {role}")  # refused if it had been given anything

    @pytest.mark.parametrize(
        "writer", ["nobody-has-it", 'x"; DROP SCHEMA release_gates; --', "", "ledger_owner"]
    )
    def test_a_writer_that_cannot_be_leaves_nothing_behind(self, server: Any, writer: str) -> None:
        server.execute("postgres", "CREATE DATABASE unmade OWNER ledger_owner")
        try:
            with pytest.raises(LedgerError, match="ledger-role"):
                make_ledger(server.url("unmade", "ledger_owner"), writer)
            assert slug_of(server.url("unmade", "gates")) == "ledger-absent"
        finally:
            server.execute("postgres", "DROP DATABASE unmade")

    def test_a_second_writer_and_a_second_time(self, postgres: Any) -> None:
        postgres.open().append(FACT, at=NOW)
        postgres.execute("CREATE ROLE second LOGIN")
        assert make_ledger(postgres.owner_url, "second")[1] is False
        assert make_ledger(postgres.owner_url, "gates")[1] is False
        PostgresLedger.open(postgres.server.url(postgres.database, "second")).append(FACT, at=NOW)
        assert len(list(postgres.open().events())) == 2

    def test_somebody_elses_schema_is_left_alone(self, server: Any) -> None:
        server.execute("postgres", "CREATE DATABASE foreign_one OWNER ledger_owner")
        server.execute(
            "foreign_one",
            "CREATE SCHEMA release_gates",
            "CREATE TABLE release_gates.events (id int)",
            role="ledger_owner",
        )
        with pytest.raises(LedgerError, match="ledger-layout"):
            make_ledger(server.url("foreign_one", "ledger_owner"), "gates")
        assert server.execute("foreign_one", "SELECT count(*) FROM release_gates.events") == [(0,)]
        server.execute("postgres", "DROP DATABASE foreign_one")

    def test_rights_that_are_missing(self, postgres: Any) -> None:
        ledger = postgres.open()
        postgres.execute("REVOKE INSERT ON release_gates.events FROM gates")
        assert append_slug(ledger) == "ledger-denied"
        assert ledger.verify() == ()
        postgres.execute("REVOKE USAGE ON SCHEMA release_gates FROM gates")
        with pytest.raises(LedgerError, match="ledger-denied"):
            ledger.head()


class TestServer:
    def test_nobody_there(self, server: Any, tmp_path: Path) -> None:
        for host in (str(tmp_path), "127.0.0.1:1"):
            url = f"postgresql://gates:{WORD}@/db?host={host}"
            assert slug_of(url) == "ledger-unreachable"
        assert slug_of(server.url("no_such_database", "gates")) == "ledger-unreachable"
        assert slug_of(server.url("postgres", f"no_such_role:{WORD}")) == "ledger-unreachable"
        assert slug_of(server.url("postgres", "gates")) == "ledger-absent"

    def test_package_that_is_not_installed(self, server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "psycopg", None)
        assert slug_of(server.url("postgres", "gates")) == "ledger-package"

    def test_another_encoding_could_not_hold_every_event(self, server: Any) -> None:
        server.execute(
            "postgres", "CREATE DATABASE ascii OWNER ledger_owner ENCODING 'SQL_ASCII' TEMPLATE template0"
        )
        with pytest.raises(LedgerError, match="server_encoding is SQL_ASCII"):
            make_ledger(server.url("ascii", "ledger_owner"), "gates")
        server.execute("postgres", "DROP DATABASE ascii")

    def test_read_only(self, postgres: Any) -> None:
        ledger = postgres.open()
        name = postgres.database
        postgres.execute(f"ALTER ROLE gates IN DATABASE {name} SET default_transaction_read_only = on")
        assert append_slug(ledger) == "ledger-read-only"
        assert ledger.verify() == ()

    def test_what_a_full_disk_says(self, postgres: Any) -> None:
        """The server's own code for it, raised where it would be: no disk is filled for that."""
        ledger = postgres.open()
        postgres.execute(
            "CREATE FUNCTION public.full() RETURNS trigger LANGUAGE plpgsql AS "
            "$$BEGIN RAISE 'could not extend file: No space left on device' USING ERRCODE = '53100'; END$$",
            "CREATE TRIGGER zz BEFORE INSERT ON release_gates.events FOR EACH ROW "
            "EXECUTE FUNCTION public.full()",
        )
        assert append_slug(ledger) == "ledger-disk-full"
        assert ledger.head() == START

    def test_a_lock_that_is_held(self, postgres: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "BUSY_S", 0.05)
        ledger = postgres.open()
        with psycopg.connect(postgres.url) as other:
            other.execute(f"SELECT pg_advisory_xact_lock({TURN})")
            assert append_slug(ledger) == "ledger-busy"
            assert ledger.verify() == ()  # readers do not wait for writers

    def test_settings_of_the_database_make_it_no_weaker(self, postgres: Any) -> None:
        for setting in ("default_transaction_isolation = serializable", "synchronous_commit = off"):
            postgres.execute(f"ALTER DATABASE {postgres.database} SET {setting}")
        seen = []

        def decide(events: Any) -> FirstRelease:
            query = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted"
            seen.extend(postgres.execute(query))
            return FACT

        ledger = postgres.open()
        ledger.append_after(decide, at=NOW)
        assert seen == [(1,)]
        with ledger.connection() as connection:
            module._take_turn(connection)
            found = [
                connection.exec_driver_sql(f"SHOW {name}").scalar_one()
                for name in ("transaction_isolation", "synchronous_commit")
            ]
        assert found == ["read committed", "on"]

    def test_a_server_that_ends_the_connection_before_the_commit(self, postgres: Any) -> None:
        def decide(_events: Any) -> FirstRelease:
            postgres.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'gates' "
                "AND datname = current_database()"
            )
            return FACT

        ledger = postgres.open()
        with pytest.raises(LedgerError, match="ledger-unreachable"):
            ledger.append_after(decide, at=NOW)
        assert ledger.head() == START


class Cutter:
    """Passes connections on until a COMMIT comes: there the client is cut off, and the server a while later.

    ``passes`` says whether the server hears of that COMMIT, ``again`` whether who comes back is let in.
    """

    def __init__(
        self, folder: Path, server: Path, *, passes: bool, delay_s: float = 0, again: bool = True
    ) -> None:
        self._to = str(server / ".s.PGSQL.5432")
        self._passes, self._delay_s, self._again = passes, delay_s, again
        self.cuts = 0
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(folder / ".s.PGSQL.5432"))
        self._listener.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._carry, args=(client,), daemon=True).start()

    def _carry(self, client: socket.socket) -> None:
        with closing(client), socket.socket(socket.AF_UNIX) as server:
            if self.cuts and not self._again:
                return
            server.connect(self._to)
            back = threading.Thread(target=_pump, args=(server, client), daemon=True)
            back.start()
            while data := client.recv(65536):
                if b"COMMIT\0" in data and not self.cuts:
                    self.cuts += 1
                    client.shutdown(socket.SHUT_RDWR)
                    time.sleep(self._delay_s)
                    if self._passes:
                        server.sendall(data)
                    break
                server.sendall(data)
            server.shutdown(socket.SHUT_WR)
            back.join()


def _pump(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        return


@pytest.fixture
def cut(postgres: Any, tmp_path: Path) -> Iterator[Any]:
    made: list[Cutter] = []

    def make(**how: Any) -> tuple[PostgresLedger, Cutter]:
        made.append(Cutter(tmp_path, postgres.server.folder, **how))
        return PostgresLedger.open(f"postgresql://gates@/{postgres.database}?host={tmp_path}"), made[0]

    yield make
    for each in made:
        each.close()


class TestCut:
    """The connection is lost while an event is committed: whether it was written is said, never guessed."""

    @pytest.mark.parametrize("delay_s", [0, 0.5])
    def test_written_although_nobody_heard_of_it(self, postgres: Any, cut: Any, delay_s: float) -> None:
        ledger, cutter = cut(passes=True, delay_s=delay_s)
        event = ledger.append(FACT, at=NOW)
        assert (cutter.cuts, list(postgres.open().events())) == (1, [event])
        ledger.append(FACT, at=NOW)
        assert ledger.verify() == ()

    def test_not_written(self, postgres: Any, cut: Any) -> None:
        ledger, cutter = cut(passes=False)
        with pytest.raises(LedgerError, match=r"event 1 was not written.*ledger-unreachable"):
            ledger.append(FACT, at=NOW)
        assert (cutter.cuts, list(postgres.open().events())) == (1, [])

    def test_not_written_and_another_was(self, postgres: Any, cut: Any) -> None:
        ledger, _ = cut(passes=False)
        other = FirstRelease(environment="other", by="eve", reason="quicker")
        settle = ledger._settle

        def late(event: Event, lost: LedgerError) -> None:
            postgres.open().append(other, at=NOW)
            settle(event, lost)

        ledger._settle = late
        with pytest.raises(LedgerError, match="event 1 was not written"):
            ledger.append(FACT, at=NOW)
        assert [event.fact for event in postgres.open().events()] == [other]

    def test_nobody_knows(self, postgres: Any, cut: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "SETTLE_TRIES", 2)
        monkeypatch.setattr(module, "SETTLE_PAUSE_S", 0.01)
        ledger, _ = cut(passes=True, again=False)
        with pytest.raises(LedgerError, match=r"cannot be found out.*ledger-in-doubt"):
            ledger.append(FACT, at=NOW)


class TestPasswords:
    @pytest.mark.parametrize(
        "url",
        [
            f"postgresql://u:{WORD}@h:x/d",
            f"postgresql://u:{WORD}/a@h/d/e",
            f"postgresql://u:a@{WORD}@h/d",
            f"postgresql://u:{WORD}@h",
            f"postgresql://u:a/{WORD}",
            f"postgresql://[{WORD}",
            f"postgresql://u@127.0.0.1:1/d?password={WORD}",
            f"postgresql://u:{WORD}@127.0.0.1:1/d?sslpassword={WORD}&passfile=/{WORD}",
            f"postgresql://u@127.0.0.1:1/d?{WORD}=1",
        ],
    )
    def test_no_error_repeats_one(self, url: str) -> None:
        if f"?{WORD}" in url:
            with pytest.raises(LedgerError, match="invalid connection option"):
                PostgresLedger.open(url)  # the name of an option is no secret
        else:
            assert slug_of(url) in {"ledger-address", "ledger-unreachable"}

    def test_other_schemes_are_refused_without_their_rest(self, tmp_path: Path) -> None:
        with pytest.raises(LedgerError, match="no ledger store for 'mysql'") as caught:
            open_ledger(f"mysql://u:{WORD}@h/d", base=tmp_path, state=tmp_path)
        assert WORD not in str(caught.value)

    @pytest.mark.parametrize(
        ("word", "kept"),
        [
            (f"--gate-ledger=postgresql://u:{WORD}@h/d?x=1", "--gate-ledger=postgresql://u:***@h/d?x=1"),
            (f"postgresql://u:{WORD}@{WORD}@h/d", "postgresql://u:***@h/d"),
            (f"postgresql://u@h/d?password={WORD}&x=1", "postgresql://u@h/d?password=***&x=1"),
            ("http://h:80/a", "http://h:80/a"),
            ("suites/test_a.py::test_b[x@y]", "suites/test_a.py::test_b[x@y]"),
        ],
    )
    def test_words_of_a_command(self, word: str, kept: str) -> None:
        assert without_passwords(["-m", word]) == ("-m", kept)


SUITE = """
import os
import sys
import pytest

@pytest.mark.gate("smoke")
def test_speed(gate):
    if "STARTED_BY_RUN" in os.environ:
        assert not any("hunter" in word for word in sys.argv)
        assert "hunter" not in open("/proc/self/cmdline").read()
    gate.measure("order.time", 3, "ms")
"""


def test_a_whole_release_by_a_server_and_no_password_in_it(postgres: Any, tmp_path: Path) -> None:
    project = GateProject(tmp_path)
    project.write("suites/test_smoke.py", SUITE)
    project.limits("smoke", {"order.time": "<= 5 ms"})
    project.expect()
    url = f"postgresql://gates:{WORD}@/{postgres.database}?host={postgres.server.folder}"
    said = []

    def cli(*words: str, status: int = 0, **env: str) -> str:
        result = project.cli(*words, env=env)
        assert result.status == status, result.output
        said.append(result.output)
        return result.output

    assert "ledger-role" in cli("--gate-ledger", url.replace("gates", "ledger_owner"), "status", status=2)
    assert "owns the ledger" in said[-1]
    cli("first-release", "staging", "--reason", "new", GATE_LEDGER=url)
    assert "PROMOTE" in cli("--gate-ledger", url, "run", "staging", STARTED_BY_RUN="1")
    said.append(project.run("--gate-ledger", url).output)
    cli("promote", "--to", "staging", GATE_LEDGER=url)
    cli("ledger", "checkpoint", "seen.json", GATE_LEDGER=url)
    for words in (
        ("status",),
        ("verify",),
        ("--json", "verify"),
        ("report", "--history", "--output", "x.html"),
    ):
        cli(*words, GATE_LEDGER=url, GATE_CHECKPOINT="seen.json")
    assert not (tmp_path / ".gates/ledger.db").exists()
    kinds = [event.fact.__struct_config__.tag for event in postgres.open().events()]
    assert kinds.count("promoted") == 1
    written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert len(written) > 8
    rows = postgres.execute("SELECT body FROM release_gates.events")
    for text in (*said, *(str(row) for row in rows)):
        assert WORD not in text
    kept = [data for data in written if WORD.encode() in data]
    assert kept == []
