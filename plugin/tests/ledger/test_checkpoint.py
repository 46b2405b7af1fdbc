"""A note of where the ledger was: a ledger that was rewound, rebuilt or exchanged moves nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import json

from release_gates.errors import LedgerError
from release_gates.ledger.chain import to_row
from release_gates.ledger.checkpoint import check_checkpoint, read_checkpoint, write_checkpoint
from release_gates.ledger.notes import FileNote
from release_gates.ledger.protocol import Ledger
from release_gates.ledger.sqlite import SqliteLedger
from release_gates.model.checkpoint import Checkpoint, Noted
from release_gates.model.event import Event, FirstRelease
from release_gates.model.trust import Trust
from release_gates.testing import GateProject

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)


def fact(number: int) -> FirstRelease:
    return FirstRelease(environment="staging", by="bob", reason=f"n {number}")


def fill(ledger: Any, count: int) -> None:
    for number in range(count):
        ledger.append(fact(number), at=NOW + timedelta(seconds=number))


def rewritten(store: Any, since: int, count: int) -> None:
    """Put another, consistent end in place of everything from an event on."""
    prev = to_row(list(store.open().events())[since - 2]).digest
    edits: list[Any] = [f"DELETE FROM EVENTS WHERE seq >= {since}"]
    for seq in range(since, since + count):
        row = to_row(Event(seq=seq, at=NOW + timedelta(minutes=seq), prev=prev, fact=fact(seq + 100)))
        values = (row.seq, row.kind, row.body.decode(), row.digest)
        edits.append(("INSERT INTO EVENTS VALUES (?, ?, ?, ?)", values))
        prev = row.digest
    store.edit(*edits)


def note(path: Path, ledger: Ledger) -> Checkpoint:
    return write_checkpoint(FileNote(path), ledger, Trust(), now=NOW).checkpoint


def read(path: Path) -> Noted:
    return read_checkpoint(FileNote(path), Trust(), now=NOW)


def test_what_grew_since_still_holds_it(store: Any, tmp_path: Path) -> None:
    path, ledger = tmp_path / "seen.json", store.open()
    fill(ledger, 3)
    made = note(path, ledger)
    first = to_row(next(iter(ledger.events()))).digest
    assert (made.seq, made.digest, made.ledger) == (3, ledger.head(), first)
    assert read(path).checkpoint == made
    ledger.append(fact(9), at=NOW + timedelta(minutes=1))
    check_checkpoint(read(path), ledger.events())
    assert note(path, ledger).seq == 4
    assert note(path, ledger).seq == 4


@pytest.mark.parametrize(
    ("since", "count", "said"), [(3, 0, "rewound"), (2, 2, "rebuilt"), (3, 9, "rebuilt")]
)
def test_rewound_and_rebuilt(store: Any, tmp_path: Path, since: int, count: int, said: str) -> None:
    path = tmp_path / "seen.json"
    fill(store.open(), 3)
    note(path, store.open())
    before = path.read_bytes()
    rewritten(store, since, count)
    ledger = store.open()
    assert ledger.verify() == ()
    with pytest.raises(LedgerError, match=rf"{said}.*ledger-rewound"):
        check_checkpoint(read(path), ledger.events())
    with pytest.raises(LedgerError, match="ledger-rewound"):
        note(path, ledger)
    assert path.read_bytes() == before


def test_nothing_is_noted_of_an_empty_or_damaged_ledger(store: Any, tmp_path: Path) -> None:
    path = tmp_path / "seen.json"
    with pytest.raises(LedgerError, match="checkpoint-empty"):
        note(path, store.open())
    fill(store.open(), 2)
    store.edit("UPDATE EVENTS SET digest = 'ff' WHERE seq = 1")
    with pytest.raises(LedgerError, match="ledger-damaged"):
        note(path, store.open())
    assert not path.exists()


def test_place_where_nothing_can_be_written(ledger: SqliteLedger, tmp_path: Path) -> None:
    fill(ledger, 1)
    with pytest.raises(LedgerError, match="checkpoint-unwritable"):
        note(tmp_path / "absent" / "seen.json", ledger)


def refused(path: Path, slug: str = "checkpoint-unreadable") -> None:
    with pytest.raises(LedgerError, match=slug):
        read(path)


def test_absent_and_foreign_files(tmp_path: Path) -> None:
    refused(tmp_path / "lost.json")
    refused(tmp_path)
    path = tmp_path / "seen.json"
    good = {"schema": 1, "seq": 1, "at": "2026-01-31T12:00:00Z", "digest": "a" * 64}
    path.write_bytes(json.encode(good))
    assert read(path).checkpoint.seq == 1
    for change in (
        {"schema": 2},
        {"seq": 0},
        {"seq": True},
        {"seq": 1.5},
        {"digest": ""},
        {"digest": "A" * 64},
        {"at": "yesterday"},
        {"ledger": "a"},
        {"more": 1},
    ):
        path.write_bytes(json.encode({**good, **change}))
        refused(path)
    path.write_bytes(json.encode(good) + b" " * 20_000)
    refused(path)


@given(st.binary(max_size=200))
def test_garbage_is_no_checkpoint(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "garbage.json"
    path.write_bytes(data)
    refused(path, "checkpoint-unreadable|envelope-malformed")


SUITE = """
import pytest

@pytest.mark.gate("smoke")
def test_speed(gate):
    gate.measure("order.time", 3, "ms")
"""


def test_a_rewound_ledger_promotes_nothing(tmp_path: Path) -> None:
    """A FAIL that sticks is forgotten by a new ledger: without the checkpoint its PROMOTE would move."""
    project = GateProject(tmp_path)
    project.write("suites/test_smoke.py", SUITE)
    project.limits("smoke", {"order.time": "<= 5 ms"})
    project.expect()
    seen = {"GATE_CHECKPOINT": "seen.json"}
    assert project.cli("first-release", "staging", "--reason", "new").status == 0
    assert project.cli("ledger", "checkpoint").status == 2
    assert project.cli("ledger", "checkpoint", "seen.json").status == 0
    for file in [*(tmp_path / ".gates").glob("ledger.db*"), *(tmp_path / ".gates").glob("verdict-*")]:
        file.unlink()
    assert project.cli("first-release", "staging", "--reason", "another").status == 0
    assert project.run().promotes
    for words in (("promote", "--to", "staging"), ("status",), ("run", "staging")):
        result = project.cli(*words, env=seen)
        assert (result.status, "ledger-rewound" in result.output) == (2, True), result.output
    result = project.cli("--gate-checkpoint", "seen.json", "verify")
    assert (result.status, "rebuilt" in result.output) == (1, True), result.output
    (tmp_path / "seen.json").unlink()
    result = project.cli("promote", "--to", "staging", env=seen)
    assert (result.status, "checkpoint-unreadable" in result.output) == (2, True), result.output
    assert project.cli("promote", "--to", "staging").status == 0  # as it would have been
