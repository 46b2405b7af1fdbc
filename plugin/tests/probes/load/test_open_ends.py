"""How runs of the open driver end that cannot be made, or not to their end: a sentence, and nobody left."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
import trustme

from release_gates.probes.load.frames import Bye, Frame, FrameReader, Hello
from release_gates.probes.load.generator import Ended
from release_gates.probes.load.open.connector import allow_descriptors
from release_gates.probes.load.open.loading import codecs_of, first_request, requests_of, traffic_of
from release_gates.probes.load.open.refusal import CannotRun
from release_gates.probes.load.open.run import check
from release_gates.probes.load.open.target import target_of, tls_of
from release_gates.probes.load.plan import Phase, Plan

pytest.importorskip("uvloop")

ALL = range(200)
FOREVER = """
    def traffic(user):
        while True:
            yield Request("any")
"""
BUSY = (Phase(tag="steady", seconds=60, users=2),)
STEADY = (Phase(tag="steady", seconds=0.5, rate=20),)


async def good(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


@contextmanager
def nobody() -> Iterator[int]:
    """Hold a port on which nobody listens."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


def failed(result: tuple[Ended, object]) -> str:
    assert result[0].how == "failed", result[0]
    return result[0].because


def test_nobody_listens(drive) -> None:
    with nobody() as port:
        because = failed(drive(f"http://127.0.0.1:{port}", FOREVER))
    assert f"nothing listens on 127.0.0.1:{port}; start the target" in because


def test_what_was_looked_up_before_is_what_is_loaded(serve, drive) -> None:
    """A name may stand for another address by now: the one that was compared with production's counts."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    traffic = """
    def traffic(connection):
        while True:
            yield Request("orders")
    """
    with serve(answer) as server:
        ended, run = drive(f"http://gateway.invalid:{server.port}", traffic, addresses=("127.0.0.1",))
    assert ended == Ended(how="finished")
    assert run.recording.tally("orders", range(2)).answered == 10


def test_a_name_that_does_not_resolve(drive) -> None:
    because = failed(drive("http://gateway.invalid:8080", FOREVER))
    assert "the name 'gateway.invalid' does not resolve" in because


def test_a_target_that_accepts_nobody(drive) -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        fillers = [socket.socket() for _ in range(3)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        because = failed(drive(f"http://127.0.0.1:{full.getsockname()[1]}", FOREVER, timeout_s=0.5))
        for filler in fillers:
            filler.close()
    assert "within 0.5 s" in because


@pytest.mark.parametrize(
    ("traffic", "because"),
    [
        ("def traffic(user):\n yield Request('any')", "the traffic ended before the run did"),
        ("def traffic(user):\n yield Request('any')\n raise OSError('no orders left')", "no orders left (/"),
        ("def traffic(user):\n yield Request('any')\n yield 'GET /'", "the traffic yielded 'GET /'"),
        ("def traffic(user):\n while True: yield Request('any', 'POST', body='{}')", "must be bytes"),
        (
            "def traffic(user):\n for number in range(10**9): yield Request(f'order {number}')",
            "must be a name, and one of 1000 at most",
        ),
        ("def traffic(user):\n while True: yield Request('any', 'HEAD')", "method 'HEAD': must be one of"),
    ],
)
def test_traffic_that_fails_ends_the_run(serve, drive, traffic: str, because: str) -> None:
    with serve(good) as server:
        assert because in failed(drive(f"http://127.0.0.1:{server.port}", traffic, *BUSY))


@pytest.fixture
def tls(tmp_path: Path) -> ssl.SSLContext:
    """Serve as localhost, by an authority that is in ``ca.pem``."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    return context


class TestTls:
    """Verification is never switched off."""

    def test_a_trusted_certificate(self, serve, drive, tls: ssl.SSLContext, tmp_path: Path) -> None:
        with serve(good, tls) as server:
            ended, run = drive(
                f"https://localhost:{server.port}", FOREVER, ca_file=str(tmp_path / "ca.pem"), timeout_s=60
            )
        assert ended == Ended(how="finished")
        assert run.recording.tally("any", ALL).answered == 10

    def test_an_unknown_authority(self, serve, drive, tls: ssl.SSLContext) -> None:
        with serve(good, tls) as server:
            because = failed(drive(f"https://localhost:{server.port}", FOREVER, timeout_s=60))
        assert "its certificate is not trusted" in because

    def test_another_name(self, serve, drive, tls: ssl.SSLContext, tmp_path: Path) -> None:
        with serve(good, tls) as server:
            target = f"https://127.0.0.1:{server.port}"
            because = failed(drive(target, FOREVER, ca_file=str(tmp_path / "ca.pem"), timeout_s=60))
        assert "not trusted" in because
        assert "127.0.0.1" in because

    def test_a_server_without_tls(self, serve, drive) -> None:
        async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(10)
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        with serve(plain) as server:
            because = failed(drive(f"https://localhost:{server.port}", FOREVER, timeout_s=60))
        assert "TLS failed" in because

    def test_a_file_that_holds_no_certificates(self, tmp_path: Path) -> None:
        (tmp_path / "ca.pem").write_text("nothing")
        with pytest.raises(CannotRun, match="no file of certificates"):
            tls_of(target_of("https://localhost"), str(tmp_path / "ca.pem"))


@contextmanager
def child(plan: Plan) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Start the driver; yield it and where its frames can be read."""
    receive, send = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-m", "release_gates.probes.load.open", "--frames", str(send)],
        stdin=subprocess.PIPE,
        pass_fds=(send,),
        start_new_session=True,
    )
    os.close(send)
    try:
        process.stdin.write(msgspec.json.encode(plan) + b"\n")
        process.stdin.flush()
        yield process, receive
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        os.close(receive)


def frames(receive: int) -> Iterator[Frame]:
    reader = FrameReader()
    while data := os.read(receive, 65536):
        yield from reader.feed(data)


def long_plan(folder: Path, port: int, traffic: str) -> Plan:
    (folder / "asked.py").write_text(traffic)
    return Plan(
        target=f"http://127.0.0.1:{port}",
        root=str(folder),
        traffic="asked:traffic",
        phases=(Phase(tag="steady", seconds=600, rate=50),),
        connections=2,
    )


SIMPLE = """
from release_gates.probes.load.traffic import Request
def traffic(user):
    while True: yield Request("any")
"""
ENDLESS = """
from release_gates.probes.load.traffic import Request
def traffic(user):
    yield Request("any")
    while True: pass
"""


def test_sigterm_stops_with_what_is_known(serve, tmp_path: Path) -> None:
    with serve(good) as server, child(long_plan(tmp_path, server.port, SIMPLE)) as (process, receive):
        seen: list[Frame] = []
        for frame in frames(receive):
            seen.append(frame)
            if len(seen) == 4:
                process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    assert isinstance(seen[0], Hello)
    assert isinstance(seen[-1], Bye)
    assert seen[-1].reason == "stopped"


def test_sigterm_before_anything_was_imported(tmp_path: Path) -> None:
    traffic = "import os, time\nos.kill(os.getpid(), 15)\ntime.sleep(600)"
    with nobody() as port, child(long_plan(tmp_path, port, traffic)) as (process, receive):
        assert [getattr(frame, "reason", "") for frame in frames(receive)] == ["stopped"]
        assert process.wait(60) == 0


@pytest.mark.parametrize("traffic", [SIMPLE, ENDLESS], ids=["good", "endless"])
def test_the_end_of_its_parent_is_the_end(serve, tmp_path: Path, traffic: str) -> None:
    with serve(good) as server, child(long_plan(tmp_path, server.port, traffic)) as (process, receive):
        for frame in frames(receive):
            assert isinstance(frame, Hello)
            break
        process.stdin.close()
        assert process.wait(60) == 2


def test_a_parent_who_reads_no_more_is_gone_too(serve, tmp_path: Path) -> None:
    with serve(good) as server, child(long_plan(tmp_path, server.port, SIMPLE)) as (process, receive):
        next(frames(receive))
        os.dup2(os.open(os.devnull, os.O_RDONLY), receive)
        assert process.wait(60) == 2


@pytest.mark.parametrize(
    "line", [b"{}\n", b"\n", b"{\xff\n", b'{"target": "ftp://x", "root": "", "phases": []}\n']
)
def test_what_is_no_plan(line: bytes) -> None:
    receive, send = os.pipe()
    command = [sys.executable, "-m", "release_gates.probes.load.open", "--frames", str(send)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=(send,)) as process:
        os.close(send)
        process.stdin.write(line)
        process.stdin.flush()
        (bye,) = frames(receive)
        assert process.wait(60) == 1
    os.close(receive)
    assert isinstance(bye, Bye)
    assert (bye.reason, "plan cannot be read" in bye.because) == ("failed", True)


def plan(tmp_path: Path, **settings: object) -> Plan:
    return Plan(**{"target": "http://127.0.0.1:1", "root": str(tmp_path), "phases": STEADY, **settings})


@pytest.mark.parametrize(
    ("settings", "because"),
    [
        ({"traffic": ""}, "write module:name"),
        ({"traffic": "no_such_module:traffic"}, "No module named 'no_such_module'"),
        ({"traffic": "wrong:absent"}, "has no attribute 'absent'"),
        ({"traffic": "wrong:plain"}, "is no generator function"),
        ({"traffic": "broken:traffic"}, "importing it raised SyntaxError"),
        ({"traffic": "leaves:traffic"}, "importing it raised SystemExit"),
        ({"traffic": "wrong:raises"}, "the traffic raised ZeroDivisionError"),
        ({"traffic": "wrong:empty"}, "the traffic ended"),
        ({"traffic": "wrong:number"}, "the traffic yielded 3"),
        ({"target": "tcp://127.0.0.1:1"}, "name the codec"),
        ({"codec": "wrong:plain"}, "is no class made from"),
        ({"target": "tcp://127.0.0.1"}, "no port"),
        ({"target": "http://127.0.0.1:99999"}, "out of range"),
        ({"target": f"http://{'me'}:{'pass'}@127.0.0.1/"}, "only host, port and path"),
        ({"connections": 0}, "the phases need 1"),
        ({"phases": (Phase(tag="a", seconds=0.5, users=60),)}, "the phases need 60"),
        ({"timeout_s": float("nan")}, "timeout_s"),
        ({"timeout_s": 0.0}, "timeout_s"),
        ({"processes": 2}, "for locust only"),
        ({"options": {"x": "y"}}, "for locust only"),
    ],
)
def test_a_plan_that_cannot_be_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, object], because: str
) -> None:
    for name, source in {
        "wrong": """
            plain = 3
            def raises(user): yield 1 / 0
            def empty(user): yield from ()
            def number(user): yield 3
            """,
        "broken": "def",
        "leaves": "import sys; sys.exit(0)",
    }.items():
        (tmp_path / f"{name}.py").write_text("\n".join(line.strip() for line in source.splitlines()))
    monkeypatch.setattr(sys, "path", [*sys.path])
    for name in ("wrong", "broken", "leaves"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    with pytest.raises(CannotRun) as refused:
        prepare(plan(tmp_path, **settings))
    assert because in str(refused.value)


def prepare(plan: Plan) -> None:
    """Do what a run does before it connects."""
    check(plan)
    target_of(plan.target)
    codecs_of(plan)
    first_request(requests_of(traffic_of(plan), 0))


def test_too_few_descriptors_are_said_before(monkeypatch: pytest.MonkeyPatch) -> None:
    limits, set_to = [(256, 4096)], []
    monkeypatch.setattr(resource, "getrlimit", lambda which: limits[0])
    monkeypatch.setattr(resource, "setrlimit", lambda which, pair: set_to.append(pair))
    allow_descriptors(100)
    assert set_to == []
    allow_descriptors(1000)
    assert set_to == [(4096, 4096)]
    with pytest.raises(CannotRun, match=r"5000 connections need 5064 .* allows 4096; raise its hard limit"):
        allow_descriptors(5000)
