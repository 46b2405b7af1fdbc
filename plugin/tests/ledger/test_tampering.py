"""Edits of the database file behind the triggers' back: each is found, and named."""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from release_gates.errors import LedgerError
from release_gates.ledger.chain import Damage, damage, kind_of, to_row
from release_gates.ledger.sqlite import SqliteLedger
from release_gates.model.event import Event, Fact, FirstRelease, GateFailed, RunInvalidated

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
COUNT = 6
TRIGGERS = ("events_no_update", "events_no_delete", "events_in_order")


def fact(number: int) -> Fact:
    if number % 3 == 0:
        return RunInvalidated(run=f"run-{number}", by="bob", reason="schön €😀\n")
    if number % 3 == 1:
        return FirstRelease(environment="staging", by="bob", reason=f'a "first" \\ release {number}')
    return GateFailed(run="r", environment="e", candidate="c", gate="g", test="t", because=f"{number} ms")


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("original") / "ledger.db"
    ledger = SqliteLedger.open(path, create=True)
    for number in range(COUNT):
        ledger.append(fact(number), at=NOW + timedelta(seconds=number))
    return path


@contextmanager
def copied(original: Path) -> Iterator[SqliteLedger]:
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(original, Path(folder) / "ledger.db")
        yield SqliteLedger.open(Path(folder) / "ledger.db", create=False)


@contextmanager
def behind_its_back(ledger: SqliteLedger) -> Iterator[sqlite3.Connection]:
    """Drop the triggers, let the test edit, and put them back exactly as they were."""
    connection = sqlite3.connect(ledger.url.removeprefix("sqlite:///"), isolation_level=None)
    try:
        marks = ", ".join("?" * len(TRIGGERS))
        query = f"SELECT sql FROM sqlite_master WHERE name IN ({marks})"
        kept = [sql for (sql,) in connection.execute(query, TRIGGERS)]
        for trigger in TRIGGERS:
            connection.execute(f"DROP TRIGGER {trigger}")
        yield connection
        for sql in kept:
            connection.execute(sql)
    finally:
        connection.close()


def named(found: tuple[Damage, ...], seq: int) -> bool:
    return any(each.seq == seq or f"event {seq} " in each.sentence for each in found)


def test_whole_copy_is_whole(original: Path) -> None:
    with copied(original) as ledger:
        assert ledger.verify(heads=[ledger.head()]) == ()


@settings(max_examples=60, deadline=None)
@given(st.integers(1, COUNT), st.sampled_from(["kind", "body", "digest"]), st.data())
def test_any_changed_byte_of_any_column(original: Path, seq: int, column: str, data: st.DataObject) -> None:
    with copied(original) as ledger:
        with behind_its_back(ledger) as connection:
            query = f"SELECT CAST({column} AS BLOB) FROM events WHERE seq = ?"
            value = bytearray(connection.execute(query, (seq,)).fetchone()[0])
            place = data.draw(st.integers(0, len(value) - 1))
            value[place] ^= data.draw(st.integers(1, 255))
            update = f"UPDATE events SET {column} = CAST(? AS TEXT) WHERE seq = ?"
            connection.execute(update, (bytes(value), seq))
        assert named(ledger.verify(), seq)


@pytest.mark.parametrize("value", [None, 7, 1.5, b"\xff", ""])
@pytest.mark.parametrize("column", ["kind", "body", "digest"])
def test_value_of_another_type(original: Path, column: str, value: object) -> None:
    with copied(original) as ledger:
        with behind_its_back(ledger) as connection:
            if value is None:
                connection.execute("PRAGMA writable_schema = ON")
                connection.execute("UPDATE sqlite_master SET sql = replace(sql, ' NOT NULL', '')")
                connection.execute("PRAGMA writable_schema = RESET")
            connection.execute(f"UPDATE events SET {column} = ? WHERE seq = 3", (value,))
        found = ledger.verify()
        assert named(found, 3)
        assert value is not None or found[0].seq == 0  # the store itself was changed, too


@settings(max_examples=20, deadline=None)
@given(st.integers(1, COUNT))
def test_removed_event_is_named(original: Path, seq: int) -> None:
    with copied(original) as ledger:
        head = ledger.head()
        with behind_its_back(ledger) as connection:
            connection.execute("DELETE FROM events WHERE seq = ?", (seq,))
        found = ledger.verify(heads=[head])
        assert named(found, seq)
        assert len(found) <= 2  # that one place, and not everything after it


@settings(max_examples=20, deadline=None)
@given(st.permutations(range(1, COUNT + 1)).filter(lambda order: order != list(range(1, COUNT + 1))))
def test_reordered_events_are_named(original: Path, order: list[int]) -> None:
    with copied(original) as ledger:
        with behind_its_back(ledger) as connection:
            connection.execute("UPDATE events SET seq = seq + 100")
            for new, old in enumerate(order, start=1):
                connection.execute("UPDATE events SET seq = ? WHERE seq = ?", (new, old + 100))
        found = ledger.verify()
        assert all(named(found, new) for new, old in enumerate(order, start=1) if new != old)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, COUNT))
def test_inserted_event_is_named(original: Path, seq: int) -> None:
    """A forged event that fits the one before it: the one that it pushed on does not follow any more."""
    with copied(original) as ledger:
        events = list(ledger.events())
        prev = events[seq - 1].prev
        forged = to_row(Event(seq=seq, at=events[seq - 1].at, prev=prev, fact=fact(77)))
        with behind_its_back(ledger) as connection:
            connection.execute("UPDATE events SET seq = seq + 101 WHERE seq >= ?", (seq,))
            connection.execute("UPDATE events SET seq = seq - 100 WHERE seq > 100")
            row = (forged.seq, forged.kind, forged.body.decode(), forged.digest)
            connection.execute("INSERT INTO events VALUES (?, ?, ?, ?)", row)
        assert named(ledger.verify(), seq + 1)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, COUNT), st.booleans())
def test_rewritten_tail_is_found_by_a_head_that_was_seen(original: Path, seq: int, shorter: bool) -> None:
    with copied(original) as ledger:
        head, events = ledger.head(), list(ledger.events())
        with behind_its_back(ledger) as connection:
            connection.execute("DELETE FROM events WHERE seq >= ?", (seq,))
            prev = events[seq - 1].prev
            for event in [] if shorter else events[seq - 1 :]:
                new = to_row(Event(seq=event.seq, at=event.at, prev=prev, fact=fact(event.seq + 50)))
                row = (new.seq, new.kind, new.body.decode(), new.digest)
                connection.execute("INSERT INTO events VALUES (?, ?, ?, ?)", row)
                prev = new.digest
        assert ledger.verify() == ()
        (found,) = ledger.verify(heads=[head])
        assert head[:16] in found.sentence


@pytest.mark.parametrize(
    "body",
    [
        b'{"at":"2026-01-31T12:00:00","fact":{"by":"b","environment":"e","kind":"first_release","reason":"r"},'
        b'"prev":"%s","schema":1,"seq":1}',
        b'{"at":"2026-01-31T14:00:00+02:00","fact":{"by":"b","environment":"e","kind":"first_release",'
        b'"reason":"r"},"prev":"%s","schema":1,"seq":1}',
        b'{"schema":1,"at":"2026-01-31T12:00:00Z","fact":{"by":"b","environment":"e","kind":"first_release",'
        b'"reason":"r"},"prev":"%s","seq":1}',
        b'{"at":"2026-01-31T12:00:00Z","fact":{"by":"b","by":"c","environment":"e","kind":"first_release",'
        b'"reason":"r"},"prev":"%s","schema":1,"seq":1}',
        b'{"at":"2026-01-31T12:00:00Z","fact":{"by":"b","environment":"e","kind":"first_release",'
        b'"reason":"r"},"prev":"%s","schema":2,"seq":1}',
        b'{"at":"0001-01-01T00:00:00Z","fact":{"by":"b","environment":"e","kind":"first_release",'
        b'"reason":"r"},"prev":"%s","schema":1,"seq":9007199254740993}',
    ],
    ids=["naive time", "other zone", "other order", "key twice", "other schema", "large number"],
)
def test_what_we_never_write_is_damage(original: Path, body: bytes) -> None:
    """Each has the right digest and the right place; only its form is not ours."""
    forged = body % (b"0" * 64)
    digest = hashlib.sha256(forged).hexdigest()
    with copied(original) as ledger:
        with behind_its_back(ledger) as connection:
            connection.execute("DELETE FROM events")
            row = (1, "first_release", forged.decode(), digest)
            connection.execute("INSERT INTO events VALUES (?, ?, ?, ?)", row)
        assert named(ledger.verify(), 1)
        with pytest.raises(LedgerError):
            ledger.append_after(lambda _events: fact(1), at=NOW)


def test_time_that_goes_back_is_damage() -> None:
    first = to_row(Event(seq=1, at=NOW, prev="0" * 64, fact=fact(1)))
    second = to_row(Event(seq=2, at=NOW - timedelta(seconds=61), prev=first.digest, fact=fact(2)))
    (found,) = damage([first, second])
    assert "older than the event before it" in found.sentence


def test_sentence_names_number_kind_and_time(original: Path) -> None:
    with copied(original) as ledger:
        with behind_its_back(ledger) as connection:
            connection.execute("UPDATE events SET digest = 'ff' WHERE seq = 2")
        event = list(ledger.events())[1]
        assert any(
            f"event 2 ({kind_of(event)}, 2026-01-31 12:00:01 UTC) was changed" in found.sentence
            for found in ledger.verify()
        )


@pytest.mark.parametrize("trigger", TRIGGERS)
def test_missing_trigger_is_damage_and_refused_at_open(original: Path, trigger: str) -> None:
    with copied(original) as ledger:
        path = Path(ledger.url.removeprefix("sqlite:///"))
        connection = sqlite3.connect(path, isolation_level=None)
        connection.execute(f"DROP TRIGGER {trigger}")
        connection.close()
        assert [found.seq for found in ledger.verify()] == [0]
        with pytest.raises(LedgerError, match=rf"{trigger} is missing.*ledger-layout"):
            SqliteLedger.open(path, create=True)


def test_nothing_is_decided_on_or_chained_to_a_damaged_ledger(original: Path) -> None:
    with copied(original) as ledger:
        with behind_its_back(ledger) as connection:
            connection.execute("UPDATE events SET kind = 'promoted' WHERE seq = 1")
        with pytest.raises(LedgerError, match="ledger-damaged"):
            ledger.append_after(lambda _events: fact(1), at=NOW + timedelta(minutes=1))
        with behind_its_back(ledger) as connection:
            connection.execute("UPDATE events SET digest = 'ff' WHERE seq = ?", (COUNT,))
        with pytest.raises(LedgerError, match="ledger-damaged"):
            ledger.append(fact(1), at=NOW + timedelta(minutes=1))
