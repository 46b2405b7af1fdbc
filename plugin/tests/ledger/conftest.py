"""Facts and ledgers for the tests of ledger and promotion, in each of the stores."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from release_gates.ledger.opening import open_ledger
from release_gates.ledger.postgresql.making import make_ledger
from release_gates.ledger.protocol import Ledger
from release_gates.ledger.sqlite import SqliteLedger

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
OWNER, WRITER, DATABASE = "ledger_owner", "gates", "ledger"
SETTINGS = {
    "listen_addresses": "",
    "max_connections": "60",
    "shared_buffers": "16MB",
    "max_wal_senders": "0",
    "wal_level": "minimal",
    "autovacuum": "off",
}


@dataclass(frozen=True)
class Server:
    """A throw-away PostgreSQL: its data and its socket lie in ``folder``; as root it runs as ``account``."""

    folder: Path
    account: str | None

    def url(self, database: str, role: str) -> str:
        return f"postgresql://{role}@/{database}?host={self.folder}"

    def execute(self, database: str, *statements: str, role: str = "postgres") -> list[tuple[object, ...]]:
        """Run statements, each by itself, and return the rows of the last."""
        with psycopg.connect(self.url(database, role), autocommit=True) as connection:
            cursor = connection.cursor()
            for statement in statements:
                cursor.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def program(self, name: str) -> str:
        """Return the path of one of PostgreSQL's programs, of its newest version here."""
        found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda p: float(p.parts[-3]))
        path = str(found[-1]) if found else shutil.which(name)
        assert path, f"{name} is not there: apt-get install postgresql"
        return path

    def start(self) -> subprocess.Popen[bytes]:
        """Start the server, which ends with this process, and wait until it answers."""
        log, data = (self.folder / "log").open("wb"), str(self.folder / "data")
        command = ["setpriv", "--pdeathsig", "QUIT", self.program("postgres"), "-D", data]
        with log:
            process = subprocess.Popen(command, user=self.account, cwd="/", stdout=log, stderr=log)
        while True:
            try:
                self.execute("postgres", "SELECT 1")
            except psycopg.OperationalError:
                assert process.poll() is None, (self.folder / "log").read_text()
                time.sleep(0.02)
            else:
                return process


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    folder = Path(tempfile.mkdtemp(prefix="pg"))  # short: a socket's path has 107 bytes
    made = Server(folder, "nobody" if os.geteuid() == 0 else None)  # it refuses root
    data = folder / "data"
    process = None
    try:
        if made.account:
            os.chown(folder, pwd.getpwnam(made.account).pw_uid, -1)
        places = ("-D", str(data), "-U", "postgres", "-A", "trust", "-N")
        command = [made.program("initdb"), *places, "-E", "UTF8", "--no-locale", "--no-instructions"]
        subprocess.run(command, user=made.account, cwd="/", check=True, stdout=subprocess.DEVNULL)
        with (data / "postgresql.conf").open("a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in SETTINGS.items())
            file.write(f"unix_socket_directories = '{folder}'\n")
        process = made.start()
        made.execute("postgres", f"CREATE ROLE {OWNER} LOGIN", f"CREATE ROLE {WRITER} LOGIN")
        made.execute("postgres", f"CREATE DATABASE {DATABASE} OWNER {OWNER}")
        yield made
    finally:
        if process is not None:
            process.send_signal(signal.SIGQUIT)
            process.wait()
        shutil.rmtree(folder)


class SqliteStore:
    """A ledger in a file, and ways behind its back."""

    kind = "sqlite"
    triggers = ("events_no_update", "events_no_delete", "events_in_order")

    def __init__(self, path: Path) -> None:
        self.path = path
        self.url = f"sqlite:///{path}"
        SqliteLedger.open(path, create=True)

    def open(self) -> Ledger:
        return open_ledger(self.url, base=self.path.parent, state=self.path.parent)

    def as_writer(self, statement: str) -> None:
        """Run a statement as whoever may append could."""
        with closing(sqlite3.connect(self.path, isolation_level=None)) as connection:
            connection.execute(statement)

    def edit(self, *statements: str | tuple[str, Sequence[object]]) -> None:
        """Run statements (``?`` for values) with the triggers away, then put them back as they were."""
        with closing(sqlite3.connect(self.path, isolation_level=None)) as connection:
            kept = [
                connection.execute("SELECT sql FROM sqlite_master WHERE name = ?", (name,)).fetchone()[0]
                for name in self.triggers
            ]
            for name in self.triggers:
                connection.execute(f"DROP TRIGGER {name}")
            for statement in statements:
                text, values = (statement, ()) if isinstance(statement, str) else statement
                connection.execute(text.replace("EVENTS", "events"), values)
            for sql in kept:
                connection.execute(sql)

    def drop_trigger(self, name: str) -> None:
        with closing(sqlite3.connect(self.path, isolation_level=None)) as connection:
            connection.execute(f"DROP TRIGGER {name}")


class PostgresStore:
    """A ledger in a database of its own, and ways behind its back."""

    kind = "postgresql"
    triggers = ("no_change", "no_truncate", "in_order")

    def __init__(self, server: Server) -> None:
        self.server, self.database = server, DATABASE
        self.owner_url, self.url = server.url(self.database, OWNER), server.url(self.database, WRITER)
        make_ledger(self.owner_url, WRITER)

    def clear(self) -> None:
        """Leave the database as it was: a new one for each test would be most of what the tests cost."""
        self.execute(
            "DROP SCHEMA IF EXISTS release_gates CASCADE",
            "DROP SCHEMA public CASCADE",
            "CREATE SCHEMA public",
            f"ALTER DATABASE {self.database} RESET ALL",
            f"ALTER ROLE {WRITER} IN DATABASE {self.database} RESET ALL",
        )

    def open(self) -> Ledger:
        return open_ledger(self.url, base=Path("/nowhere"), state=Path("/nowhere"))

    def as_writer(self, statement: str) -> None:
        self.execute(statement, role=WRITER)

    def execute(self, *statements: str, role: str = "postgres") -> list[tuple[object, ...]]:
        return self.server.execute(self.database, *statements, role=role)

    def edit(self, *statements: str | tuple[str, Sequence[object]]) -> None:
        with psycopg.connect(self.owner_url) as connection:
            for name in self.triggers:
                connection.execute(f"ALTER TABLE release_gates.events DISABLE TRIGGER {name}")
            for statement in statements:
                text, values = (statement, ()) if isinstance(statement, str) else statement
                table = text.replace("EVENTS", "release_gates.events").replace("?", "%s")
                connection.execute(table, values or None)
            for name in self.triggers:
                connection.execute(f"ALTER TABLE release_gates.events ENABLE ALWAYS TRIGGER {name}")

    def drop_trigger(self, name: str) -> None:
        self.execute(f"DROP TRIGGER {name} ON release_gates.events", role=OWNER)


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> SqliteStore | PostgresStore:
    """A new ledger in each kind of store."""
    if request.param == "sqlite":
        return SqliteStore(tmp_path / "ledger.db")
    made: PostgresStore = request.getfixturevalue("postgres")
    return made


@pytest.fixture
def postgres(server: Server) -> Iterator[PostgresStore]:
    made = PostgresStore(server)
    yield made
    made.clear()


@pytest.fixture
def ledger(tmp_path: Path) -> SqliteLedger:
    return SqliteLedger.open(tmp_path / "ledger.db", create=True)


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture
def later() -> datetime:
    return NOW + timedelta(minutes=5)
