"""What docs/load-gate.md gives to a team with locustfiles, as a whole project."""

from __future__ import annotations

import re
from pathlib import Path

from release_gates.testing import GateProject

PAGE = Path(__file__).parents[4] / "docs" / "load-gate.md"
FILE = re.compile(r"^```\w+\n# (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SMALLER = {
    "exclusive = true\n": "",
    "timeout_s = 5\n": "timeout_s = 60\nattempts = 1\n",
    "users_end = 100": "users_end = 20",
    "users = 100, rate = 1000": "users = 20, rate = 100",
    "<= 100 ms": "<= 60 s",
}
"""What makes a minute on a host of one's own two seconds on a busy one."""
SERVICE = '''
import subprocess
import sys
from dataclasses import dataclass

import pytest

pytest_plugins = ["release_gates.probes.load.fixtures"]
SERVER = """
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(200)
        self.send_header("Content-Length", "12")
        self.end_headers()
        self.wfile.write(b'{"bids": []}')

    do_POST = do_GET

    def log_message(self, *words): pass

ThreadingHTTPServer.request_queue_size = 128
server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
"""


@dataclass(frozen=True)
class Service:
    url: str
    pid: int


@pytest.fixture
def gate_service():
    process = subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True)
    with process:
        yield Service(f"http://127.0.0.1:{process.stdout.readline().strip()}", process.pid)
        process.kill()
'''


def test_the_example_runs(tmp_path: Path) -> None:
    """Its minute is two seconds here: enough to see every endpoint, too few for a p99."""
    project = GateProject(tmp_path)
    page = PAGE.read_text(encoding="utf-8")
    files = dict(FILE.findall(page[page.index("\n## locust\n") :]))
    assert files.keys() == {"suites/load/locustfile.py", "suites/load/test_traders.py", "gates/staging.toml"}
    for name, text in files.items():
        project.write(name, text)
    policy = re.sub(r"seconds = \d+", "seconds = 1", files["gates/staging.toml"])
    for old, new in SMALLER.items():
        assert old in policy
        policy = policy.replace(old, new)
    project.write("gates/staging.toml", "schema = 1\n" + policy)
    project.write("conftest.py", SERVICE)
    project.cli("expect")
    result = project.run()
    assert result.status in (0, 10), result.output
    for name in ("order_entry.p99", "order_entry.error_rate", "book.error_rate"):
        assert name in result.output
    assert "ERROR" not in result.output
