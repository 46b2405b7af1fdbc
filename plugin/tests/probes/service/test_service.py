"""Real processes: they listen late, never, die, ignore SIGTERM, fork, flood. None is left afterwards."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from release_gates.errors import GateError, MeasurementError, ProbeUnavailable
from release_gates.probes.service.client import open_client
from release_gates.probes.service.metrics import parse_metrics
from release_gates.probes.service.process import Service
from release_gates.probes.service.settings import ServiceSettings

SERVER = """
import http.server, json, sys
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b"ok")
    def log_message(self, *args): pass
server = http.server.HTTPServer(("127.0.0.1", 0), Answer)
print(json.dumps({"event": "listening", "host": "127.0.0.1", "port": server.server_port}), flush=True)
"""
SERVE = f"{SERVER}\nserver.serve_forever()\n"


def service(tmp_path: Path, code: str) -> Service:
    program = tmp_path / "program"
    program.write_text(f"#!{sys.executable}\n{code}")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return Service(program, folder=tmp_path / "logs", environ=os.environ)


def group_is_gone(pgid: int) -> bool:
    """Look into the process table; a dead process that init has not collected yet does not count."""
    for stat_file in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, group = stat_file.read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue
        if int(group) == pgid and state not in "ZX":
            return False
    return True


def test_serves_and_ends_on_sigterm(tmp_path: Path) -> None:
    with service(tmp_path, SERVE) as running:
        pid = running.pid
        with open_client(running.wait_listening(10)) as client:
            assert client.get("/ready").text == "ok"
        end = running.terminate(5)
    assert (end.status, end.killed) == (-15, False)
    assert group_is_gone(pid)


def test_code_under_test_sees_no_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATE_LEDGER", "secret")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    code = "import os, sys; print(sorted(os.environ), file=sys.stderr, flush=True)\n"
    with service(tmp_path, code + SERVE) as running:
        running.wait_listening(10)
        seen = running.stderr.read_text()
    assert "GATE_LEDGER" not in seen
    assert "AWS" not in seen


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("import time; time.sleep(60)", "has not said within 1 s that it listens"),
        ("import sys; print('no config', file=sys.stderr); sys.exit(3)", "with status 3"),
        ("print('hello', flush=True); import time; time.sleep(60)", "service-garbage"),
        (
            'print(\'{"event": "listening", "host": "0.0.0.0", "port": 80}\', flush=True); import time; time.sleep(60)',
            "service-not-loopback",
        ),
        (
            'print(\'{"event": "listening", "host": "127.0.0.1", "port": 1}\', flush=True); import time; time.sleep(60)',
            "is not its own",
        ),
    ],
)
def test_service_that_does_not_come_up(tmp_path: Path, code: str, says: str) -> None:
    with service(tmp_path, code) as running:
        pid = running.pid
        with pytest.raises(MeasurementError) as failed:
            running.wait_listening(1)
    assert says in str(failed.value)
    assert group_is_gone(pid)


def test_last_words_are_quoted(tmp_path: Path) -> None:
    code = "import sys; print('no such symbol', file=sys.stderr); sys.exit(1)"
    with service(tmp_path, code) as running, pytest.raises(MeasurementError, match="no such symbol"):
        running.wait_listening(10)


def test_ignored_sigterm_is_killed_and_said(tmp_path: Path) -> None:
    code = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    with service(tmp_path, code + SERVE) as running:
        pid = running.pid
        running.wait_listening(10)
        end = running.terminate(0.3)
    assert end.killed
    assert "had not ended" in str(end)
    assert group_is_gone(pid)


def test_children_end_with_the_service(tmp_path: Path) -> None:
    code = "import os, time\nfor _ in range(3):\n    if os.fork() == 0:\n        time.sleep(60)\n"
    with service(tmp_path, code + SERVE) as running:
        pid = running.pid
        running.wait_listening(10)
        running.terminate(5)
    assert group_is_gone(pid)


def test_flood_on_stdout_does_not_block_it(tmp_path: Path) -> None:
    flood = f"{SERVER}\nprint('x' * 3_000_000, flush=True)\nserver.serve_forever()\n"
    with service(tmp_path, flood) as running, open_client(running.wait_listening(10)) as client:
        assert client.get("/").status_code == 200


def test_file_that_is_no_program(tmp_path: Path) -> None:
    (tmp_path / "program").write_text("text")
    with pytest.raises(ProbeUnavailable, match="service-not-executable"):
        Service(tmp_path / "program", folder=tmp_path, environ={}).start()


@pytest.mark.parametrize(
    "settings",
    [{"artifact": ""}, {"ready_path": "ready"}, {"start_timeout_s": 0}, {"stop_timeout_s": float("nan")}],
)
def test_settings_that_make_no_sense(settings: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r".+"):
        ServiceSettings(**settings)  # type: ignore[arg-type]


class TestMetrics:
    TEXT = '# TYPE orders counter\norders_total{outcome="accepted"} 3\nready 1\nlag NaN\n'

    def test_values_by_name_and_labels(self) -> None:
        metrics = parse_metrics(self.TEXT)
        assert metrics.value("orders_total", outcome="accepted") == 3
        assert metrics.value("ready") == 1

    @pytest.mark.parametrize(("name", "labels"), [("orders_total", {}), ("gone", {}), ("lag", {})])
    def test_absent_or_not_finite_is_an_error(self, name: str, labels: dict[str, str]) -> None:
        with pytest.raises(MeasurementError, match="service-metric"):
            parse_metrics(self.TEXT).value(name, **labels)

    def test_twice_is_an_error(self) -> None:
        with pytest.raises(MeasurementError, match="twice"):
            parse_metrics("ready 1\nready 0\n")

    @given(st.text(max_size=200))
    def test_any_text_is_metrics_or_a_gate_error(self, text: str) -> None:
        try:
            parse_metrics(text)
        except GateError as error:
            assert error.slug == "service-metrics-unreadable"  # noqa: PT017  both ways are right
