"""What recording costs a locust user: processor time for a request, through our driver and by locust alone.

A part of ``make accuracy-load``.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.table import Row, row
from release_gates.probes.load.generator import Generator
from release_gates.probes.load.plan import Phase, Plan, Threshold

USERS, MOST_PERCENT = 50, 5.0
LOCUSTFILE = """
import time
from locust import FastHttpUser, events, task

class Trader(FastHttpUser):
    @task
    def book(self):
        self.client.get("/book/AAPL", name="book")

begun = []

@events.test_start.add_listener
def start(environment, **others):
    begun.append(time.process_time())

@events.test_stop.add_listener
def stop(environment, **others):
    print("used", time.process_time() - begun[0], environment.stats.total.num_requests, flush=True)
"""
SERVER = """
import asyncio, uvloop

class Server(asyncio.Protocol):
    def connection_made(self, transport):
        self.write = transport.write

    def data_received(self, data):
        self.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok" * data.count(b"\\r\\n\\r\\n"))

async def serve():
    server = await asyncio.get_running_loop().create_server(Server, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()

uvloop.run(serve())
"""


def rows(quick: bool) -> list[Row]:
    """Run locust alone and through the driver in turn; the bar is on the median of the rounds' ratios."""
    rounds, seconds = (5, 2) if quick else (9, 5)
    ours: list[float] = []
    bare: list[float] = []
    with tempfile.TemporaryDirectory() as folder, served() as url:
        file = Path(folder) / "locustfile.py"
        file.write_text(LOCUSTFILE)
        for number in range(rounds):
            for series in (bare, ours) if number % 2 else (ours, bare):
                run = alone if series is bare else recorded
                series.append(run(url, file, seconds))
    more = [100 * (mine / theirs - 1) for mine, theirs in zip(ours, bare, strict=True)]
    return [
        row("locust FastHttpUser alone: CPU for a request", bare, "us", None),
        row("through the locust driver, recording: CPU for a request", ours, "us", None),
        row("through the locust driver: beyond locust alone", more, "%", MOST_PERCENT),
    ]


@contextmanager
def served() -> Iterator[str]:
    """Serve two bytes as fast as a process of Python can."""
    server = subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    try:
        yield f"http://127.0.0.1:{server.stdout.readline().strip()}"
    finally:
        server.kill()
        server.wait()


def alone(url: str, file: Path, seconds: int) -> float:
    """Return locust's own processor time for a request in microseconds, as its command line runs it."""
    words = ["--headless", "--only-summary", "-u", str(USERS), "-r", str(USERS), "-t", str(seconds)]
    done = subprocess.run(
        [sys.executable, "-m", "locust", "-f", file.name, "--host", url, *words],
        cwd=file.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    return used(done.stdout)


def recorded(url: str, file: Path, seconds: int) -> float:
    """Return the same through the driver, with limits to count at, and frames every 100 ms."""
    plan = Plan(
        target=url,
        root=str(file.parent),
        locustfile=file.name,
        phases=(Phase(tag="steady", seconds=seconds, users=USERS),),
        thresholds=(Threshold(edge_s=0.1), Threshold(edge_s=0.5), Threshold(edge_s=1.0)),
    )
    log = file.parent / "generator.log"
    log.unlink(missing_ok=True)
    generator = Generator("locust", plan, folder=file.parent, environ=os.environ)
    ended = generator.run(lambda _recording, _at_s: "")
    if ended.how != "finished":
        raise RuntimeError(ended.because)
    return used(log.read_text())


def used(text: str) -> float:
    """Read what the locustfile printed."""
    _, cpu_s, requests = next(line for line in text.splitlines() if line.startswith("used ")).split()
    return 1e6 * float(cpu_s) / int(requests)
