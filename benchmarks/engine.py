"""What the reference engine can do, and how much slower its slow defects are: ``make accuracy-engine``."""

from __future__ import annotations

import json
import os
import random
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from benchmarks.table import Row, report, row
from fixtures.trading_system.build import BINARY, CMAKE_DIR, compile_targets, locked
from fixtures.trading_system.matrix import BENCHMARKS

SLOW_PERCENT = (3, 5, 10)
OPERATIONS = ("add_cancel", "replace", "match/1", "match/10", "match/100")
CONNECTIONS = 5_000
LEAST_ORDERS_PER_S = 20_000
HEALTH = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
ORDERS = """
local id = 0
request = function()
  id = id + 1
  return wrk.format("POST", "/orders", nil, string.format(
    '{"id":%d,"symbol":"AAPL","trader":"alice","side":"%s","type":"limit","price":100,"quantity":5}',
    id, id % 2 == 0 and "sell" or "buy"))
end
done = function(summary, latency, requests)
  local errors = summary.errors
  local bad = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  io.stderr:write(string.format("%d %d %d", summary.requests, summary.duration, bad))
end
"""


def measure(quick: bool) -> list[Row]:
    """Build what is measured, then measure it; ``quick`` takes fewer rounds."""
    built = build()
    with tempfile.TemporaryDirectory() as folder:
        return [
            *books(built / BENCHMARKS, 3 if quick else 9),
            *slow_defects(built / BENCHMARKS, 3 if quick else 9),
            *throughput(built / BINARY, Path(folder), 2 if quick else 5),
            connections(built / BINARY),
            row("size of the static binary", [(built / BINARY).stat().st_size / 1e6], "MB", 10.0),
        ]


def build() -> Path:
    """Return the folder of the release flavour, with the engine and its benchmarks."""
    with locked(CMAKE_DIR / "lock"):
        return compile_targets("release", (BINARY, BENCHMARKS), "-DDEFECT=none")


def books(program: Path, rounds: int) -> Iterator[Row]:
    """Compare both books, operation by operation."""
    for operation in OPERATIONS:
        name, _, levels = operation.partition("/")
        pooled, plain = (f"{name}/{kind}{f'/{levels}' if levels else ''}" for kind in ("pooled", "map"))
        found = ratios(program, pooled, plain, rounds)
        yield row(f"{operation}: pooled book against std::map, CPU", found, "x", 1.0)


def slow_defects(program: Path, rounds: int) -> Iterator[Row]:
    """Tell how far each slow defect is from what its name says, both timed in turn in one process."""
    for percent in SLOW_PERCENT:
        name = f"slow_match/{percent}pct/iterations:20000"
        slower = [float(run["slower_pct"]) for _ in range(rounds) for run in runs_of(program, name)]
        yield row(f"slow_match_{percent}pct: a match is slower by", slower, "%", None)
        yield row(f"slow_match_{percent}pct: off by", [abs(each - percent) for each in slower], "pp", 1.0)


def ratios(program: Path, ours: str, theirs: str, rounds: int) -> list[float]:
    """Return CPU ratios of one benchmark to another, in pairs whose order changes."""
    found = []
    for _ in range(rounds):
        pair = [ours, theirs]
        random.shuffle(pair)
        measured = {name: min(float(run["cpu_time"]) for run in runs_of(program, name)) for name in pair}
        found.append(measured[ours] / measured[theirs])
    return found


def runs_of(program: Path, benchmark: str) -> list[dict[str, Any]]:
    """Run one benchmark a few times; return what Google Benchmark says of each."""
    command: list[str | Path] = [program, f"--benchmark_filter=^{benchmark}$", "--benchmark_format=json"]
    command += ["--benchmark_min_time=0.02", "--benchmark_repetitions=5"]
    done = subprocess.run(command, capture_output=True, check=True)
    return [run for run in json.loads(done.stdout)["benchmarks"] if run["run_type"] == "iteration"]


def throughput(engine: Path, folder: Path, rounds: int) -> Iterator[Row]:
    """Let wrk send orders through 64 connections to an engine that has one core."""
    script = folder / "orders.lua"
    script.write_text(ORDERS, encoding="utf-8")
    for what, arguments in (("", ()), (", with a journal", ("--journal", str(folder / "journal")))):
        found = []
        for _ in range(rounds):
            (folder / "journal").unlink(missing_ok=True)
            (folder / "journal.snapshot").unlink(missing_ok=True)
            with running(engine, "--engine-cpu", "0", "--gateway-cpu", "0", *arguments) as url:
                found.append(order_us(url, script))
        bar = 1e6 / LEAST_ORDERS_PER_S
        yield row(f"an order on one core, 64 connections{what}", found, "us", bar)


def order_us(url: str, script: Path) -> float:
    """Return the microseconds between two answers. Raises RuntimeError if a single one was no 201."""
    command = ["taskset", "-c", str(max(os.sched_getaffinity(0)))]
    command += ["wrk", "-t1", "-c64", "-d5s", "-s", str(script), url]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    requests, duration_us, bad = map(int, done.stderr.split())
    taken = httpx.get(f"{url}/metrics").text.split('engine_orders_total{outcome="accepted"} ')[1].split()[0]
    if bad or int(taken) < requests:
        raise RuntimeError(f"{bad} of {requests} orders failed, {taken} were accepted")
    return duration_us / requests


def connections(engine: Path) -> Row:
    """Hold many keep-alive connections, and ask on each of them twice."""
    with running(engine) as url:
        parts = httpx.URL(url)
        held = [
            socket.create_connection((parts.host, parts.port or 0), timeout=10) for _ in range(CONNECTIONS)
        ]
        silent = 0
        for _ in range(2):
            for each in held:
                each.sendall(HEALTH)
            silent += sum(not each.recv(4096).startswith(b"HTTP/1.1 200") for each in held)
        for each in held:
            each.close()
    return row(f"{CONNECTIONS:,} connections held: unanswered requests", [silent], "", 0.0)


@contextmanager
def running(engine: Path, *arguments: str) -> Iterator[str]:
    """Run an engine on a free port of the loopback."""
    with subprocess.Popen(
        [engine, *arguments], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            assert process.stdout is not None
            yield f"http://127.0.0.1:{json.loads(process.stdout.readline())['port']}"
        finally:
            process.terminate()


if __name__ == "__main__":
    sys.exit(report("engine", measure))
