"""What holds for a ledger wherever it is stored: append-only, one chain, no edit unseen, no event lost."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from release_gates.errors import LedgerError
from release_gates.ledger.chain import START, to_row
from release_gates.model.event import Event, Fact, FirstRelease, GateFailed, RunInvalidated

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
COUNT = 6
APPEND = """
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from release_gates.ledger.opening import open_ledger
from release_gates.model.event import GateFailed

url, name, writers, count = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])

def write(writer):
    ledger = open_ledger(url, base=Path("/"), state=Path("/"))
    for number in range(count):
        run = f"{name}-{writer}-{number}"
        fact = GateFailed(run=run, environment="e", candidate="c", gate="g", test="t", because="b")
        if writer % 2:
            ledger.append_after(lambda events: fact, at=datetime.now(UTC))
        else:
            ledger.append(fact, at=datetime.now(UTC))

with ThreadPoolExecutor(writers) as pool:
    list(pool.map(write, range(writers)))
"""
ODD = 'schön €😀 \x00\x1b\n"\\ \ud7ff %s :x'


def fact(number: int) -> Fact:
    if number % 3 == 0:
        return RunInvalidated(run=f"run-{number}", by="bob", reason=ODD)
    if number % 3 == 1:
        return FirstRelease(environment="staging", by="bob", reason=f'a "first" \\ release {number}')
    return GateFailed(run="r", environment="e", candidate="c", gate="g", test="t", because=f"{number} ms")


def fill(store: Any) -> list[Event]:
    ledger = store.open()
    return [ledger.append(fact(number), at=NOW + timedelta(seconds=number)) for number in range(COUNT)]


def start(store: Any, name: str, writers: int, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", APPEND, store.url, name, str(writers), str(count)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def insert(row: Any) -> tuple[str, tuple[object, ...]]:
    return "INSERT INTO EVENTS VALUES (?, ?, ?, ?)", (row.seq, row.kind, row.body.decode(), row.digest)


def test_what_was_appended_is_read_back_byte_for_byte(store: Any) -> None:
    events = fill(store)
    ledger = store.open()
    assert list(ledger.events()) == events
    assert ledger.head() == to_row(events[-1]).digest
    assert ledger.verify(heads=[to_row(events[2]).digest, ledger.head(), START]) == ()
    assert [event.seq for event in events] == list(range(1, COUNT + 1))


def test_empty_ledger(store: Any) -> None:
    ledger = store.open()
    assert (ledger.head(), list(ledger.events()), ledger.verify()) == (START, [], ())


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE {} SET kind = 'x'",
        "DELETE FROM {}",
        "INSERT INTO {} VALUES (1, 'x', 'y', 'z')",
        "INSERT INTO {} VALUES (99, 'x', 'y', 'z')",
    ],
)
def test_a_writer_can_only_append(store: Any, statement: str) -> None:
    fill(store)
    table = "events" if store.kind == "sqlite" else "release_gates.events"
    with pytest.raises(Exception, match=r"append-only|permission denied"):
        store.as_writer(statement.format(table))
    assert store.open().verify() == ()


@pytest.mark.parametrize(
    "edit",
    [
        "UPDATE EVENTS SET body = replace(body, '2 ms', '1 ms')",
        "UPDATE EVENTS SET digest = 'ff' WHERE seq = 2",
        "UPDATE EVENTS SET kind = 'promoted' WHERE seq = 1",
        "UPDATE EVENTS SET body = body || ' ' WHERE seq = 4",
        "UPDATE EVENTS SET body = '' WHERE seq = 4",
        "UPDATE EVENTS SET seq = seq + 100",
        "DELETE FROM EVENTS WHERE seq = 1",
        "DELETE FROM EVENTS WHERE seq = 3",
        f"DELETE FROM EVENTS WHERE seq = {COUNT}",
        "DELETE FROM EVENTS",
    ],
)
def test_no_edit_goes_unseen(store: Any, edit: str) -> None:
    fill(store)
    head = store.open().head()
    store.edit(edit)
    assert store.open().verify(heads=[head])


def test_a_reordered_chain_is_named(store: Any) -> None:
    fill(store)
    store.edit(
        *(f"UPDATE EVENTS SET seq = {new} WHERE seq = {old}" for old, new in ((2, 90), (3, 2), (90, 3)))
    )
    assert {found.seq for found in store.open().verify()} >= {2, 3}


@pytest.mark.parametrize("shorter", [True, False])
def test_a_rewritten_tail_is_found_by_a_head_that_was_seen(store: Any, shorter: bool) -> None:
    events, head = fill(store), store.open().head()
    edits: list[Any] = ["DELETE FROM EVENTS WHERE seq > 3"]
    prev = to_row(events[2]).digest
    for event in [] if shorter else events[3:]:
        row = to_row(Event(seq=event.seq, at=event.at, prev=prev, fact=fact(event.seq + 50)))
        edits.append(insert(row))
        prev = row.digest
    store.edit(*edits)
    assert store.open().verify() == ()
    (found,) = store.open().verify(heads=[head])
    assert head[:16] in found.sentence


def test_nothing_is_decided_on_or_chained_to_a_damaged_ledger(store: Any) -> None:
    fill(store)
    store.edit("UPDATE EVENTS SET kind = 'promoted' WHERE seq = 1")
    with pytest.raises(LedgerError, match="ledger-damaged"):
        store.open().append_after(lambda _events: fact(1), at=NOW + timedelta(minutes=1))
    store.edit(f"UPDATE EVENTS SET digest = 'ff' WHERE seq = {COUNT}")
    with pytest.raises(LedgerError, match="ledger-damaged"):
        store.open().append(fact(1), at=NOW + timedelta(minutes=1))
    assert len(store.open().verify()) >= 2


def test_missing_trigger_is_damage_and_refused_at_open(store: Any) -> None:
    ledger = store.open()
    for trigger in store.triggers[:2]:
        store.drop_trigger(trigger)
        assert any(found.seq == 0 and trigger in found.sentence for found in ledger.verify())
        with pytest.raises(LedgerError, match=rf"{trigger} is missing.*ledger-layout"):
            store.open()


def test_clock_may_go_back_a_minute_and_no_more(store: Any) -> None:
    ledger = store.open()
    ledger.append(fact(1), at=NOW)
    ledger.append(fact(2), at=NOW - timedelta(seconds=60))
    with pytest.raises(LedgerError, match="ledger-clock-back"):
        ledger.append(fact(3), at=NOW - timedelta(seconds=121))
    with pytest.raises(ValueError, match="time zone"):
        ledger.append(fact(3), at=NOW.replace(tzinfo=None))
    assert len(list(ledger.events())) == 2


def test_failed_decision_appends_nothing_and_lets_the_next_one_in(store: Any) -> None:
    def refuse(_events: object) -> Fact:
        raise LedgerError("no", slug="unknown-run")

    ledger = store.open()
    with pytest.raises(LedgerError, match="no"):
        ledger.append_after(refuse, at=NOW)
    assert ledger.head() == START
    ledger.append(fact(1), at=NOW)
    assert ledger.verify() == ()


def test_a_decision_sees_all_that_was_before_it_and_nobody_comes_between(store: Any) -> None:
    fill(store)
    other = start(store, "other", 1, 1)

    def decide(events: Any) -> Fact:
        assert len(events) == COUNT
        assert other.poll() is None
        return fact(1)

    event = store.open().append_after(decide, at=datetime.now(UTC))
    _, errors = other.communicate()
    assert (other.returncode, event.seq in (COUNT + 1, COUNT + 2)) == (0, True), errors
    assert store.open().verify() == ()


def test_twenty_writers_at_once_lose_and_fork_nothing(postgres: Any) -> None:
    """Two processes with ten connections each; every second writer reads the whole chain first.

    What few writers do to a file is in ``test_processes.py``.
    """
    processes = [start(postgres, f"p{number}", 10, 5) for number in range(2)]
    for process in processes:
        _, errors = process.communicate()
        assert process.returncode == 0, errors
    ledger = postgres.open()
    assert ledger.verify() == ()
    runs = [event.fact.run for event in ledger.events()]
    wanted = [f"p{p}-{writer}-{number}" for p in range(2) for writer in range(10) for number in range(5)]
    assert sorted(runs) == sorted(wanted)
