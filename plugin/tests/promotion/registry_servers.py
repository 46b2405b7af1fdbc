"""Registries for tests: Debian's real one on a free port, and a small one that does what no good one does."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

CONFIG = """\
version: 0.1
log: {{level: info, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {root}}}, delete: {{enabled: true}}}}
http: {{addr: "127.0.0.1:0"}}
"""


@contextmanager
def docker_registry(folder: Path) -> Iterator[str]:
    """Run Debian's docker-registry and yield its ``host:port``; it ends with the test."""
    if shutil.which("docker-registry") is None:
        pytest.fail("docker-registry is not installed: apt-get install docker-registry")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.yml").write_text(CONFIG.format(root=folder / "data"))
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["docker-registry", "serve", str(folder / "config.yml")], stdout=output, stderr=output
        )
    try:
        yield _address(process, log)
    finally:
        process.kill()
        process.wait(30)


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    for _ in range(3000):
        if found := re.search(r"listening on (127\.0\.0\.1:[0-9]+)", log.read_text()):
            return found[1]
        if process.poll() is not None:
            break
        time.sleep(0.01)
    pytest.fail(f"docker-registry does not listen: {log.read_text()[-2000:]}")


@dataclass
class Answer:
    """What the small registry sends: ``cut`` bytes of the body at most, though it promises all."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    cut: int | None = None


Fault = Callable[[str, str, Mapping[str, str]], Answer | None]


class SmallRegistry:
    """A registry in memory with the referrers API; ``fault`` may answer in its place."""

    def __init__(self) -> None:
        self.manifests: dict[str, tuple[str, bytes]] = {}
        self.blobs: dict[str, bytes] = {}
        self.asked: list[tuple[str, str, Mapping[str, str]]] = []
        self.fault: Fault = lambda *_: None

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Answer one request."""
        self.asked.append((method, path, headers))
        return self.fault(method, path, headers) or self._right(method, path, headers, body)

    def _right(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        kind, _, rest = path.partition("/x/")[2].partition("/")
        name = rest.partition("?")[0]
        if kind == "manifests" and method == "PUT":
            return self._put(name, headers.get("Content-Type", ""), body)
        if kind == "manifests" and method == "DELETE":
            return Answer(202 if self.manifests.pop(name, None) else 404)
        if kind == "manifests":
            media_type, data = self.manifests.get(name, ("", b""))
            return Answer(200 if data else 404, {"Content-Type": media_type}, data)
        if method == "POST":
            return Answer(202, {"Location": "/upload/x/blobs/1?state=a"})
        if method == "PUT":
            digest = rest.partition("digest=")[2].replace("%3A", ":")
            self.blobs[digest] = body
            return Answer(201 if digest == f"sha256:{hashlib.sha256(body).hexdigest()}" else 400)
        return Answer(200 if name in self.blobs else 404, {}, self.blobs.get(name, b""))

    def _put(self, name: str, media_type: str, body: bytes) -> Answer:
        self.manifests[name] = self.manifests[f"sha256:{hashlib.sha256(body).hexdigest()}"] = (
            media_type,
            body,
        )
        subject = json.loads(body).get("subject")
        return Answer(201, {"OCI-Subject": subject["digest"]} if subject else {})

    @contextmanager
    def serving(self) -> Iterator[str]:
        """Serve on a free port and yield ``host:port``."""
        registry = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                answer = registry.answer(self.command, self.path, dict(self.headers), body)
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(answer.body[: answer.cut])
                self.close_connection = answer.cut is not None

            do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = handle_any  # noqa: N815 - http.server's names

            def log_message(self, *_: object) -> None:
                pass

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
            thread.start()
            try:
                yield f"127.0.0.1:{server.server_port}"
            finally:
                server.shutdown()
                thread.join(30)
