"""No edit of a ledger goes unseen, whoever writes behind the triggers' back."""

from __future__ import annotations

import hashlib
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from release_gates.errors import LedgerError
from release_gates.ledger.chain import START, Row, damage, to_row
from release_gates.ledger.sqlite import SqliteLedger
from release_gates.model.event import Event, FirstRelease, GateFailed

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)


def fact(number: int) -> GateFailed:
    return GateFailed(
        run=f"run-{number}",
        environment="staging",
        candidate="c" * 64,
        gate="smoke",
        test="t",
        because=f"n {number}",
    )


def chain(count: int) -> list[Row]:
    rows: list[Row] = []
    before = START
    for seq in range(1, count + 1):
        event = Event(seq=seq, at=NOW + timedelta(seconds=seq), prev=before, fact=fact(seq))
        rows.append(to_row(event))
        before = rows[-1].digest
    return rows


def test_whole_chain_has_no_damage() -> None:
    assert list(damage(chain(5), heads=[chain(5)[-1].digest, chain(5)[1].digest, START])) == []


@given(st.integers(1, 6), st.data())
def test_any_changed_byte_is_found_and_named(count: int, data: st.DataObject) -> None:
    rows = chain(count)
    victim = data.draw(st.integers(0, count - 1))
    place = data.draw(st.integers(0, len(rows[victim].body) - 1))
    value = data.draw(st.integers(0, 255).filter(lambda byte: byte != rows[victim].body[place]))
    body = bytearray(rows[victim].body)
    body[place] = value
    rows[victim] = Row(rows[victim].seq, rows[victim].kind, bytes(body), rows[victim].digest)
    assert victim + 1 in {found.seq for found in damage(rows)}


@given(st.integers(2, 6), st.data())
def test_any_removed_event_is_found(count: int, data: st.DataObject) -> None:
    rows = chain(count)
    head = rows[-1].digest
    del rows[data.draw(st.integers(0, count - 1))]
    assert list(damage(rows, heads=[head]))


@given(st.integers(2, 6), st.data())
def test_any_reordering_is_found(count: int, data: st.DataObject) -> None:
    rows = chain(count)
    order = data.draw(st.permutations(range(count)).filter(lambda found: found != list(range(count))))
    assert list(damage([rows[index] for index in order], heads=[rows[-1].digest]))


@given(st.integers(1, 5), st.data())
def test_any_insertion_is_found(count: int, data: st.DataObject) -> None:
    rows = chain(count)
    head = rows[-1].digest
    place = data.draw(st.integers(0, count))
    before = rows[place - 1].digest if place else START
    event = Event(
        seq=place + 1, at=NOW, prev=before, fact=FirstRelease(environment="staging", by="x", reason="y")
    )
    rows.insert(place, to_row(event))
    assert list(damage(rows, heads=[head])) or place == count


def test_a_tail_that_was_rewritten_in_full_is_found_by_a_head_that_was_seen() -> None:
    seen = chain(5)[-1].digest
    rows = chain(3)
    for seq in (4, 5):
        event = Event(seq=seq, at=NOW + timedelta(seconds=seq), prev=rows[-1].digest, fact=fact(seq + 100))
        rows.append(to_row(event))
    assert list(damage(rows)) == []
    (found,) = damage(rows, heads=[seen])
    assert seen[:16] in found.sentence
    assert "cut off or rewritten" in found.sentence


def test_digest_that_fits_a_body_of_another_kind_is_found() -> None:
    rows = chain(2)
    rows[0] = Row(1, "promoted", rows[0].body, rows[0].digest)
    (found,) = damage(rows)
    assert "its content is a gate_failed" in found.sentence


@settings(max_examples=50)
@given(st.binary(max_size=300))
def test_garbage_as_a_body_is_damage_and_no_exception(body: bytes) -> None:
    row = Row(1, "run_started", body, hashlib.sha256(body).hexdigest())
    assert list(damage([row]))


class TestStore:
    def test_triggers_refuse_update_delete_and_replace(self, ledger: SqliteLedger, tmp_path: Path) -> None:
        ledger.append(fact(1), at=NOW)
        connection = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
        for statement in (
            "UPDATE events SET kind = 'x'",
            "DELETE FROM events",
            "INSERT OR REPLACE INTO events VALUES (1, 'x', 'y', 'z')",
            "INSERT INTO events VALUES (7, 'x', 'y', 'z')",
        ):
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                connection.execute(statement)
        connection.close()
        assert ledger.verify() == ()

    def test_configured_and_absent_is_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(LedgerError, match="there is no ledger"):
            SqliteLedger.open(tmp_path / "lost.db", create=False)

    def test_file_that_is_no_database(self, tmp_path: Path) -> None:
        path = tmp_path / "ledger.db"
        path.write_bytes(b"this is not a database, it is a text of some length" * 20)
        with pytest.raises(LedgerError, match="not-a-ledger"):
            SqliteLedger.open(path, create=True)
