"""How soon a run ends whose limit is broken ten times: a part of ``make accuracy-load``."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.table import Row, row
from release_gates.model.limit import LimitRule
from release_gates.policy.grammar import parse_limit
from release_gates.probes.load.alarm import Alarm
from release_gates.probes.load.drive import drive
from release_gates.probes.load.limits import thresholds_of
from release_gates.probes.load.plan import Phase, Plan
from release_gates.probes.load.recording import Recording
from release_gates.probes.load.targets import Target

ROOT = Path(__file__).resolve().parents[2]
RATE, SECONDS = 500, 30
RULE = LimitRule(name="get.error_rate", limit=parse_limit("<= 1 %"), abort=True)
"""Every tenth request fails: ten times what may."""
SERVER = """
import asyncio, signal, sys, time
last = 0.0
class Server(asyncio.Protocol):
    asked = 0
    def connection_made(self, transport): self.transport = transport
    def data_received(self, data):
        global last
        last, Server.asked = time.monotonic(), Server.asked + 1
        status = b"500 Error" if Server.asked % 10 == 0 else b"200 OK"
        self.transport.write(b"HTTP/1.1 " + status + b"\\r\\nContent-Length: 2\\r\\n\\r\\nok")
async def serve():
    server = await asyncio.get_running_loop().create_server(Server, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    print(last, flush=True)
asyncio.run(serve())
"""


def rows(quick: bool) -> list[Row]:
    """End runs whose error rate is ten times what may be."""
    rounds = [ended() for _ in range(5 if quick else 15)]
    decided, last, gone = zip(*rounds, strict=True)
    return [
        row(f"10x breach at {RATE} req/s: decided after", decided, "s", 0.75),
        row(f"10x breach at {RATE} req/s: last request after", last, "s", 1.0),
        row(f"10x breach at {RATE} req/s: generator gone after", gone, "s", 2.0),
    ]


def ended() -> tuple[float, float, float]:
    """Return after how many seconds a run was decided, the server was asked last, and all was gone."""
    decided = []
    with tempfile.TemporaryDirectory() as folder, served() as (server, url):
        plan = Plan(
            target=url,
            root=str(ROOT),
            traffic="benchmarks.loading.traffic:get",
            phases=(Phase(tag="steady", seconds=SECONDS, rate=RATE),),
            thresholds=thresholds_of((RULE,)),
        )
        alarm = Alarm((RULE,), plan)

        def watch(recording: Recording, at_s: float) -> str:
            reason = alarm.reason(recording)
            if reason:
                decided.append(at_s)
            return reason

        run = drive(plan, Target(url=url), folder=Path(folder), watch=watch)
        gone_s = time.monotonic() - run.started_s
        said, _ = server.communicate(timeout=10)
        return decided[0] if decided else float(SECONDS), float(said) - run.started_s, gone_s


@contextmanager
def served() -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run a server that says when it was asked last as soon as its stdin ends."""
    words = [sys.executable, "-c", SERVER]
    server = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        yield server, f"http://127.0.0.1:{server.stdout.readline().strip()}"
    finally:
        server.kill()
        server.wait()
