"""How fast and how right the open driver is, beside wrk and locust: a part of ``make accuracy-load``.

The target of the bars is the reference engine. Where nginx is installed, the same without a bar: it answers
faster than any generator of Python asks.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.engine import build, running
from benchmarks.loading.stalling_server import truth_s
from benchmarks.loading.traffic import BODY
from benchmarks.table import Row, row
from fixtures.trading_system.build import BINARY
from release_gates.probes.load.buckets import quantile
from release_gates.probes.load.generator import Generator
from release_gates.probes.load.health import too_late, unfit
from release_gates.probes.load.open.connector import allow_descriptors
from release_gates.probes.load.plan import Phase, Plan, Threshold

ROOT = Path(__file__).resolve().parents[2]
CONNECTIONS, MANY = (50, 500), 5_000
METHODS = {"get": "/health", "post": "/echo"}
LOCUST_AT_MOST, WRK_AT_MOST = 1 / 5, 1 / 0.6
MOST_CPU_US, MOST_MIB, MOST_PERCENT = 20.0, 150.0, 5.0
QUANTILES = (0.95, 0.99, 0.999)
EDGES = (Threshold(edge_s=0.1), Threshold(edge_s=0.5))
ALL = range(100_000)
LOCUSTFILE = """
import time
from locust import FastHttpUser, events, task

class Trader(FastHttpUser):
    @task
    def ask(self):
        {call}

since = []

@events.spawning_complete.add_listener
def all_there(user_count):
    since.append((time.monotonic(), Trader.environment.stats.total.num_requests))

@events.test_start.add_listener
def start(environment, **others):
    Trader.environment = environment

@events.test_stop.add_listener
def stop(environment, **others):
    (began, before), total = since[0], environment.stats.total
    assert total.num_failures == 0
    print("rate", (total.num_requests - before) / (time.monotonic() - began), flush=True)
"""
CALLS = {
    "get": 'self.client.get("/health")',
    "post": f'self.client.post("/echo", data={BODY!r})',
}
NGINX = """
daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log; worker_rlimit_nofile 16384;
events {{ worker_connections 8192; }}
http {{
  access_log off; keepalive_requests 1000000000;
  client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder};
  server {{ listen 127.0.0.1:{port}; location / {{ return 200 "ok"; }} }}
}}
"""


@dataclass(slots=True)
class Rounds:
    """Requests a second of three generators, and the driver's processor time for a request."""

    ours: list[float] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)
    wrk: list[float] = field(default_factory=list)
    locust: list[float] = field(default_factory=list)


def rows(quick: bool) -> list[Row]:
    """Measure everything; ``quick`` takes shorter rounds."""
    rounds, seconds = (5, 1) if quick else (7, 3)
    allow_descriptors(MANY)
    with running(build() / BINARY, "--echo") as url:
        found = [
            each
            for method in METHODS
            for connections in CONNECTIONS
            for each in against_engine(url, method, connections, rounds, seconds)
        ]
        found.append(memory(url))
    found += beside_nginx(rounds, seconds)
    return [*found, *accuracy(rounds, 5 if quick else 10)]


def against_engine(url: str, method: str, connections: int, rounds: int, seconds: int) -> Iterator[Row]:
    """Let the three ask the engine as fast as they can, in turn."""
    found, what = Rounds(), f"{method.upper()}, {connections} connections"
    for number in range(rounds):
        turns = [ask, ask_by_wrk, ask_by_locust]
        for turn in turns[number % 3 :] + turns[: number % 3]:
            turn(found, url, method, connections, seconds)
    yield row(f"{what}: requests a second", found.ours, "1/s", None)
    yield row(f"{what}: CPU for a request, recording on", found.cpu_us, "us", MOST_CPU_US)
    yield row(
        f"{what}: locust FastHttpUser's rate to ours", shares(found.locust, found.ours), "x", LOCUST_AT_MOST
    )
    yield row(f"{what}: wrk's rate to ours", shares(found.wrk, found.ours), "x", WRK_AT_MOST)


def ask(found: Rounds, url: str, method: str, connections: int, seconds: int) -> None:
    """Let the open driver ask: every connection again as soon as it was answered."""
    phases = (Phase(tag="steady", seconds=seconds, users=connections),)
    run, _ = drive(plan(url, method, phases, connections))
    tally, health = run.recording.tally(method, ALL), run.recording.condition(ALL)
    if tally.failures:
        raise RuntimeError(f"{url}: {tally.failures}")
    found.ours.append(tally.answered / seconds)
    found.cpu_us.append(1e6 * health.cpu_s / tally.answered)


def ask_by_wrk(found: Rounds, url: str, method: str, connections: int, seconds: int) -> None:
    """Let wrk ask with one thread."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "ask.lua"
        body = f"wrk.method = 'POST'\nwrk.body = '{BODY.decode()}'" if method == "post" else ""
        script.write_text(body)
        words = ["-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(script), url + METHODS[method]]
        said = subprocess.run(["wrk", *words], capture_output=True, text=True, check=True).stdout
    rate = re.search(r"Requests/sec:\s+([0-9.]+)", said)
    if rate is None or "Non-2xx" in said or "Socket errors" in said:
        raise RuntimeError(said)
    found.wrk.append(float(rate[1]))


def ask_by_locust(found: Rounds, url: str, method: str, connections: int, seconds: int) -> None:
    """Let as many of locust's fastest users ask without a pause."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "locustfile.py").write_text(LOCUSTFILE.format(call=CALLS[method]))
        words = ["--headless", "--only-summary", "-u", str(connections), "-r", str(connections)]
        command = [sys.executable, "-m", "locust", *words, "-t", f"{seconds + 1}s", "--host", url]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    rate = re.search(r"^rate ([0-9.]+)", done.stdout, re.MULTILINE)
    if rate is None:
        raise RuntimeError(done.stdout + done.stderr)
    found.locust.append(float(rate[1]))


def beside_nginx(rounds: int, seconds: int) -> Iterator[Row]:
    """Ask a server that does next to nothing, in turn with wrk; nothing where nginx is not installed."""
    if shutil.which("nginx") is None:
        return
    with nginx() as url:
        for connections in CONNECTIONS:
            found = Rounds()
            for number in range(rounds):
                for turn in (ask, ask_by_wrk)[:: 1 - 2 * (number % 2)]:
                    turn(found, url, "get", connections, seconds)
            what = f"nginx, GET, {connections} connections"
            yield row(f"{what}: requests a second", found.ours, "1/s", None)
            yield row(f"{what}: CPU for a request, recording on", found.cpu_us, "us", MOST_CPU_US)
            yield row(f"{what}: wrk's rate to ours", shares(found.wrk, found.ours), "x", None)


def memory(url: str) -> Row:
    """Hold many connections and use all of them; what is the most memory that the driver has?"""
    phases = (Phase(tag="steady", seconds=5, rate=MANY / 5 * 2),)
    run, peak_mib = drive(plan(url, "get", phases, MANY))
    answered = run.recording.tally("get", ALL).answered
    if answered != MANY * 2:
        raise RuntimeError(f"{answered} of {MANY * 2} requests were answered")
    return row(f"{MANY:,} connections: memory of the driver", [peak_mib], "MiB", MOST_MIB)


def accuracy(rounds: int, seconds: int) -> Iterator[Row]:
    """Ask a stalling server 1000 times a second; hold what a fit generator says against the truth."""
    off: dict[float, list[float]] = {each: [] for each in QUANTILES}
    unfit_rounds = 0
    with stalling() as url:
        while len(off[QUANTILES[0]]) < rounds and unfit_rounds < 3 * rounds:
            run, _ = drive(
                plan(url, "get", (Phase(tag="steady", seconds=seconds, rate=1000),), CONNECTIONS[1])
            )
            condition = run.recording.condition(ALL)
            if unfit(condition) or too_late(condition, [EDGES[0].edge_s]):
                unfit_rounds += 1
                continue
            buckets = run.recording.tally("get", ALL).buckets
            for each in QUANTILES:
                off[each].append(100 * abs((quantile(buckets, each) or 0.0) / truth_s(each) - 1))
    for each in QUANTILES:
        what = f"stalling server, 1000/s: p{each * 100:g} is off the truth by"
        yield row(what, off[each] or [float("inf")], "%", MOST_PERCENT)
    yield row("stalling server: rounds that said themselves that they cannot tell", [unfit_rounds], "", None)


def plan(url: str, method: str, phases: tuple[Phase, ...], connections: int) -> Plan:
    """Return the plan of a run, with limits to count at."""
    return Plan(
        target=url,
        root=str(ROOT),
        traffic=f"benchmarks.loading.traffic:{method}",
        phases=phases,
        thresholds=EDGES,
        connections=connections,
    )


def drive(plan: Plan) -> tuple[Generator, float]:
    """Run a plan to its end; return what was recorded, and the most memory of the driver in MiB."""
    peaks = [0.0]

    def watch(_recording: object, _at_s: float) -> str:
        peaks.append(peak_mib())
        return ""

    with tempfile.TemporaryDirectory() as folder:
        generator = Generator("open", plan, folder=Path(folder), environ=os.environ)
        ended = generator.run(watch)
    if ended.how != "finished":
        raise RuntimeError(ended.because)
    return generator, max(peaks)


def peak_mib() -> float:
    """Return the most memory that the driver, a child of this process, has had; 0 where there is none."""
    for pid in Path("/proc/thread-self/children").read_text().split():
        with suppress(OSError):
            if b"probes.load.open" in Path("/proc", pid, "cmdline").read_bytes():
                found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc", pid, "status").read_text())
                return int(found[1]) / 1024 if found else 0.0
    return 0.0


@contextmanager
def nginx() -> Iterator[str]:
    """Run nginx with one worker that answers everything with two bytes."""
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "nginx.conf").write_text(NGINX.format(folder=folder, port=port))
        server = subprocess.Popen(["nginx", "-c", f"{folder}/nginx.conf", "-p", folder])
        try:
            wait_for(port)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait()


def wait_for(port: int) -> None:
    """Wait until somebody listens; raises TimeoutError if nobody does for ten seconds."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise TimeoutError(f"nobody listens on port {port}")


@contextmanager
def stalling() -> Iterator[str]:
    """Run the server whose latencies are known."""
    command = [sys.executable, "-m", "benchmarks.loading.stalling_server"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(server.stdout.readline())}"
        finally:
            server.kill()


def shares(theirs: list[float], ours: list[float]) -> list[float]:
    """Return ratios of rounds that were neighbours."""
    return [their / our for their, our in zip(theirs, ours, strict=True)]
