"""``report --webhook``: a chat is told, its address never, and a chat that is down changes nothing."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from release_gates.cli.webhook import post
from release_gates.testing import GateProject

SECRET = "T0/B0/very-secret"


class Chat(BaseHTTPRequestHandler):
    """Takes messages, unless its path says otherwise."""

    told: list[bytes]

    def do_POST(self) -> None:
        if "fails" in self.path:
            self.send_error(503)
        elif "moved" in self.path:
            self.send_response(302)
            self.send_header("Location", "/elsewhere")
            self.end_headers()
        elif "noise" in self.path:
            self.wfile.write(b"this is no HTTP\r\n\r\n")
        else:
            self.told.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture
def chat() -> Iterator[str]:
    Chat.told = []
    server = HTTPServer(("127.0.0.1", 0), Chat)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/{SECRET}"
    server.shutdown()
    server.server_close()


def test_a_chat_is_told(chat: str, tmp_path: Path) -> None:
    project = GateProject(tmp_path)
    project.write(
        "suites/test_a.py", 'import pytest\n@pytest.mark.gate("smoke")\ndef test_a(gate): assert False\n'
    )
    project.expect(["suites/test_a.py::test_a"])
    project.run()
    result = project.cli("report", "--environment", "staging", "--webhook", env={"GATE_WEBHOOK": chat})
    assert (result.status, result.output) == (0, "127.0.0.1 was told (200)\n")
    (message,) = map(json.loads, Chat.told)
    assert message["text"].startswith("HOLD (broken): engine 1.0.0 (")
    assert SECRET not in json.dumps(message)
    down = project.cli(
        "report", "--environment", "staging", "--webhook", env={"GATE_WEBHOOK": f"{chat}/fails"}
    )
    assert (down.status, down.output) == (0, "127.0.0.1 was not told: it answered 503\n")


@pytest.mark.parametrize("what", ["fails", "moved", "noise", "a b", "\x00"])
def test_what_goes_wrong_is_a_sentence_without_the_address(chat: str, what: str) -> None:
    told = post(f"{chat}/{what}", "{}")
    assert not told.ok
    assert told.sentence.startswith("127.0.0.1 was not told: ")
    assert SECRET not in told.sentence
    assert Chat.told == []


@pytest.mark.parametrize("url", ["", "secret", "file:///etc/passwd", "https://", "http://[bad/secret"])
def test_what_is_no_address(url: str) -> None:
    assert post(url, "{}") == (False, "nobody was told: GATE_WEBHOOK holds no address (https://…)")


def test_nobody_listens() -> None:
    assert not post("http://127.0.0.1:1/secret", "{}").ok
