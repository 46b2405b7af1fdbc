"""Real runs of the open driver against servers on loopback: every arrival is counted, once, as what it was."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Generator
from pathlib import Path
from typing import cast

import pytest

from release_gates.probes.load.buckets import seconds_of
from release_gates.probes.load.generator import Ended
from release_gates.probes.load.open.connector import Connector
from release_gates.probes.load.open.driver import Driver
from release_gates.probes.load.open.user import User
from release_gates.probes.load.plan import Phase, Plan, Threshold
from release_gates.probes.load.recorder import Recorder
from release_gates.probes.load.traffic import Answer, Request

pytest.importorskip("uvloop")
pytest.importorskip("httptools")

ALL = range(200)
Reader, Writer = asyncio.StreamReader, asyncio.StreamWriter
BY_PATH = """
    PATHS = {paths!r}

    def traffic(user):
        path = PATHS[user]
        request = Request(path, path="/" + path, contains=b"ok", length=2)
        while True:
            answer = yield request
            assert isinstance(answer, Answer), answer
"""
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
GOOD = {
    "plain": [OK],
    "chunked": [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n", b"1\r\nk\r\n0\r\n\r\n"],
    "informed": [b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\n\r\n" + OK],
    "cut": [OK[index : index + 1] for index in range(len(OK))],
    "closed": [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"],
    "until_end": [b"HTTP/1.1 200 OK\r\n\r\nok", None],
    "old": [b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", None],
}
BAD = {
    "garbage": ([b"\x00\xffI am no web server\r\n"], "protocol"),
    "two": ([OK + OK], "protocol"),
    "more": ([OK + b"HTTP/1.1 2"], "protocol"),
    "switched": (
        [b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"],
        "protocol",
    ),
    "long_head": ([b"HTTP/1.1 200 OK\r\nX: ", b"x" * 300_000], "protocol"),
    "half_head": ([b"HTTP/1.1 200 OK\r\nContent-Le", None], "connection"),
    "half_body": ([OK[:-1], None], "connection"),
    "half_chunk": ([b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nok", None], "connection"),
    "hung_up": ([None], "connection"),
    "never": ([], "timeout"),
    "half": ([OK[:-1]], "timeout"),
    "other_status": ([OK.replace(b"200 OK", b"500 Internal Server Error")], "status"),
    "not_there": ([OK.replace(b"200 OK", b"404 Not Found")], "status"),
    "longer": ([OK.replace(b": 2", b": 3") + b"!"], "length"),
    "other_body": ([OK[:-2] + b"no"], "body"),
}
Plans = dict[str, list[bytes | None]]


def by_path(plans: Plans) -> Callable[[Reader, Writer], object]:
    """Answer each path with its pieces; None closes the connection."""

    async def handle(reader: Reader, writer: Writer) -> None:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            for piece in plans[head.split()[1].decode().strip("/")]:
                if piece is None:
                    return
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0)
            if b"close" in b"".join(filter(None, plans[head.split()[1].decode().strip("/")])):
                return

    return handle


def test_every_form_of_a_good_answer_is_one(serve, drive) -> None:
    paths = list(GOOD)
    with serve(by_path(GOOD)) as server:
        ended, run = drive(
            f"http://127.0.0.1:{server.port}",
            BY_PATH.format(paths=paths),
            Phase(tag="steady", seconds=1, rate=20 * len(paths)),
            connections=len(paths),
            timeout_s=60,
        )
    assert ended == Ended(how="finished")
    tallies = {path: run.recording.tally(path, ALL) for path in paths}
    assert {path: dict(tally.failures) for path, tally in tallies.items()} == {path: {} for path in paths}
    assert sum(tally.answered for tally in tallies.values()) == 20 * len(paths)
    assert min(tally.answered for tally in tallies.values()) > 0
    reconnected = sum(tallies[path].answered for path in ("closed", "until_end", "old"))
    assert len(paths) <= server.made <= len(paths) + reconnected
    assert server.made >= reconnected
    health = run.recording.condition(ALL)
    assert health.asked == health.offered == health.lag.total() == 20 * len(paths)
    assert health.cpu_s > 0 < health.wall_s


def test_every_form_of_a_bad_answer_is_a_failure_of_its_kind(serve, drive, tmp_path: Path) -> None:
    paths = list(BAD)
    plans = {path: pieces for path, (pieces, _) in BAD.items()}
    with serve(by_path(plans)) as server:
        ended, run = drive(
            f"http://127.0.0.1:{server.port}",
            BY_PATH.format(paths=paths),
            Phase(tag="steady", seconds=1, rate=10 * len(paths)),
            connections=len(paths),
            timeout_s=2,
            thresholds=(Threshold(edge_s=1000),),
        )
    assert ended == Ended(how="finished")
    tallies = {path: run.recording.tally(path, ALL) for path in paths}
    assert sum(tally.requests for tally in tallies.values()) == 10 * len(paths)
    for path, (_, kind) in BAD.items():
        assert tallies[path].answered == 0, path
        assert tallies[path].over == [tallies[path].requests], path
        assert kind in tallies[path].failures, (path, tallies[path].failures)
        assert set(tallies[path].failures) <= {kind, "timeout", "late"}, path
    said = (tmp_path / "generator.log").read_text().splitlines()
    assert (
        sum(line.startswith("status: other_status, GET /other_status: 500, 2 bytes: b'ok'") for line in said)
        == 3
    )
    assert any(line.startswith("protocol: garbage, GET /garbage: no HTTP/1.1 answer:") for line in said)
    assert len(said) <= 3 * 3 * len(paths)


def test_methods_bodies_and_answers_go_both_ways(serve, drive) -> None:
    orders: set[bytes] = set()

    async def exchange(reader: Reader, writer: Writer) -> None:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            method, path, _ = head.split(b" ", 2)
            length = int((head.lower().partition(b"content-length: ")[2] or b"0").split()[0])
            body = await reader.readexactly(length)
            if method == b"POST":
                orders.add(body)
                writer.write(b"HTTP/1.1 201 Created\r\nContent-Length: %d\r\n\r\n%s" % (length, body))
            else:
                found = b"204 No Content" if path[8:] in orders else b"404 Not Found"
                orders.discard(path[8:])
                writer.write(b"HTTP/1.1 %s\r\n\r\n" % found)

    traffic = """
        def traffic(user):
            number = 0
            while True:
                number += 1
                name = f"{user}-{number}"
                placed = yield Request("place", "POST", "/orders", body=name.encode(), status=201)
                yield Request("cancel", "DELETE", "/orders/" + placed.body.decode(), status=204)
    """
    with serve(exchange) as server:
        ended, run = drive(
            f"http://127.0.0.1:{server.port}", traffic, Phase(tag="a", seconds=0.5, rate=200), timeout_s=60
        )
    assert ended == Ended(how="finished")
    place, cancel = (run.recording.tally(endpoint, ALL) for endpoint in ("place", "cancel"))
    assert (place.failures, cancel.failures) == (Counter(), Counter())
    assert place.answered + cancel.answered == 100
    assert len(orders) == place.answered - cancel.answered


def test_latency_counts_from_when_a_request_was_due(serve, drive) -> None:
    begun: list[float] = []

    async def stalls_once(reader: Reader, writer: Writer) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await reader.readuntil(b"\r\n\r\n")
            begun.append(loop.time())
            await asyncio.sleep(max(begun[0] + 0.6 - loop.time(), 0))
            writer.write(OK)

    with serve(stalls_once) as server:
        ended, run = drive(
            f"http://127.0.0.1:{server.port}",
            BY_PATH.format(paths=["plain"] * 3),
            Phase(tag="a", seconds=1, rate=100),
            connections=3,
            timeout_s=60,
            thresholds=(Threshold(edge_s=0.3),),
        )
    assert ended == Ended(how="finished")
    tally = run.recording.tally("plain", ALL)
    assert tally.answered == 100
    # 30 requests were due in the first half of the stall; three connections alone could hide all but three.
    assert tally.over[0] >= 30
    assert max(map(seconds_of, tally.buckets)) >= 0.59


def test_what_cannot_be_sent_is_counted(serve, drive) -> None:
    with serve(by_path({"never": []})) as server:
        ended, run = drive(
            f"http://127.0.0.1:{server.port}",
            BY_PATH.format(paths=["never"]),
            Phase(tag="a", seconds=1, rate=50),
            connections=1,
            timeout_s=0.3,
            backlog=3,
        )
    assert ended == Ended(how="finished")
    failures = run.recording.tally("never", ALL).failures
    assert failures.total() == 50
    assert set(failures) == {"timeout", "late", "dropped"}
    assert run.recording.condition(ALL).asked == 50


def test_a_generator_that_overslept_looks_for_answers_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given_up: list[int] = []
    monkeypatch.setattr(User, "expired", lambda user: given_up.append(user.number))

    def traffic(_user: int) -> Generator[Request, Answer, None]:
        while True:
            yield Request("any")

    async def sweeps() -> AsyncIterator[int]:
        phases = (Phase(tag="a", seconds=60, rate=1),)
        plan = Plan(target="http://127.0.0.1:1", root=str(tmp_path), phases=phases, connections=2)
        driver = Driver(plan, cast("Connector", None), traffic, Recorder(()))
        driver.users[1].deadline_s = 1.0
        driver._sweep_due = 0.9
        for at_s in (0.91, 3.0, 3.06, 3.1):
            driver._sweep(at_s)
            yield len(given_up)
        driver.close()

    async def counts() -> list[int]:
        return [count async for count in sweeps()]

    assert asyncio.run(counts()) == [0, 0, 1, 2]
    assert set(given_up) == {1}


def test_a_target_that_dies_is_failures_to_the_end(serve, drive) -> None:
    with serve(by_path(GOOD)) as server:

        def kill(_recording: object, at_s: float) -> str:
            if at_s > 0.4:
                server.end()
            return ""

        ended, run = drive(
            f"http://127.0.0.1:{server.port}",
            BY_PATH.format(paths=["plain"] * 4),
            Phase(tag="a", seconds=2, rate=50),
            connections=4,
            timeout_s=20,
            watch=kill,
        )
    assert ended == Ended(how="finished")
    tally = run.recording.tally("plain", ALL)
    assert tally.answered + tally.failures["connection"] == 100
    assert tally.failures["connection"] > 0


def test_answers_to_nobody_are_failures(serve, drive) -> None:
    async def talks(reader: Reader, writer: Writer) -> None:
        while True:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(OK)
            await asyncio.sleep(0.01)
            writer.write(OK)

    with serve(talks) as server:
        ended, run = drive(
            f"http://127.0.0.1:{server.port}", BY_PATH.format(paths=["plain"] * 2), timeout_s=60
        )
    assert ended == Ended(how="finished")
    assert run.recording.tally("plain", ALL).failures["protocol"] > 0


def test_who_hangs_up_at_once_has_no_answers(serve, drive) -> None:
    async def hangs_up(reader: Reader, writer: Writer) -> None:
        return

    with serve(hangs_up) as server:
        ended, run = drive(
            f"http://127.0.0.1:{server.port}", BY_PATH.format(paths=["plain"] * 2), timeout_s=60
        )
    if ended.how == "failed":  # it was gone before the first request
        assert "closed the connection" in ended.because
    else:
        assert run.recording.tally("plain", ALL).failures == {"connection": 10}


def test_closed_users_ask_when_they_were_answered(serve, drive) -> None:
    asked: Counter[str] = Counter()

    async def counts(reader: Reader, writer: Writer) -> None:
        while True:
            asked[(await reader.readuntil(b"\r\n\r\n")).split()[1].decode()] += 1
            writer.write(OK)

    traffic = """
        def traffic(user):
            while True:
                yield Request("any", path=f"/{user}")
    """
    with serve(counts) as server:
        ended, run = drive(
            f"http://127.0.0.1:{server.port}",
            traffic,
            Phase(tag="a", seconds=0.5, users=2),
            Phase(tag="b", seconds=0.5, rate=10),
            Phase(tag="c", seconds=0.5, users=1, users_end=3),
            Phase(tag="d", seconds=1, users=3),
            connections=4,
            timeout_s=60,
        )
    assert ended == Ended(how="finished")
    tally = run.recording.tally("any", ALL)
    assert tally.answered == asked.total() > 20
    assert not tally.failures
    assert asked["/0"] > asked["/2"] > 0
    assert asked["/3"] <= 5, "the fourth user has no part in the closed phases"
    assert run.recording.condition(range(2, 4)).asked == run.recording.condition(ALL).asked == 5
    assert run.recording.condition(ALL).lag.total() > 10


LINES = """
    from release_gates.probes.load.open.codec import BadAnswer, Codec

    class Lines(Codec):
        def __init__(self, target):
            super().__init__(target)
            self.ready = False
            self.outgoing += b"LOGON\\n"
            self.rest = b""

        def encode(self, request):
            return request.body + b"\\n"

        def decode(self, data):
            *lines, self.rest = (self.rest + data).split(b"\\n")
            answers = []
            for line in lines:
                if line == b"WELCOME":
                    self.ready = True
                elif line == b"PING":
                    self.outgoing += b"PONG\\n"
                elif line.startswith((b"OK ", b"NO ")):
                    answers.append(Answer(200 if line[:2] == b"OK" else 400, line[3:]))
                else:
                    raise BadAnswer(repr(line))
            if len(answers) > 1:
                raise BadAnswer("two answers")
            return answers[0] if answers else None

    def traffic(user):
        while True:
            yield Request("good", body=b"buy", contains=b"buy")
            yield Request("bad", body=b"reject")
"""


def test_other_protocols_by_a_codec(serve, drive) -> None:
    said: Counter[bytes] = Counter()

    async def lines(reader: Reader, writer: Writer) -> None:
        while line := await reader.readline():
            said[line] += 1
            if line == b"LOGON\n":
                writer.write(b"WELCOME\n")
            elif line != b"PONG\n":
                writer.write((b"PING\nNO " if line == b"reject\n" else b"OK ") + line)

    with serve(lines) as server:
        ended, run = drive(
            f"tcp://127.0.0.1:{server.port}",
            LINES,
            Phase(tag="a", seconds=0.5, rate=80),
            codec="asked:Lines",
            timeout_s=60,
        )
    assert ended == Ended(how="finished")
    good, bad = run.recording.tally("good", ALL), run.recording.tally("bad", ALL)
    assert (good.answered + bad.failures["status"], good.failures.total(), bad.answered) == (40, 0, 0)
    assert said[b"LOGON\n"] == 2
    assert (said[b"buy\n"], said[b"reject\n"]) == (good.answered, bad.failures["status"])
    assert said[b"PONG\n"] >= bad.failures["status"] - 2, "each connection's last may still be on its way"
