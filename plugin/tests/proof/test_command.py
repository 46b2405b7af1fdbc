"""One command of a proof, as a real process: its log, its time, and that nothing of it lives on."""

from __future__ import annotations

import os
import shlex
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from release_gates.proof import command
from release_gates.proof.command import Ended, Stop, Stopped, filled, last_line, run_command

SLEEP = "import time; time.sleep(60)"
FAMILY = """
import signal, subprocess, sys, time
{before}
child = subprocess.Popen([sys.executable, "-c", "{child}"])
open("pids", "w").write(f"{{child.pid}}")
time.sleep(60)
"""
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"


def run(root: Path, *words: str, timeout_s: float = 30, stop: Stop | None = None) -> Ended:
    return run_command(
        words, root=root, log=root / "log", timeout_s=timeout_s, variables=os.environ, stop=stop
    )


def python(root: Path, code: str, *, timeout_s: float = 30, stop: Stop | None = None) -> Ended:
    return run(root, sys.executable, "-c", code, timeout_s=timeout_s, stop=stop)


def lives(pid: int) -> bool:
    """Tell whether a process runs; one that only waits for its parent to look does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def is_gone(pid: int) -> bool:
    """Wait for a process that was killed to be gone: the kernel takes its time."""
    deadline = time.monotonic() + 5
    while lives(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not lives(pid)


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 20
    while not (path.exists() and path.read_text()):
        assert time.monotonic() < deadline, f"{path} was not written"
        time.sleep(0.02)


def test_success_says_nothing_and_keeps_its_output(tmp_path: Path) -> None:
    code = "import sys; print('out'); print('err', file=sys.stderr); open('here', 'w')"
    assert python(tmp_path, code) == Ended(0, "")
    assert sorted((tmp_path / "log").read_text().split()) == ["err", "out"]
    assert (tmp_path / "here").exists()


def test_failure_names_command_status_last_line_and_log(tmp_path: Path) -> None:
    ended = python(tmp_path, "print('one'); print('no compiler'); print(' '); raise SystemExit(3)")
    assert ended.status == 3
    assert "ended with status 3 (no compiler); its output is in log" in ended.why
    assert shlex.quote(sys.executable) in ended.why


def test_a_signal_is_a_failure(tmp_path: Path) -> None:
    ended = python(tmp_path, "import os; os.kill(os.getpid(), 9)")
    assert ended.status < 0
    assert "status -9" in ended.why


@pytest.mark.parametrize("words", [("no-such-program-at-all",), ("/",), ("a\0b",)])
def test_what_cannot_be_started_says_why(tmp_path: Path, words: tuple[str, ...]) -> None:
    ended = run(tmp_path, *words)
    assert ended.status < 0
    assert "cannot be started: " in ended.why


def test_nothing_is_asked_of_a_terminal(tmp_path: Path) -> None:
    assert python(tmp_path, "import sys; raise SystemExit(len(sys.stdin.read()))") == Ended(0, "")


@pytest.mark.parametrize("child", [SLEEP, STUBBORN], ids=["obedient", "deaf to TERM"])
@pytest.mark.parametrize("before", ["", "signal.signal(15, signal.SIG_IGN)"], ids=["", "deaf parent"])
def test_a_command_that_takes_too_long_is_ended_with_its_children(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, child: str, before: str
) -> None:
    monkeypatch.setattr(command, "GRACE_S", 0.3)
    started = time.monotonic()
    ended = python(tmp_path, FAMILY.format(child=child, before=before), timeout_s=1.5)
    assert ended.status < 0
    assert "took longer than 1.5 s and was ended" in ended.why
    assert time.monotonic() - started < 20
    assert is_gone(int((tmp_path / "pids").read_text()))


@pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")
def test_what_may_not_be_ended_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(pid: int, number: int) -> None:
        raise PermissionError

    monkeypatch.setattr(command, "GRACE_S", 0.1)
    monkeypatch.setattr(os, "killpg", refuse)
    ended = python(tmp_path, "import time; time.sleep(3)", timeout_s=0.5)
    assert "took longer than 0.5 s and could not be ended" in ended.why


def test_a_request_to_stop_ends_it_with_its_children(tmp_path: Path) -> None:
    stop = Stop()

    def ask() -> None:
        wait_for(tmp_path / "pids")
        stop(signal.SIGTERM, None)

    asking = threading.Thread(target=ask)
    asking.start()
    with pytest.raises(Stopped, match="SIGTERM"):
        python(tmp_path, FAMILY.format(child=SLEEP, before=""), stop=stop)
    asking.join()
    assert is_gone(int((tmp_path / "pids").read_text()))


def test_after_a_request_to_stop_nothing_is_started_but_what_must_run(tmp_path: Path) -> None:
    stop = Stop()
    stop(signal.SIGINT, None)
    with pytest.raises(Stopped):
        python(tmp_path, "open('started', 'w')", stop=stop)
    assert not (tmp_path / "started").exists()
    assert python(tmp_path, "open('undone', 'w')", stop=None) == Ended(0, "")
    assert (tmp_path / "undone").exists()


def test_placeholders_are_filled_and_other_braces_stay() -> None:
    words = ["{python}", "--set={name}", '{"json": 1}', "{}", "{other}", "{name}{name}"]
    values = {"python": "/usr/bin/python", "name": "{python} x"}
    assert filled(words, values) == [
        "/usr/bin/python",
        "--set={python} x",
        '{"json": 1}',
        "{}",
        "{other}",
        "{python} x{python} x",
    ]


def test_last_line_of_what_is_no_text(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert last_line(log) == ""
    log.write_bytes(b"ERROR: bad\n\xff\xfe\n\n")
    assert last_line(log) == "\ufffd\ufffd"
    assert last_line(log, beginning="ERROR") == "ERROR: bad"
    assert last_line(log, beginning="E   ") == ""
