"""What the reference engine can do, and how much slower its slow defects are: ``make accuracy-engine``."""

from __future__ import annotations

import json
import os
import random
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from benchmarks.table import Row, report, row
from fixtures.trading_system.build import BINARY, CMAKE_DIR, compile_targets, locked
from fixtures.trading_system.matrix import BENCHMARKS

SLOW = {"slow_match_3pct": 3, "slow_match_5pct": 5, "slow_match_10pct": 10}
MATCH = "match/pooled/1"
OPERATIONS = ("add", "cancel", "replace", "match/1", "match/10", "match/100")
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
    rounds = 5 if quick else 25
    with tempfile.TemporaryDirectory() as folder:
        programs = build(Path(folder))
        return [
            *books(programs["none"], 3 if quick else 9),
            *slow_defects(programs, rounds),
            *throughput(programs["engine"], Path(folder), 2 if quick else 5),
            connections(programs["engine"]),
            row("size of the static binary", [programs["engine"].stat().st_size / 1e6], "MB", 10.0),
        ]


def build(folder: Path) -> dict[str, Path]:
    """Return the engine, and the benchmarks without a defect (``none``) and with each slow one."""
    programs = {}
    with locked(CMAKE_DIR / "lock"):
        for defect in (*SLOW, "none"):
            built = compile_targets("release", (BINARY, BENCHMARKS), f"-DDEFECT={defect}")
            programs[defect] = Path(shutil.copy2(built / BENCHMARKS, folder / defect))
        programs["engine"] = Path(shutil.copy2(built / BINARY, folder / BINARY))
    return programs


def books(program: Path, rounds: int) -> Iterator[Row]:
    """Compare both books, operation by operation."""
    for operation in OPERATIONS:
        name, _, levels = operation.partition("/")
        pooled, plain = (f"{name}/{kind}{f'/{levels}' if levels else ''}" for kind in ("pooled", "map"))
        found = ratios((program, pooled), (program, plain), rounds)
        yield row(f"{operation}: pooled book against std::map, CPU", found, "x", 1.0)


def slow_defects(programs: dict[str, Path], rounds: int) -> Iterator[Row]:
    """Compare a match with each slow defect against one without: how far is it from what its name says?"""
    for defect, percent in SLOW.items():
        found = ratios((programs[defect], MATCH), (programs["none"], MATCH), rounds)
        slower = [100 * (ratio - 1) for ratio in found]
        yield row(f"{defect}: a match is slower by", slower, "%", None)
        off = abs(statistics.median(slower) - percent)
        yield row(f"{defect}: off by", [off], "pp", 1.0)


def ratios(ours: tuple[Path, str], theirs: tuple[Path, str], rounds: int) -> list[float]:
    """Return CPU ratios of a program's benchmark to another's, in pairs whose order changes."""
    found = []
    for _ in range(rounds):
        pair = [ours, theirs]
        random.shuffle(pair)
        measured = {each: cpu_ns(*each) for each in pair}
        found.append(measured[ours] / measured[theirs])
    return found


def cpu_ns(program: Path, benchmark: str) -> float:
    """Return CPU nanoseconds of one operation, the best of a few repetitions."""
    command: list[str | Path] = [program, f"--benchmark_filter=^{benchmark}$", "--benchmark_format=json"]
    command += ["--benchmark_min_time=0.02", "--benchmark_repetitions=5"]
    done = subprocess.run(command, capture_output=True, check=True)
    runs = json.loads(done.stdout)["benchmarks"]
    return float(min(run["cpu_time"] for run in runs if run["run_type"] == "iteration"))


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
