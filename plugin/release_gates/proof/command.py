"""One command of a proof: its placeholders, its time, its log; ended with all its children when asked to."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

TICK_S = 0.1
"""So often a request to stop is looked for."""

GRACE_S = 5.0
"""So long a command has between TERM and KILL."""

SHOWN = 120
"""Longer commands are cut in a sentence, in characters."""


class Stopped(Exception):
    """Somebody asked to stop, by the signal ``number``."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


class Stop:
    """Whether somebody asked to stop. A signal handler that raises nothing: what runs ends in order."""

    def __init__(self) -> None:
        self.number = 0

    def __call__(self, number: int, _frame: object) -> None:
        """Note a signal."""
        self.number = number

    def check(self) -> None:
        """Raise ``Stopped`` if a signal came."""
        if self.number:
            raise Stopped(self.number)


class Ended(NamedTuple):
    """How a command ended: its status, and in a sentence why that is no success ("" for success)."""

    status: int
    why: str


def filled(words: Sequence[str], values: Mapping[str, str]) -> list[str]:
    """Return a command with its placeholders replaced; braces around anything else stay."""
    return [re.sub(r"\{(\w+)\}", lambda found: values.get(found[1], found[0]), word) for word in words]


def run_command(
    words: Sequence[str],
    *,
    root: Path,
    log: Path,
    timeout_s: float,
    variables: Mapping[str, str],
    stop: Stop | None,
) -> Ended:
    """Run a command in ``root``, without a shell, with its output in ``log``.

    It is in a process group of its own. Raises ``Stopped``, when the group is gone; without ``stop`` nobody
    can end it early.
    """
    if stop is not None:
        stop.check()
    shown = f"`{_cut(shlex.join(words))}`"
    with log.open("w", encoding="utf-8") as output:
        try:
            child = subprocess.Popen(
                words,
                cwd=root,
                env=dict(variables),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            return Ended(-1, f"{shown} cannot be started: {getattr(error, 'strerror', None) or error}")
        status = _wait(child, timeout_s, stop)
    where = f"its output is in {_relative(log, root)}"
    if status is None:
        fate = "could not be ended" if child.returncode is None else "was ended"
        return Ended(-1, f"{shown} took longer than {timeout_s:g} s and {fate}; {where}")
    if status:
        said = f" ({last_line(log)})" if last_line(log) else ""
        return Ended(status, f"{shown} ended with status {status}{said}; {where}")
    return Ended(0, "")


def last_line(log: Path, *, beginning: str = "") -> str:
    """Return the last line of a log that is not blank and begins so, "" if there is none."""
    text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
    lines = (line.strip() for line in reversed(text.splitlines()))
    return next((line for line in lines if line and line.startswith(beginning)), "")


def _cut(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"


def _relative(path: Path, root: Path) -> Path:
    return path.relative_to(root) if path.is_relative_to(root) else path


def _wait(child: subprocess.Popen[bytes], timeout_s: float, stop: Stop | None) -> int | None:
    """Return the status, None for one that was ended because it took too long."""
    deadline = time.monotonic() + timeout_s
    try:
        while time.monotonic() < deadline:
            if stop is not None:
                stop.check()
            with suppress(subprocess.TimeoutExpired):
                return child.wait(TICK_S)
        return None
    finally:
        if child.returncode is None:
            _end(child)


def _end(child: subprocess.Popen[bytes]) -> None:
    """End a command and what it started: TERM, and KILL for what is left.

    Processes of another user (sudo) cannot be ended by us; they are not waited for either.
    """
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, number)
        with suppress(subprocess.TimeoutExpired):
            child.wait(GRACE_S)
