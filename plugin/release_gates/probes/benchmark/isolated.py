"""A program run apart: few environment variables, a process group of its own, killed when its time is up."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from release_gates.errors import MeasurementError
from release_gates.host.surroundings import surroundings

"""The environment variables that code under test gets to see: no keys, no ledger, no LD_PRELOAD."""

_QUOTED_BYTES = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a program ended: ``status`` is -N for signal N and None if it was killed for lack of time."""

    status: int | None
    out: bytes
    last_words: str
    wall_s: float

    def __str__(self) -> str:
        if self.status is None:
            return f"was killed after {self.wall_s:.1f} s"
        if self.status < 0:
            return f"ended by signal {-self.status} ({_signal_name(-self.status)})"
        return f"ended with status {self.status}"


def run_isolated(
    command: Sequence[str | Path],
    *,
    folder: Path,
    environ: Mapping[str, str],
    variables: Sequence[str] = (),
    timeout_s: float,
    most_bytes: int,
) -> Ended:
    """Run a program in ``folder`` and return what it wrote to stdout, at most ``most_bytes`` of it.

    Results go through files, so that neither a descendant that keeps a pipe open nor a flood holds us up.
    Whatever is left of the process group is killed. Raises OSError for a program that cannot be started.
    """
    allowed = surroundings(environ, more=variables)
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        start = time.monotonic()
        process = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            cwd=folder,
            env={**allowed, "PAIRED_PARENT": str(os.getpid())},
            start_new_session=True,
        )
        status = _wait(process, timeout_s)
        wall_s = time.monotonic() - start
        return Ended(status=status, out=_head(out, most_bytes), last_words=_tail(err), wall_s=wall_s)


def check_ended(ended: Ended, what: str) -> bytes:
    """Return the results of a program that ended well. Raises MeasurementError for any other."""
    words = f"\n  stderr: {ended.last_words}\n" if ended.last_words else ""
    if ended.status is None:
        raise MeasurementError(
            f"{what} {ended}: it hangs, or the time is too short.{words}",
            slug="benchmark-timeout",
            hint="Run it alone under a debugger, or raise the timeout in the policy.",
        )
    if ended.status != 0:
        raise MeasurementError(
            f"{what} {ended}.{words}",
            slug="benchmark-crashed",
            hint="Run it alone under a debugger: nothing of it was used.",
        )
    return ended.out


def _wait(process: subprocess.Popen[bytes], timeout_s: float) -> int | None:
    """Return the status, None if time ran out. Nothing polls meanwhile: that would disturb what is measured.

    The leader is reaped last: until then its number, and that of its group, is its own.
    """
    handle = os.pidfd_open(process.pid)
    poll = select.poll()
    poll.register(handle, select.POLLIN)
    ended = False
    try:
        ended = bool(poll.poll(timeout_s * 1000))
    finally:
        os.close(handle)
        os.killpg(process.pid, signal.SIGKILL)
        status = process.wait()
    return status if ended else None


def _head(file: IO[bytes], most_bytes: int) -> bytes:
    file.seek(0)
    return file.read(most_bytes)


def _tail(file: IO[bytes]) -> str:
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _QUOTED_BYTES))
    return file.read(_QUOTED_BYTES).decode(errors="replace").strip()


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "unknown"
