"""Speed of the ledger and of evidence: ``make accuracy-ledger``."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

from benchmarks.samples import CANDIDATE, HEADER, NOW, RULES
from benchmarks.table import Row, report, row
from release_gates.ledger.bearing import history
from release_gates.ledger.chain import START, damage, to_row
from release_gates.ledger.chain import Row as StoredRow
from release_gates.ledger.evidence import EvidenceWriter, read_evidence
from release_gates.ledger.sqlite import SqliteLedger
from release_gates.model.event import Event, Fact, GateFailed, RunStarted
from release_gates.model.evidence import TestRecord
from release_gates.model.measurement import Measurement
from release_gates.model.outcome import Outcome


def measure(quick: bool) -> list[Row]:
    """Measure everything; each row has what, value, unit, bar, ok, samples and machine.

    ``quick`` takes a tenth of the events and records, and a tenth of each bar that grows with them.
    """
    share, samples = (10, 1) if quick else (1, 3)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        return [
            *_chain(100_000 // share, 5.0 / share, samples),
            *_store(place, 100_000 // share, 5.0 / share, samples),
            *_appending(place, 200 // share * 2),
            *_evidence(place, 100_000 // share, 5.0 / share, samples),
        ]


def _chain(count: int, bar_s: float, samples: int) -> Iterator[Row]:
    chain = list(_chained(count))
    head = chain[-1].digest
    times = _timed(lambda: _expect(not list(damage(chain, heads=[head]))), samples)
    yield row(f"verify {count:,} events in memory", times, "s", bar_s)


def _store(folder: Path, count: int, bar_s: float, samples: int) -> Iterator[Row]:
    ledger = SqliteLedger.open(folder / "large.db", create=True)
    _fill(ledger, count)
    times = _timed(lambda: _expect(not ledger.verify()), samples)
    yield row(f"verify {count:,} events of a ledger file", times, "s", bar_s)

    def read() -> None:
        events = list(ledger.events())
        history(events, candidate=CANDIDATE.digest, environment="staging", rules=RULES, run="-")

    yield row(f"history of {count:,} events", _timed(read, samples), "s", bar_s)


def _appending(folder: Path, count: int) -> Iterator[Row]:
    ledger = SqliteLedger.open(folder / "small.db", create=True)
    moments = iter([NOW + timedelta(seconds=number) for number in range(count)])
    times = [1000 * each for each in _timed(lambda: ledger.append(_fact(1), at=next(moments)), count)]
    yield row("append one event, with fsync", times, "ms", 50.0)


def _evidence(folder: Path, count: int, bar_s: float, samples: int) -> Iterator[Row]:
    records = [_record(number) for number in range(count)]
    path = folder / "evidence.jsonl"
    writer = EvidenceWriter(path, HEADER)

    def write() -> None:
        for record in records:
            writer.write(record)

    yield row("write one test record", [_once(write) / count * 1e6], "us", 20.0)
    writer.end(ended=NOW, problems=())
    times = _timed(lambda: _expect(len(read_evidence(path).tests) == count), samples)
    yield row(f"read {count:,} test records", times, "s", bar_s)


def _chained(count: int) -> Iterator[StoredRow]:
    before = START
    for seq in range(1, count + 1):
        at = NOW + timedelta(seconds=seq)
        stored = to_row(Event(seq=seq, at=at, prev=before, fact=_fact(seq)))
        before = stored.digest
        yield stored


def _fact(seq: int) -> Fact:
    if seq % 4 == 0:
        return RunStarted(
            run=f"run-{seq}",
            environment="staging",
            candidate=CANDIDATE,
            rules=RULES,
            actor="a",
            evidence=(f".gates/evidence/run-{seq}.jsonl",),
        )
    return GateFailed(
        run=f"run-{seq}",
        environment="staging",
        candidate=CANDIDATE.digest,
        gate="load",
        test="suites/load/test_order_entry.py::test_order_entry_under_ramp",
        because="order_entry.p95 is 612 ms, allowed <= 500 ms",
    )


def _fill(ledger: SqliteLedger, count: int) -> None:
    """Write a long chain in one transaction: the ledger itself brings each event to the disk."""
    with ledger._transaction() as connection:
        connection.executemany(
            "INSERT INTO events VALUES (?, ?, ?, ?)",
            ((row.seq, row.kind, row.body.decode(), row.digest) for row in _chained(count)),
        )


def _record(number: int) -> TestRecord:
    return TestRecord(
        id=f"suites/unit/test_book.py::test_book[{number}]",
        gate="smoke",
        outcome=Outcome.PASS,
        phases=("setup", "call", "teardown"),
        measurements=(Measurement(name="book.depth", value=float(number), unit="count"),),
        finished=NOW,
        duration_s=0.001,
    )


def _timed(act: Callable[[], object], samples: int) -> list[float]:
    return [_once(act) for _ in range(samples)]


def _once(act: Callable[[], object]) -> float:
    start = time.perf_counter()
    act()
    return time.perf_counter() - start


def _expect(held: bool) -> None:
    if not held:
        raise RuntimeError("what was measured did not give the right answer")


if __name__ == "__main__":
    sys.exit(report("ledger", measure))
