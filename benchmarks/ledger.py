"""Speed of the ledger and of evidence: ``python -m benchmarks.ledger [--quick]``.

Prints a table, writes ``benchmarks/results/ledger.json`` and ends with 1 if a bar is missed.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from release_gates.ledger.chain import START, Row, damage, to_row
from release_gates.ledger.evidence import EvidenceWriter, read_evidence
from release_gates.ledger.history import history
from release_gates.ledger.sqlite import SqliteLedger
from release_gates.model.candidate import Artifact, ReleaseCandidate
from release_gates.model.event import Event, Fact, GateFailed, RunStarted
from release_gates.model.evidence import HostFacts, RunHeader, TestRecord
from release_gates.model.measurement import Measurement
from release_gates.model.outcome import Outcome

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
RESULTS = Path(__file__).parent / "results" / "ledger.json"
CANDIDATE = ReleaseCandidate(
    name="engine",
    version="1.2.0",
    commit="0" * 40,
    artifacts=tuple(Artifact(name=f"part-{number}", sha256=f"{number:064x}") for number in range(4)),
)
HOST = HostFacts(
    hostname="h",
    cpu_model="c",
    cores=2,
    numa_nodes=1,
    kernel="k",
    governor="g",
    python="3",
    fingerprint="f",
)
HEADER = RunHeader(
    run="r",
    environment="staging",
    candidate=CANDIDATE,
    rules="0" * 64,
    host=HOST,
    actor="a",
    command=(),
    plugins=(),
    started=NOW,
)


def rows(*, quick: bool = False) -> list[dict[str, Any]]:
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


def _chain(count: int, bar_s: float, samples: int) -> Iterator[dict[str, Any]]:
    chain = list(_chained(count))
    head = chain[-1].digest
    times = _timed(lambda: _expect(not list(damage(chain, heads=[head]))), samples)
    yield _row(f"verify {count:,} events in memory", times, "s", bar_s)


def _store(folder: Path, count: int, bar_s: float, samples: int) -> Iterator[dict[str, Any]]:
    ledger = SqliteLedger.open(folder / "large.db", create=True)
    _fill(ledger, count)
    times = _timed(lambda: _expect(not ledger.verify()), samples)
    yield _row(f"verify {count:,} events of a ledger file", times, "s", bar_s)

    def read() -> None:
        events = list(ledger.events())
        history(events, candidate=CANDIDATE.digest, environment="staging", rules="0", run="-")

    yield _row(f"history of {count:,} events", _timed(read, samples), "s", bar_s)


def _appending(folder: Path, count: int) -> Iterator[dict[str, Any]]:
    ledger = SqliteLedger.open(folder / "small.db", create=True)
    moments = iter([NOW + timedelta(seconds=number) for number in range(count)])
    times = [1000 * each for each in _timed(lambda: ledger.append(_fact(1), at=next(moments)), count)]
    yield _row("append one event, with fsync", times, "ms", 50.0)


def _evidence(folder: Path, count: int, bar_s: float, samples: int) -> Iterator[dict[str, Any]]:
    records = [_record(number) for number in range(count)]
    path = folder / "evidence.jsonl"
    writer = EvidenceWriter(path, HEADER)

    def write() -> None:
        for record in records:
            writer.write(record)

    yield _row("write one test record", [_once(write) / count * 1e6], "us", 20.0, count)
    writer.end(ended=NOW, problems=())
    times = _timed(lambda: _expect(len(read_evidence(path).tests) == count), samples)
    yield _row(f"read {count:,} test records", times, "s", bar_s)


def _chained(count: int) -> Iterator[Row]:
    before = START
    for seq in range(1, count + 1):
        at = NOW + timedelta(seconds=seq)
        row = to_row(Event(seq=seq, at=at, prev=before, fact=_fact(seq)))
        before = row.digest
        yield row


def _fact(seq: int) -> Fact:
    if seq % 4 == 0:
        return RunStarted(
            run=f"run-{seq}",
            environment="staging",
            candidate=CANDIDATE,
            rules="0" * 64,
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


def _row(what: str, times: list[float], unit: str, bar: float, samples: int = 0) -> dict[str, Any]:
    value = statistics.median(times)
    return {
        "what": what,
        "value": round(value, 4),
        "unit": unit,
        "bar": f"<= {bar:g} {unit}",
        "ok": value <= bar,
        "samples": samples or len(times),
        "machine": f"{platform.machine()}, {os.cpu_count()} CPUs, Python {platform.python_version()}",
    }


def main(arguments: list[str]) -> int:
    """Print the table and write the file; 1 if a bar is missed."""
    found = rows(quick="--quick" in arguments)
    for row in found:
        held = "ok" if row["ok"] else "NO"
        print(f"{row['what']:45} {row['value']:>10} {row['unit']:3} {row['bar']:12} {held}")
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return 0 if all(row["ok"] for row in found) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
