"""Several processes append at once, and processes are killed while they append."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from release_gates.ledger.sqlite import SqliteLedger

APPEND = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from release_gates.ledger.sqlite import SqliteLedger
from release_gates.model.event import GateFailed

path, name, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
ledger = SqliteLedger.open(path, create=True)
for number in range(count):
    fact = GateFailed(run=f"{name}-{number}", environment="e", candidate="c", gate="g", test="t", because="b")
    ledger.append(fact, at=datetime.now(UTC))
    print(number, flush=True)
"""


def start(path: Path, name: str, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", APPEND, str(path), name, str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_four_writers_lose_and_fork_nothing(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    writers = [start(path, f"w{number}", 15) for number in range(4)]
    for writer in writers:
        writer.communicate()
        assert writer.returncode == 0
    ledger = SqliteLedger.open(path, create=False)
    assert ledger.verify() == ()
    runs = [event.fact.run for event in ledger.events() if hasattr(event.fact, "run")]
    assert sorted(runs) == sorted(f"w{writer}-{number}" for writer in range(4) for number in range(15))


def test_writer_killed_at_any_moment_leaves_a_valid_chain(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    acknowledged = 0
    for attempt in range(20):
        writer = start(path, f"k{attempt}", 10_000)
        assert writer.stdout is not None
        acknowledged += bool(writer.stdout.readline())
        time.sleep(0.002 * (attempt % 7))
        writer.kill()
        rest, _ = writer.communicate()
        acknowledged += rest.count("\n")
        assert SqliteLedger.open(path, create=False).verify() == ()
    ledger = SqliteLedger.open(path, create=False)
    assert len(list(ledger.events())) >= acknowledged


def test_first_to_come_makes_the_ledger_once(tmp_path: Path) -> None:
    for attempt in range(3):
        path = tmp_path / str(attempt) / "ledger.db"
        writers = [start(path, f"w{number}", 1) for number in range(6)]
        for writer in writers:
            writer.communicate()
            assert writer.returncode == 0
        ledger = SqliteLedger.open(path, create=False)
        assert ledger.verify() == ()
        assert len(list(ledger.events())) == 6


def test_event_is_readable_by_others_as_soon_as_append_returned(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    writer = start(path, "w", 30)
    assert writer.stdout is not None
    for line in writer.stdout:
        ledger = SqliteLedger.open(path, create=False)
        assert len(list(ledger.events())) > int(line)
    writer.communicate()
    assert writer.returncode == 0
