"""What a ledger file can be instead of a ledger, and what a disk can refuse."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from release_gates.errors import LedgerError
from release_gates.ledger import sqlite as store
from release_gates.ledger.faults import ledger_fault
from release_gates.ledger.layout import LAYOUT
from release_gates.ledger.opening import open_ledger
from release_gates.ledger.sqlite import SqliteLedger
from release_gates.ledger.storage import is_network
from release_gates.model.event import FirstRelease

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
FACT = FirstRelease(environment="staging", by="bob", reason="new")


def execute(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


def refused(path: Path, *, create: bool = True) -> str:
    with pytest.raises(LedgerError) as caught:
        SqliteLedger.open(path, create=create)
    assert str(path) in caught.value.message
    assert caught.value.hint
    return caught.value.slug


def test_empty_file_is_an_absent_ledger_where_one_was_configured(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    path.touch()
    assert refused(path, create=False) == "ledger-absent"
    assert SqliteLedger.open(path, create=True).verify() == ()


def test_database_of_something_else_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    execute(path, "CREATE TABLE orders (id INTEGER)")
    assert refused(path) == "ledger-layout"
    with closing(sqlite3.connect(path)) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master")]
    assert names == ["orders"]


@pytest.mark.parametrize("version", [LAYOUT - 1, LAYOUT + 1])
def test_older_and_newer_layout(tmp_path: Path, ledger: SqliteLedger, version: int) -> None:
    execute(tmp_path / "ledger.db", f"PRAGMA user_version = {version}")
    assert refused(tmp_path / "ledger.db") == "ledger-layout"


def test_folder_and_unreachable_place(tmp_path: Path) -> None:
    assert refused(tmp_path) == "ledger-unreadable"
    (tmp_path / "file").touch()
    assert refused(tmp_path / "file" / "ledger.db") == "ledger-unreadable"


def test_ledger_that_vanishes_is_an_error_and_not_a_new_one(tmp_path: Path, ledger: SqliteLedger) -> None:
    ledger.append(FACT, at=NOW)
    (tmp_path / "ledger.db").unlink()
    for act in (ledger.head, ledger.verify, lambda: ledger.append(FACT, at=NOW)):
        with pytest.raises(LedgerError, match="ledger-unreadable"):
            act()
    assert not (tmp_path / "ledger.db").exists()


def test_torn_file_is_damage(tmp_path: Path, ledger: SqliteLedger) -> None:
    for number in range(200):
        ledger.append(FACT, at=NOW + timedelta(seconds=number))
    path = tmp_path / "ledger.db"
    path.write_bytes(path.read_bytes()[:9000])
    with pytest.raises(LedgerError, match="ledger-damaged"):
        ledger.append_after(lambda _events: FACT, at=NOW + timedelta(hours=1))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everything")
def test_read_only_file(tmp_path: Path, ledger: SqliteLedger) -> None:
    (tmp_path / "ledger.db").chmod(0o444)
    with pytest.raises(LedgerError, match="ledger-read-only"):
        ledger.append(FACT, at=NOW)


def test_sqlite_that_may_not_write_says_read_only(tmp_path: Path, ledger: SqliteLedger) -> None:
    uri = f"file:{tmp_path / 'ledger.db'}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True)) as connection, pytest.raises(sqlite3.Error) as caught:
        connection.execute("INSERT INTO events VALUES (1, '', '', '')")
    assert ledger_fault(tmp_path, caught.value).slug == "ledger-read-only"


def test_full_disk(tmp_path: Path, ledger: SqliteLedger) -> None:
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as connection:
        connection.execute("PRAGMA max_page_count = 1")
        with pytest.raises(sqlite3.Error) as caught:
            connection.execute("INSERT INTO events VALUES (1, '', zeroblob(99999), '')")
    assert ledger_fault(tmp_path, caught.value).slug == "ledger-disk-full"


FILE_LIMIT = """
import resource, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from release_gates.errors import LedgerError
from release_gates.ledger.sqlite import SqliteLedger
from release_gates.model.event import FirstRelease

ledger = SqliteLedger.open(Path(sys.argv[1]), create=True)
ledger.append(FirstRelease(environment="e", by="b", reason="kept"), at=datetime.now(UTC))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))
try:
    ledger.append(FirstRelease(environment="e", by="b", reason="x" * 500_000), at=datetime.now(UTC))
except LedgerError as error:
    print(error.slug)
"""


def test_event_that_finds_no_room_leaves_the_chain_whole(tmp_path: Path) -> None:
    command = [sys.executable, "-c", FILE_LIMIT, str(tmp_path / "ledger.db")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() in {"ledger-disk-full", "ledger-unusable"}
    ledger = SqliteLedger.open(tmp_path / "ledger.db", create=False)
    assert ledger.verify() == ()
    assert len(list(ledger.events())) == 1


def test_ledger_that_stays_locked(
    tmp_path: Path, ledger: SqliteLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "BUSY_S", 0.05)
    with closing(sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerError, match="ledger-busy"):
            ledger.append(FACT, at=NOW)
        assert ledger.verify() == ()  # readers do not wait for writers


def test_replace_by_digest_removes_no_event(tmp_path: Path, ledger: SqliteLedger) -> None:
    ledger.append(FACT, at=NOW)
    with (
        closing(sqlite3.connect(tmp_path / "ledger.db")) as connection,
        pytest.raises(sqlite3.IntegrityError, match="append-only"),
    ):
        connection.execute("INSERT OR REPLACE INTO events VALUES (2, 'x', 'y', ?)", (ledger.head(),))


def test_path_with_characters_that_mean_something_in_a_uri(tmp_path: Path) -> None:
    path = tmp_path / "a?b#c %41" / "ledger.db"
    SqliteLedger.open(path, create=True).append(FACT, at=NOW)
    assert path.is_file()


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs", "fuse.anything"])
def test_network_kinds(kind: str) -> None:
    assert is_network(kind)


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs", "tmpfs", "overlay", "fuseblk", ""])
def test_local_kinds(kind: str) -> None:
    assert not is_network(kind)


class TestOpening:
    def test_default_is_made_in_the_state_folder(self, tmp_path: Path) -> None:
        open_ledger(None, base=tmp_path, state=tmp_path / ".gates")
        assert (tmp_path / ".gates" / "ledger.db").is_file()

    @pytest.mark.parametrize("url", ["lost.db", "sqlite:///lost.db"])
    def test_configured_one_is_never_made_in_silence(self, tmp_path: Path, url: str) -> None:
        with pytest.raises(LedgerError, match="ledger-absent"):
            open_ledger(url, base=tmp_path, state=tmp_path / ".gates")
        assert list(tmp_path.iterdir()) == []

    def test_absolute_url(self, tmp_path: Path) -> None:
        SqliteLedger.open(tmp_path / "ledger.db", create=True)
        ledger = open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}", base=Path("/nowhere"), state=tmp_path)
        assert ledger.verify() == ()

    def test_unknown_scheme(self, tmp_path: Path) -> None:
        with pytest.raises(LedgerError, match="unknown-ledger"):
            open_ledger("postgres://x/y", base=tmp_path, state=tmp_path)
