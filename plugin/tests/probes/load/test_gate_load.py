"""``gate_load`` as a test uses it: a real generator, real targets, measurements that policy can judge."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest

from release_gates.errors import MeasurementError
from release_gates.model.limit import LimitRule
from release_gates.model.measurement import Measurement
from release_gates.policy.grammar import parse_limit
from release_gates.probes.load.gate_load import GateLoad
from release_gates.probes.load.plan import Phase
from release_gates.probes.load.settings import Profile, Steps, Turns
from release_gates.probes.load.traffic import Traffic

TRAFFIC = """
from release_gates.probes.load.open.codec import Codec
from release_gates.probes.load.traffic import Answer, Request

GOOD, BAD = Request("orders", path="/good"), Request("orders", path="/bad")

def good(connection):
    while True:
        yield GOOD

def some_bad(connection):
    while True:
        yield GOOD
        yield BAD

class Lines(Codec):
    rest = b""

    def encode(self, request):
        return request.path.encode() + b"\\n"

    def decode(self, data):
        lines = self.rest + data
        self.rest = b"" if lines.endswith(b"\\n") else lines
        return None if self.rest else Answer(200, lines)
"""
RULES = (
    LimitRule(name="*.p95", limit=parse_limit("<= 500 ms")),
    LimitRule(name="*.error_rate", limit=parse_limit("<= 1 %")),
)
STEADY = (Phase(tag="warmup", seconds=0.5, rate=100), Phase(tag="steady", seconds=1.5, rate=200))


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while head := await reader.readuntil(b"\r\n\r\n"):
        status = b"500 Error" if b" /bad " in head else b"200 OK"
        writer.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 2\r\n\r\nok")


@dataclass
class Gate:
    """What the fixture ``gate`` is to this probe."""

    rootdir: Path
    profiles: dict[str, Profile]
    limits: tuple[LimitRule, ...] = RULES
    found: dict[str, Measurement] = field(default_factory=dict)
    attached: list[str] = field(default_factory=list)

    def settings(self, kind: type[Any]) -> Any:
        return msgspec.convert({"profile": msgspec.to_builtins(self.profiles)}, kind)

    def record(self, measurement: Measurement) -> None:
        assert measurement.name not in self.found
        self.found[measurement.name] = measurement

    def attach(self, name: str, path: Path) -> None:
        assert path.stat().st_size > 0
        self.attached.append(name)


@dataclass(frozen=True)
class Service:
    """A service that the test started, in this process."""

    port: int
    pid: int = field(default_factory=os.getpid)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@pytest.fixture
def service(serve: Any) -> Iterator[Service]:
    with serve(answer) as server:
        yield Service(server.port)


@pytest.fixture
def traffic(tmp_path: Path) -> Callable[[str], Traffic]:
    (tmp_path / "some_traffic.py").write_text(TRAFFIC)
    spec = importlib.util.spec_from_file_location("some_traffic", tmp_path / "some_traffic.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return lambda name: getattr(module, name)  # type: ignore[no-any-return]


def gate_and_load(folder: Path, profile: Profile, said: list[str]) -> tuple[Gate, GateLoad]:
    gate = Gate(folder, {"load": profile})
    return gate, GateLoad(gate, folder, said.append, every_s=0.5)


def test_a_run_measures_every_endpoint_and_the_target(
    service: Service, traffic: Callable[[str], Traffic], tmp_path: Path
) -> None:
    said: list[str] = []
    gate, load = gate_and_load(tmp_path, Profile(phases=STEADY, connections=4, attempts=1), said)
    run = load.run(service, traffic("some_bad"), profile="load")
    assert gate.attached == ["load-1.json"]
    assert any(line.startswith("load steady, ") for line in said)
    assert max(map(len, said)) < 80
    if run.unfit:  # this machine was too busy: then that is what every value says
        assert {each.absent for each in gate.found.values() if "orders" in each.name} == {"inconclusive"}
        return
    rate = gate.found["orders.error_rate"]
    assert rate.share is not None
    assert (sum(rate.share.of), sum(rate.share.hits)) == (300, 150)
    assert rate.value == 0.5
    tail = gate.found["orders.p95"].tail
    assert tail is not None
    assert tail.blocks is not None
    assert (tail.samples, len(tail.blocks.samples)) == (300, 6)
    assert tail.over["<= 500.0 ms"] >= 150  # a failed request is over every limit
    assert gate.found["orders.p95@steady"].value is not None
    assert gate.found["orders.throughput"].value == pytest.approx(100)
    assert gate.found["orders.reconnect_rate"].value == 0
    assert gate.found["target.memory"].series is not None
    assert "orders.p95@warmup" not in gate.found


def test_another_protocol_than_http(serve: Any, traffic: Callable[[str], Any], tmp_path: Path) -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            writer.write(line)

    @dataclass(frozen=True)
    class Exchange(Service):
        url: str = ""

    steady = (Phase(tag="steady", seconds=0.5, rate=100),)
    gate, load = gate_and_load(tmp_path, Profile(phases=steady, connections=2, attempts=1), [])
    with serve(echo) as server:
        exchange = Exchange(port=server.port, url=f"tcp://127.0.0.1:{server.port}")
        run = load.run(exchange, traffic("good"), codec=traffic("Lines"), profile="load")
    assert run.recording.tally("orders", range(9)).answered == 50
    assert gate.found["orders.error_rate"].absent or gate.found["orders.error_rate"].value == 0
    with pytest.raises(MeasurementError, match="codec is for traffic only"):
        load.run(exchange, codec=traffic("Lines"), locustfile="locustfile.py", profile="load")


def test_a_starved_generator_says_nothing_about_the_target(
    service: Service, traffic: Callable[[str], Traffic], tmp_path: Path
) -> None:
    """Stopped for nine tenths of the time, it would call a good target slow."""
    said: list[str] = []
    gate, load = gate_and_load(tmp_path, Profile(phases=STEADY, connections=4), said)
    over = threading.Event()
    starver = threading.Thread(target=starve, args=(over,))
    starver.start()
    try:
        load.run(service, traffic("good"), profile="load")
    finally:
        over.set()
        starver.join()
    assert gate.found["orders.p95"].absent == "inconclusive"
    assert "the generator, not the target" in gate.found["orders.p95"].because
    assert gate.found["orders.error_rate"].absent == "inconclusive"
    assert any("run 2 of 2" in line for line in said)
    assert gate.attached == ["load-1.json", "load-2.json"]


def starve(over: threading.Event) -> None:
    """Stop every generator of this process again and again."""
    while not over.is_set():
        generators = [pid for pid in children() if b"probes.load.open" in command(pid)]
        for number, pause_s in ((signal.SIGSTOP, 0.045), (signal.SIGCONT, 0.005)):
            for pid in generators:
                try:
                    os.kill(pid, number)
                except ProcessLookupError:
                    continue
            time.sleep(pause_s)


def children() -> list[int]:
    found: list[int] = []
    for task in Path("/proc/self/task").iterdir():
        with suppress(OSError):  # a thread that has ended meanwhile
            found += map(int, (task / "children").read_text().split())
    return found


def command(pid: int) -> bytes:
    with suppress(OSError):  # it has ended meanwhile
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


def test_a_target_that_dies_fails_its_requests(
    serve: Any, traffic: Callable[[str], Traffic], tmp_path: Path
) -> None:
    gate, load = gate_and_load(tmp_path, Profile(phases=STEADY, connections=4, attempts=1), [])
    with serve(answer) as server:
        timer = threading.Timer(1.2, server.end)
        timer.start()
        run = load.run(Service(server.port), traffic("good"), profile="load")
        timer.join()
    rate = gate.found["orders.error_rate"]
    assert run.unfit or (rate.value or 0) > 0.2


def test_a_stress_run_finds_what_a_target_takes(
    service: Service, traffic: Callable[[str], Traffic], tmp_path: Path
) -> None:
    profile = Profile(steps=Steps(lowest=100, highest=300, seconds=1), connections=4)
    gate, load = gate_and_load(tmp_path, profile, [])
    load.run(service, traffic("some_bad"), profile="load")
    found = gate.found["load.knee"]
    assert found.interval == (0, 100) or found.absent == "inconclusive"


def test_two_builds_are_loaded_in_turn(serve: Any, traffic: Callable[[str], Traffic], tmp_path: Path) -> None:
    profile = Profile(turns=Turns(pairs=4, seconds=1, rate=200), connections=4, attempts=1)
    gate, load = gate_and_load(tmp_path, profile, [])
    with serve(answer) as mine, serve(answer) as theirs:
        load.compare(Service(mine.port), Service(theirs.port), traffic("good"), profile="load")
    found = gate.found["orders.throughput"]
    assert found.absent == "inconclusive" or (found.windows is not None and len(found.windows.ratios) == 4)
    assert len(gate.attached) == 8


@pytest.mark.parametrize(
    ("ask", "because"),
    [
        (lambda load, good: load.run("gateway", good, profile="load"), "names no such target"),
        (lambda load, good: load.run("gateway", good, profile="laod"), "has no such profile (it has: load)"),
        (lambda load, good: load.run("gateway", profile="load"), "either a traffic or a locustfile"),
        (lambda load, good: load.run("gateway", lambda _: good(0), profile="load"), "cannot import it"),
        (lambda load, good: load.compare(None, None, good, profile="load"), "compares nothing"),
    ],
)
def test_what_cannot_be_loaded_is_said_before_the_first_request(
    ask: Any, because: str, traffic: Callable[[str], Traffic], tmp_path: Path
) -> None:
    gate, load = gate_and_load(tmp_path, Profile(phases=STEADY), [])
    with pytest.raises(MeasurementError) as caught:
        ask(load, traffic("good"))
    assert because in str(caught.value)
    assert gate.found == {}


def test_a_target_that_nobody_answers_for_is_an_error_with_what_was_seen(
    traffic: Callable[[str], Traffic], tmp_path: Path
) -> None:
    gate, load = gate_and_load(tmp_path, Profile(phases=STEADY, connections=2, timeout_s=2), [])
    with pytest.raises(MeasurementError, match="nothing listens on"):
        load.run(Service(1), traffic("good"), profile="load")
    assert gate.attached == ["load-1.json"]
    assert gate.found == {}
