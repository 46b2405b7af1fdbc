"""HTTP on the wire: however the bytes are cut, the answer is the same; what is none is never one."""

from __future__ import annotations

from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from release_gates.probes.load.open.codec import BadAnswer, Codec
from release_gates.probes.load.open.http import MOST_ANSWER_BYTES, MOST_HEADER_BYTES, encode, http_codecs
from release_gates.probes.load.open.target import Target, target_of
from release_gates.probes.load.traffic import Answer, Request

pytest.importorskip("httptools")

TARGET = target_of("http://gateway:8080/api/")
PLAIN = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nTrailer: 1\r\n\r\n"
UNTIL_END = b"HTTP/1.1 200 OK\r\nServer: old\r\n\r\nall that comes"


def codec() -> Codec:
    return http_codecs()(TARGET)


def chunked(pieces: list[bytes]) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


@st.composite
def answers(draw: st.DrawFn) -> tuple[bytes, Answer]:
    """Draw an answer as it travels, and what it is."""
    status = draw(st.sampled_from([200, 201, 404, 500]))
    head = b"HTTP/1.1 %d Word\r\nDate: today\r\n" % status
    if draw(st.booleans()):
        head = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + head
    if draw(st.booleans()):
        pieces = draw(st.lists(st.binary(min_size=1, max_size=9), max_size=4))
        return head + b"Transfer-Encoding: chunked\r\n\r\n" + chunked(pieces), Answer(
            status, b"".join(pieces)
        )
    body = draw(st.binary(max_size=40))
    return head + b"Content-Length: %d\r\n\r\n%s" % (len(body), body), Answer(status, body)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[start:end] for start, end in pairwise(edges)]


def read(codec: Codec, pieces: list[bytes]) -> Answer | None:
    """Feed pieces; what comes behind a whole answer makes it none, as it does on a connection."""
    for number, piece in enumerate(pieces):
        answer = codec.decode(piece)
        if answer is not None:
            if number + 1 < len(pieces):
                raise BadAnswer("more came")
            return answer
    return None


cuts = st.lists(st.integers(0, 10_000), max_size=12)


@given(st.lists(answers(), min_size=1, max_size=3), cuts)
def test_any_cut_of_the_bytes_gives_the_same_answers(
    each: list[tuple[bytes, Answer]], places: list[int]
) -> None:
    connection = codec()
    for data, answer in each:
        assert read(connection, cut(data, places)) == answer
    assert connection.reusable


@given(answers(), st.data())
def test_damaged_answers_are_the_same_in_one_piece_or_many(
    each: tuple[bytes, Answer], data: st.DataObject
) -> None:
    damaged = bytearray(each[0])
    for _ in range(data.draw(st.integers(1, 3))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    seen = []
    for places in ([], data.draw(cuts), list(range(len(damaged)))):
        try:
            seen.append(read(codec(), cut(bytes(damaged), places)))
        except BadAnswer:
            seen.append("bad")
    assert len(set(seen)) == 1


@given(st.binary(min_size=1, max_size=200), cuts)
def test_garbage_is_no_answer(data: bytes, places: list[int]) -> None:
    with suppress(BadAnswer):
        assert read(codec(), cut(data, places)) is None


@given(answers(), st.data())
def test_half_an_answer_that_ends_is_none(each: tuple[bytes, Answer], data: st.DataObject) -> None:
    connection = codec()
    half = each[0][: data.draw(st.integers(0, len(each[0]) - 1))]
    assert read(connection, [half] if half else []) is None
    assert connection.ended() is None


@pytest.mark.parametrize("places", [[], [10], [40, 41, 45], list(range(60))])
def test_an_answer_without_a_length_ends_with_its_connection(places: list[int]) -> None:
    connection = codec()
    assert read(connection, cut(UNTIL_END, places)) is None
    assert connection.ended() == Answer(200, b"all that comes")
    hinted = codec()
    hinted.decode(b"HTTP/1.1 103 Early Hints\r\nContent-Length: 3\r\n\r\n" + UNTIL_END)
    assert hinted.ended() == Answer(200, b"all that comes")


@pytest.mark.parametrize(
    "data",
    [
        PLAIN + PLAIN,
        PLAIN + PLAIN[:3],
        PLAIN + b"x",
        PLAIN[:-2] + b"ok, and more than that",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok" + PLAIN,
    ],
)
def test_what_is_no_single_answer(data: bytes) -> None:
    with pytest.raises(BadAnswer):
        codec().decode(data)


def test_a_damaged_connection_leaves_nothing_to_others_of_the_run() -> None:
    make = http_codecs()
    broken, half = make(TARGET), make(TARGET)
    with pytest.raises(BadAnswer):
        broken.decode(PLAIN + b"x")
    assert half.decode(CHUNKED[:30]) is None
    for _ in range(3):
        assert make(TARGET).decode(PLAIN) == Answer(200, b"ok")
    assert half.decode(CHUNKED[30:]) == Answer(201, b"abcde")


@pytest.mark.parametrize(
    ("head", "reusable"),
    [
        (b"HTTP/1.1 200 OK\r\n", True),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\n", False),
        (b"HTTP/1.0 200 OK\r\n", False),
        (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n", True),
    ],
)
def test_who_closes_is_not_asked_again(head: bytes, reusable: bool) -> None:
    connection = codec()
    assert connection.decode(head + b"Content-Length: 2\r\n\r\nok") == Answer(200, b"ok")
    assert connection.reusable is reusable


@pytest.mark.parametrize(
    ("start", "more", "bound"),
    [
        (b"HTTP/1.1 200 OK\r\nLong: ", b"x" * 4096, MOST_HEADER_BYTES),
        (b"HTTP/1.1 200 OK\r\n", b"Many: headers\r\n" * 200, MOST_HEADER_BYTES),
        (b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n" * 100, MOST_HEADER_BYTES),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", b"x" * 262_144, MOST_ANSWER_BYTES),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", b"x" * 262_144, MOST_ANSWER_BYTES),
    ],
)
def test_everything_has_a_bound(start: bytes, more: bytes, bound: int) -> None:
    pieces = [start, *[more] * (bound // len(more) + 1)]
    with pytest.raises(BadAnswer, match=r"more than|no HTTP"):
        read(codec(), pieces)


def test_a_request_on_the_wire() -> None:
    request = Request("order", "POST", "/orders?x=1", body=b"{}", headers=(("X-Id", "7"), ("Accept", "*/*")))
    assert encode(request, TARGET) == (
        b"POST /api/orders?x=1 HTTP/1.1\r\nHost: gateway:8080\r\nUser-Agent: release-gates\r\n"
        b"X-Id: 7\r\nAccept: */*\r\nContent-Length: 2\r\n\r\n{}"
    )
    assert b"Content-Length" not in encode(Request("book", headers=(("host", "other"),)), TARGET)
    assert b"gateway" not in encode(Request("book", headers=(("host", "other"),)), TARGET)
    assert b"Content-Length: 0" in encode(Request("book", "PUT"), TARGET)


@pytest.mark.parametrize(
    "request_",
    [
        Request("x", "HEAD"),
        Request("x", "GET\r\n"),
        Request("x", path="orders"),
        Request("x", path="/a b"),
        Request("x", path="/a\r\nX: y"),
        Request("x", path="/ü"),
        Request("x", headers=(("X", "a\r\nY: b"),)),
        Request("x", headers=(("X Y", "a"),)),
        Request("x", headers=(("Content-Length", "3"),)),
        Request("x", headers=(("Connection", "close"),)),
    ],
)
def test_what_http_does_not_allow_is_refused(request_: Request) -> None:
    with pytest.raises(ValueError, match=r"method|path|header"):
        encode(request_, TARGET)


def test_requests_are_encoded_once_and_not_forever() -> None:
    connection = codec()
    again = Request("again")
    assert connection.encode(again) is connection.encode(again)
    for number in range(2000):
        assert connection.encode(Request("new", path=f"/{number}")).startswith(b"GET /api/%d " % number)
    assert connection.encode(Request("large", "PUT", body=b"x" * 99_999)).endswith(b"x" * 99_999)


@pytest.mark.parametrize(
    ("url", "authority"),
    [
        ("http://localhost", "localhost"),
        ("https://localhost:443/", "localhost"),
        ("https://localhost:80", "localhost:80"),
        ("http://[::1]:8080", "[::1]:8080"),
    ],
)
def test_the_authority_of_a_target(url: str, authority: str) -> None:
    found: Target = target_of(url)
    assert found.authority == authority
    assert not found.path
