"""Real runs of locust against a real server on loopback: every request is counted, once, as what it was."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from release_gates.probes.load import generator
from release_gates.probes.load.frames import Frame, FrameReader, Hello
from release_gates.probes.load.generator import Ended, Generator, Watch
from release_gates.probes.load.plan import BLOCK_S, Phase, Plan, Threshold
from release_gates.probes.load.recording import Recording, Tally

DRIVER = [sys.executable, "-m", "release_gates.probes.load.locust_driver"]
ALL = range(200)
USER = """
    from locust import FastHttpUser, HttpUser, LoadTestShape, User, constant, events, task
    from locust.exception import StopTest, StopUser

    class Polite(FastHttpUser):
        wait_time = constant(0.005)

        @task
        def ok(self):
            self.client.get("/ok", name="ok")
"""
EVERYTHING = """
    import itertools
    import socket
    import time
    from locust import FastHttpUser, HttpUser, User, constant, events, task

    class Fast(FastHttpUser):
        host = "http://127.0.0.1:1"  # the plan's target counts
        wait_time = constant(0.005)
        fixed_count = 2

        def ok(self):
            self.client.get("/ok", name="ok")

        def broken(self):
            self.client.get("/broken", name="broken")

        def refuted(self):
            with self.client.get("/refuted", name="refuted", catch_response=True) as answer:
                answer.failure("not what was asked for")

        def raises(self):
            self.client.get("/raises", name="raises")
            raise KeyError("no such order")

        def swallowed(self):
            with self.client.get("/swallowed", name="swallowed", catch_response=True):
                raise KeyError("locust tells nothing of this request")

        order = itertools.cycle([ok, broken, ok, refuted, ok, raises, ok, swallowed])

        @task
        def next(self):
            next(self.order)(self)

    class Hanging(FastHttpUser):
        wait_time = constant(0.01)
        fixed_count = 1

        @task
        def hang(self):
            self.client.get("/hang/fast", name="hang.fast")

    class HangingToo(HttpUser):
        wait_time = constant(0.01)
        fixed_count = 1

        @task
        def hang(self):
            self.client.get("/hang/requests", name="hang.requests")

    class Odd(User):
        wait_time = constant(0.2)
        fixed_count = 1

        @task
        def none(self):
            for value in (None, -1.0, True):
                self.environment.events.request.fire(
                    request_type="X", name="odd", response_time=value, response_length=0
                )

    class Raw(User):
        wait_time = constant(0.005)
        fixed_count = 2

        def on_start(self):
            self.connection = socket.create_connection(self.host.removeprefix("http://").split(":"))
            self.count = 0

        @task
        def ask(self):
            self.count += 1
            path = b"/raw" if self.count < 4 else b"/hang/raw"
            with self.environment.events.request.measure("TCP", "raw"):
                self.connection.sendall(b"GET %s HTTP/1.1\\r\\n\\r\\n" % path)
                assert self.connection.recv(100)

    class Thinking(User):
        fixed_count = 1

        @task
        def think(self):
            time.sleep(60)

    @events.request.add_listener
    def ends_the_round(name, **others):
        if name == "broken":
            from locust.exception import RescheduleTask
            raise RescheduleTask()
"""


class Server(asyncio.Protocol):
    """Answers GET requests, counts them by path, and never answers below /hang."""

    seen: Counter[str]
    transport: asyncio.WriteTransport

    def __init__(self, seen: Counter[str]) -> None:
        self.seen = seen
        self.rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        *heads, self.rest = (self.rest + data).split(b"\r\n\r\n")
        for head in heads:
            path = head.split(b" ")[1].decode()
            self.seen[path] += 1
            if not path.startswith("/hang"):
                status = b"500 Broken" if path == "/broken" else b"200 OK"
                self.transport.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 2\r\n\r\nok")


@dataclass(frozen=True)
class Target:
    url: str
    seen: Counter[str]


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy host takes longer to say goodbye."""
    monkeypatch.setattr(generator, "GRACE_S", 20.0)


@pytest.fixture(scope="module")
def target() -> Iterator[Target]:
    loop, seen = asyncio.new_event_loop(), Counter[str]()
    server = loop.run_until_complete(loop.create_server(lambda: Server(seen), "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    port = server.sockets[0].getsockname()[1]
    yield Target(f"http://127.0.0.1:{port}", seen)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    server.close()
    loop.close()


@dataclass(frozen=True)
class Done:
    """A run, what the server saw of it, and what is left of its processes."""

    ended: Ended
    recording: Recording
    seen: Counter[str]
    log: str

    def of(self, endpoint: str) -> Tally:
        return self.recording.tally(endpoint, ALL)

    def failures(self, endpoint: str) -> dict[str, int]:
        return dict(self.of(endpoint).failures)


def plan_of(url: str, folder: Path, locustfile: str, **changes: object) -> Plan:
    (folder / "locustfile.py").write_text(textwrap.dedent(locustfile))
    plan = Plan(
        target=url,
        root=str(folder),
        locustfile="locustfile.py",
        phases=(Phase(tag="steady", seconds=1.0, users=2),),
        thresholds=(Threshold(edge_s=0.0), Threshold(edge_s=60.0)),
        timeout_s=5,
    )
    return msgspec.structs.replace(plan, **changes)


def drive(
    target: Target, folder: Path, locustfile: str, watch: Watch | None = None, **changes: object
) -> Done:
    target.seen.clear()
    plan = plan_of(target.url, folder, locustfile, **changes)
    child = Generator("locust", plan, folder=folder, environ=os.environ)
    ended = child.run(watch or (lambda recording, at_s: ""))
    return Done(ended, child.recording, Counter(target.seen), (folder / "generator.log").read_text())


@pytest.fixture(scope="module")
def everything(target: Target, tmp_path_factory: pytest.TempPathFactory) -> Done:
    phases = (
        Phase(tag="warmup", seconds=0.5, users=8),
        Phase(tag="steady", seconds=1.0, users=8, rate=1000),
    )
    return drive(target, tmp_path_factory.mktemp("everything"), EVERYTHING, phases=phases, timeout_s=1.0)


def test_the_run_is_whole(everything: Done) -> None:
    assert everything.ended == Ended(how="finished"), everything.log


@pytest.mark.parametrize("path", ["ok", "broken", "refuted", "raises", "hang.fast", "hang.requests"])
def test_every_request_is_counted_once(everything: Done, path: str) -> None:
    """What a task raises comes on top, at what its user asked last."""
    asked = everything.seen["/" + path.replace(".", "/")]
    tally = everything.of(path)
    assert asked > 0
    assert tally.requests - tally.failures["exception"] == asked


def test_requests_and_failures_add_up(everything: Done) -> None:
    """The server's count is ours, also of requests that locust itself forgets: a with-block that raised.

    Above it are only tasks that raised after their answer, and odd events.
    """
    ours = sum(everything.of(name).requests for name in everything.recording.endpoints if name != "odd")
    assert ours == everything.seen.total() + everything.seen["/raises"]


def test_each_failure_has_its_kind(everything: Done) -> None:
    for name, kind in {"ok": "", "broken": "status", "refuted": "body", "raises": ""}.items():
        tally = everything.of(name)
        found = tally.failures[kind] if kind else tally.answered
        assert found > 0
        assert found + tally.failures["timeout"] == everything.seen["/" + name]  # on a host that stalls
    assert everything.of("odd").failures.keys() == {"protocol"}
    assert everything.of("odd").failures.total() >= 3


def test_the_first_failures_are_in_the_log(everything: Done) -> None:
    for line in (
        "protocol: odd: response_time = None",
        "body: refuted: not what was asked for",
        "status: broken: ",
    ):
        assert 1 <= everything.log.count(line) <= 3
    assert everything.of("odd").answered == 0


def test_what_hangs_is_a_timeout_whoever_asks(everything: Done) -> None:
    """FastHttpUser would wait a minute and HttpUser for ever; a raw socket does, and is counted at the end."""
    assert everything.failures("hang.fast") == {"timeout": everything.seen["/hang/fast"]}
    assert everything.failures("hang.requests") == {"timeout": everything.seen["/hang/requests"]}
    assert everything.of("raw").failures["timeout"] >= everything.seen["/hang/raw"] > 0
    assert everything.of("raw").requests == everything.seen["/raw"] + everything.seen["/hang/raw"]


def test_a_user_that_thinks_waits_for_nobody(everything: Done) -> None:
    assert "Thinking" not in everything.recording.endpoints


def test_failures_are_over_every_threshold(everything: Done) -> None:
    for name in everything.recording.endpoints:
        tally = everything.of(name)
        assert tally.over == [tally.requests, tally.failures.total()], name


def test_the_generator_tells_of_itself(everything: Done) -> None:
    health = everything.recording.condition(ALL)
    assert sum(health.lag.values()) > 50
    assert 0 < health.cpu_s < health.wall_s
    assert health.asked == 1000
    steady = range(round(0.5 / BLOCK_S), round(1.5 / BLOCK_S))
    in_steady = sum(
        everything.recording.tally(name, steady).requests for name in everything.recording.endpoints
    )
    assert health.offered == in_steady


def test_a_stop_comes_soon_and_what_was_on_its_way_is_no_answer(target: Target, tmp_path: Path) -> None:
    begun: list[float] = []

    def watch(recording: Recording, at_s: float) -> str:
        if target.seen["/hang/raw"] == 2:
            begun.append(time.monotonic())
        return "enough" if begun else ""

    done = drive(
        target,
        tmp_path,
        EVERYTHING,
        watch,
        phases=(Phase(tag="steady", seconds=30, users=2),),
        user_classes=("Raw",),
        timeout_s=20,
    )
    assert done.ended == Ended(how="stopped", because="enough")
    assert done.of("raw").answered == done.seen["/raw"]
    assert done.failures("raw") == {"unsent": 2}


def test_a_shape_wins(target: Target, tmp_path: Path) -> None:
    shape = (
        USER
        + """
    class Three(LoadTestShape):
        def tick(self):
            return (3, 3) if self.get_run_time() < 1 else None

    @events.test_stop.add_listener
    def said(environment, **others):
        print("users at the end:", environment.runner.target_user_count)
    """
    )
    done = drive(target, tmp_path, shape, phases=(Phase(tag="steady", seconds=1.0, users=1),))
    assert done.ended == Ended(how="finished"), done.log
    assert "users at the end: 3" in done.log
    assert done.of("ok").requests == done.seen["/ok"] > 0


BREAKS = {
    "users that come too slowly": (
        "    class Slow(Polite):\n        def __init__(self, environment):\n            super().__init__(environment)\n"
        "            import gevent; gevent.sleep(60)\n",
        "phase warmup: 1 of 2 users at its end",
    ),
    "a shape that is too short": (
        "    class Short(LoadTestShape):\n        def tick(self):\n            return None\n",
        "shape Short: ended after",
    ),
    "a shape that raises": (
        "    class Bad(LoadTestShape):\n        def tick(self):\n            return 1 / 0\n",
        "raised: its traceback is in the log",
    ),
    "on_start that raises": (
        "    class Late(Polite):\n        fixed_count = 1\n        def on_start(self):\n            raise OSError\n",
        "1 of 2 users are left",
    ),
    "users that leave": (
        "    class Late(Polite):\n        fixed_count = 1\n        @task\n        def go(self):\n            raise StopUser()\n",
        "1 of 2 users are left",
    ),
    "a test that stops itself": (
        "    class Late(Polite):\n        fixed_count = 1\n        def on_start(self):\n            self.environment.runner.quit()\n",
        "the locustfile stopped the test",
    ),
    "a listener that raises": (
        "    @events.test_start.add_listener\n    def start(**others):\n        raise OSError('no database')\n",
        "raised: its traceback is in the log",
    ),
    "sys.exit in a listener": (
        "    @events.init.add_listener\n    def start(**others):\n        import sys; sys.exit('no database')\n",
        "no database",
    ),
}


@pytest.mark.parametrize("name", BREAKS)
def test_less_than_was_asked_for_is_no_run(target: Target, tmp_path: Path, name: str) -> None:
    addition, because = BREAKS[name]
    phases = (Phase(tag="warmup", seconds=1, users=2), Phase(tag="steady", seconds=30, users=2))
    done = drive(target, tmp_path, USER + "\n" + addition, phases=phases)
    assert done.ended.how == "failed", done.log
    assert because in done.ended.because


def test_workers_tell_all_samples(target: Target, tmp_path: Path) -> None:
    done = drive(
        target, tmp_path, USER, processes=2, phases=(Phase(tag="steady", seconds=3.0, users=4, rate=100),)
    )
    assert done.ended == Ended(how="finished"), done.log
    assert done.of("ok").requests == done.seen["/ok"] > 0
    health = done.recording.condition(ALL)
    assert health.asked == 300
    assert sum(health.lag.values()) > 100  # of two processes
    assert 0 < health.cpu_s < health.wall_s


def test_a_worker_that_dies_takes_the_run_with_it(target: Target, tmp_path: Path) -> None:
    def watch(recording: Recording, at_s: float) -> str:
        if recording.tally("ok", ALL).answered and not killed:
            [worker, *_] = [pid for pid in session_of_driver() if "--worker" in command(pid)]
            killed.append(worker)
            os.kill(worker, signal.SIGKILL)
        return ""

    killed: list[int] = []
    phases = (Phase(tag="steady", seconds=30, users=2),)
    done = drive(target, tmp_path, USER, watch, processes=2, phases=phases)
    assert done.ended.how == "failed", done.log
    assert "worker process ended by itself" in done.ended.because
    assert not session_of_driver()


def test_a_driver_that_is_killed_says_no_goodbye(target: Target, tmp_path: Path) -> None:
    def watch(recording: Recording, at_s: float) -> str:
        if recording.tally("ok", ALL).answered:
            for pid in session_of_driver():
                os.kill(pid, signal.SIGKILL)
        return ""

    done = drive(target, tmp_path, USER, watch, phases=(Phase(tag="steady", seconds=30, users=2),))
    assert done.ended.how == "died"
    assert done.of("ok").answered > 0


@pytest.mark.parametrize("processes", [1, 2])
def test_nothing_outlives_its_parent(target: Target, tmp_path: Path, processes: int) -> None:
    """Also while a task never yields: no timer, no signal handler and no greenlet runs then."""
    selfish = (
        USER
        + "\n    class Selfish(User):\n        @task\n        def spin(self):\n            while True: pass\n"
    )
    plan = plan_of(target.url, tmp_path, selfish, processes=processes, user_classes=("Selfish",))
    child, frames = start(plan, tmp_path)
    try:
        assert isinstance(next(frames), Hello)
        assert len(session(child.pid)) == (1 if processes == 1 else 3)
        child.stdin.close()
        assert child.wait(60) != 0
        until(lambda: not session(child.pid))
    finally:
        for pid in session(child.pid):
            os.kill(pid, signal.SIGKILL)


def test_nothing_listens(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        plan = plan_of(f"http://127.0.0.1:{taken.getsockname()[1]}", tmp_path, USER)
        child = Generator("locust", plan, folder=tmp_path, environ=os.environ)
        ended = child.run(lambda recording, at_s: "")
    assert ended.how == "failed"
    assert "nothing listens on 127.0.0.1" in ended.because
    assert child.started_s is None


@pytest.mark.parametrize("records", [True, False])
def test_workers_of_other_hosts(target: Target, tmp_path: Path, records: bool) -> None:
    """A worker that was started as locust's own documentation says has no recorder: its samples would be lost."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    options = {"expect_workers": "1", "expect_workers_max_wait": "20"}
    options |= {"master_bind_host": "127.0.0.1", "master_bind_port": port}
    command = [*DRIVER, "--worker", f"127.0.0.1:{port}", "--locustfile", "locustfile.py"]
    if not records:
        command = [sys.executable, "-m", "locust", "--worker", "--master-port", port, "-f", "locustfile.py"]
    plan_of(target.url, tmp_path, USER)
    with (tmp_path / "worker.log").open("wb") as log:
        worker = subprocess.Popen(command, cwd=tmp_path, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            done = drive(target, tmp_path, USER, options=options)
            assert not records or worker.wait(60) == 0
        finally:
            worker.kill()
            worker.wait()
    if records:
        assert done.ended == Ended(how="finished"), done.log
        assert done.of("ok").requests == done.seen["/ok"] > 0
    else:
        assert done.ended.how == "failed", done.log
        assert "does not record; start workers by" in done.ended.because


def start(plan: Plan, folder: Path) -> tuple[subprocess.Popen[bytes], Iterator[Frame]]:
    """Start a driver as the parent does; it leads a session of its own."""
    receive, send = os.pipe()
    with (folder / "log").open("wb") as log:
        child = subprocess.Popen(
            [*DRIVER, "--frames", str(send)],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            pass_fds=(send,),
            start_new_session=True,
        )
    os.close(send)
    child.stdin.write(msgspec.json.encode(plan) + b"\n")
    child.stdin.flush()

    def frames() -> Iterator[Frame]:
        reader = FrameReader()
        with os.fdopen(receive, "rb", buffering=0) as stream:
            while data := stream.read(65536):
                yield from reader.feed(data)

    return child, frames()


def session_of_driver() -> list[int]:
    """Return the processes of the driver that this process has started, and of its workers."""
    children = [
        pid for pid in processes() if stat(pid)[1:2] == [str(os.getpid())] and "locust_driver" in command(pid)
    ]
    return [pid for child in children for pid in session(child)]


def session(leader: int) -> list[int]:
    """Return the processes of a session that have not ended."""
    return [pid for pid in processes() if stat(pid)[3:4] == [str(leader)] and stat(pid)[0] not in "ZX"]


def processes() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def stat(pid: int) -> list[str]:
    """Return state, parent, group, session and more of a process; nothing where it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    except OSError:
        return []


def command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""


def until(true: Callable[[], bool]) -> None:
    while not true():  # CI ends a test that hangs
        time.sleep(0.02)
