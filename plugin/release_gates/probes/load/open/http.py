"""HTTP/1.1: requests with bodies, answers with a length, in chunks, or up to the end of the connection."""

from __future__ import annotations

import re
from functools import partial

from release_gates.probes.load.open.codec import BadAnswer, Codec, Codecs
from release_gates.probes.load.open.target import Target
from release_gates.probes.load.traffic import Answer, Request

MOST_HEADER_BYTES = 64 * 1024
MOST_ANSWER_BYTES = 16 * 1024 * 1024
METHODS = frozenset({"GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"})
"""HEAD and CONNECT are not among them: their answers have another form."""
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
_OURS = frozenset({"content-length", "transfer-encoding", "connection", "upgrade", "expect"})
_FRAMING = frozenset({b"content-length", b"transfer-encoding"})
_path = re.compile(r"/[!-~]*").fullmatch
_name = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+").fullmatch
_value = re.compile(r"[\t -~\x80-\xff]*").fullmatch


def http_codecs() -> Codecs:
    """Return what makes the codec of a connection; those of one run share wires and parsers."""
    return partial(HttpCodec, wires=Wires(), parsers=[])


class Wires(dict[int, tuple[Request, bytes]]):
    """Requests as they travel, by identity, for traffic that yields the same objects again and again.

    The request is kept beside its bytes, so that no other object can get its id.
    """

    MOST = 256
    LARGEST_BYTES = 16 * 1024

    def add(self, request: Request, target: Target) -> bytes:
        """Encode a request and remember it, within bounds."""
        wire = encode(request, target)
        if len(wire) <= self.LARGEST_BYTES:
            if len(self) >= self.MOST:
                self.clear()
            self[id(request)] = (request, wire)
        return wire


class HttpCodec(Codec):
    """One kept connection. It has a parser only while an answer is half there: most come in one piece."""

    __slots__ = ("_bytes", "_head", "_parser", "_parsers", "_wires")

    def __init__(self, target: Target, *, wires: Wires, parsers: list[Parser]) -> None:
        super().__init__(target)
        self._wires = wires
        self._parsers = parsers
        self._parser: Parser | None = None
        self._bytes = 0
        self._head = b""

    def encode(self, request: Request) -> bytes:
        """Return a request as it travels; ValueError for one that HTTP does not allow."""
        known = self._wires.get(id(request))
        return self._wires.add(request, self.target) if known is None else known[1]

    def decode(self, data: bytes) -> Answer | None:
        """Take any piece of what came; return the answer if it is whole now."""
        parser = self._parser
        if parser is None:
            parser = self._parsers.pop() if self._parsers else Parser()
        headed = parser.headed
        try:
            parser.feed(data)
        except Exception as error:
            raise BadAnswer(f"no HTTP/1.1 answer: {error}") from error
        answer = parser.answer
        if answer is None:
            self._keep(parser, data, headed)
        elif parser.begun:
            raise BadAnswer("more came than one answer")
        else:
            self._give_back(parser)
        return answer

    def ended(self) -> Answer | None:
        """Return the answer that has no length and ends with its connection (RFC 9112, 6.3, rule 8)."""
        parser = self._parser
        if parser is None or not parser.headed or _has_length(self._head):
            return None
        return parser.so_far()

    def _give_back(self, parser: Parser) -> None:
        parser.answer = None
        if parser.kept:
            self._parsers.append(parser)
        else:
            self.reusable = False
        if self._parser is not None:
            self._parser, self._bytes, self._head = None, 0, b""

    def _keep(self, parser: Parser, data: bytes, headed: bool) -> None:
        """Bound an answer that is not whole yet; remember its head, which tells where it ends."""
        self._parser = parser
        self._bytes += len(data)
        if self._bytes > (MOST_ANSWER_BYTES if parser.headed else MOST_HEADER_BYTES):
            raise BadAnswer(f"an answer of more than {self._bytes - len(data):,} bytes")
        if not headed:
            self._head += data


class Parser:
    """Reads answers by llhttp, the parser of Node.js, through httptools, which calls the ``on_…``.

    After a whole answer it is as new, so that it may go on with another connection.
    """

    __slots__ = ("_body", "_keeps", "_pieces", "_status", "answer", "begun", "feed", "headed", "kept")

    def __init__(self) -> None:
        from httptools import HttpResponseParser

        self.answer: Answer | None = None
        self.begun = self.headed = False
        self.kept = True
        self._body = b""
        self._pieces: list[bytes] = []
        parser = HttpResponseParser(self)
        self.feed = parser.feed_data
        self._status, self._keeps = parser.get_status_code, parser.should_keep_alive

    def so_far(self) -> Answer:
        """Return an answer as far as it came."""
        body = b"".join((self._body, *self._pieces)) if self._pieces else self._body
        return Answer(self._status(), body)

    def on_message_begin(self) -> None:
        """Learn that the first byte of an answer came."""
        self.begun = True

    def on_headers_complete(self) -> None:
        """Learn that a body follows, or nothing."""
        self.headed = True

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body."""
        if self._body:
            self._pieces.append(body)
        else:
            self._body = body

    def on_message_complete(self) -> None:
        """Make the answer; what only informs (1xx) is passed over."""
        self.begun = self.headed = False
        if self.answer is not None:
            raise BadAnswer("more came than one answer")
        answer = self.so_far()
        if answer.status >= 200:
            self.answer, self.kept = answer, self._keeps()
        self._body = b""
        self._pieces.clear()


class _Head:
    """Learns from the bytes of an answer whether they say where it ends."""

    has_length = False

    def on_message_begin(self) -> None:
        self.has_length = False

    def on_header(self, name: bytes, _value: bytes) -> None:
        self.has_length |= name.lower() in _FRAMING


def _has_length(data: bytes) -> bool:
    from httptools import HttpResponseParser

    head = _Head()
    HttpResponseParser(head).feed_data(data)
    return head.has_length


def encode(request: Request, target: Target) -> bytes:
    """Return a request as it travels; ValueError for one that HTTP does not allow."""
    _check(request)
    given = {name.lower() for name, _ in request.headers}
    lines = [f"{request.method} {target.path}{request.path} HTTP/1.1"]
    if "host" not in given:
        lines.append(f"Host: {target.authority}")
    if "user-agent" not in given:
        lines.append("User-Agent: release-gates")
    lines += [f"{name}: {value}" for name, value in request.headers]
    if request.body or request.method in _WITH_BODY:
        lines.append(f"Content-Length: {len(request.body)}")
    return "\r\n".join((*lines, "", "")).encode("latin-1") + request.body


def _check(request: Request) -> None:
    if request.method not in METHODS:
        raise ValueError(f"method {request.method!r}: must be one of {', '.join(sorted(METHODS))}")
    if not _path(request.path):
        raise ValueError(f"path {request.path!r}: must begin with / and be ASCII without spaces (quote it)")
    if not (isinstance(request.body, bytes) and isinstance(request.contains, bytes)):
        raise ValueError(
            f"body {request.body!r:.40}, contains {request.contains!r:.40}: must be bytes (b'…')"
        )
    for name, value in request.headers:
        if not _name(name) or not _value(value):
            raise ValueError(f"header {name!r}: {value!r} is not allowed in HTTP")
        if name.lower() in _OURS:
            raise ValueError(f"header {name!r}: the driver sets what frames a message and keeps a connection")
