"""Processes by what they run: whoever executes a file below a folder is meant, and nobody else.

No numbers of processes are kept anywhere, so none can be out of date. A signal goes to a handle that was
opened before the process was looked at: it reaches that process, or nobody.
"""

from __future__ import annotations

import fcntl
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from release_gates.candidate.content import file_sha256
from release_gates.errors import DeployError

_PROC = Path("/proc")
_LAUNCHER = Path(__file__).with_name("launcher.py")
_LAUNCH_S = 30.0
_PAUSE_S = 0.005


def running(folder: Path) -> tuple[int, ...]:
    """Return the processes that execute a file below a folder."""
    below = f"{folder.resolve()}/"
    numbers = (int(entry.name) for entry in _PROC.iterdir() if entry.name.isdecimal())
    return tuple(pid for pid in numbers if _executes(pid).startswith(below))


def executed(pid: int) -> str:
    """Return the SHA-256 of what a process executes, "" if it is gone: the file itself, whatever its name."""
    try:
        return file_sha256(_PROC / str(pid) / "exe")
    except OSError:
        return ""


def launch(
    program: Path, words: Sequence[str], *, log: Path, folder: Path, environ: Mapping[str, str]
) -> None:
    """Start a program that outlives us, or ``DeployError``; ``words`` begin with its name."""
    try:
        with starting(program.parent) as lock:
            told = (str(lock), str(log), str(folder), str(program), *words)
            done = subprocess.run(
                (sys.executable, "-I", "-S", str(_LAUNCHER), *told),
                env=dict(environ),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_LAUNCH_S,
                check=False,
                pass_fds=(lock,),
            )
        because = done.stderr.decode("utf-8", "replace").strip()[-300:] if done.returncode else ""
    except (OSError, subprocess.TimeoutExpired) as error:
        because = str(error)
    if because:
        raise DeployError(
            f"{words[0]} does not start: {because}.",
            slug="deploy-process",
            hint="The artifact has to be a program for this host.",
        )


@contextmanager
def starting(folder: Path) -> Iterator[int]:
    """Hold the lock of who starts something in a folder, also for a deployer that was killed meanwhile.

    While it is held, what is being started executes its file already or never will.
    """
    handle = os.open(folder / ".starting", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o640)
    try:
        deadline = time.monotonic() + _LAUNCH_S
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise DeployError(
                        f"somebody has been starting a program in {folder} for {_LAUNCH_S:g} s.",
                        slug="deploy-process",
                        hint="Look who has .starting open there (fuser), then resume.",
                    ) from None
                time.sleep(_PAUSE_S)
        yield handle
    finally:
        os.close(handle)


def stop(folder: Path, within_s: float) -> str:
    """End all processes of a folder by SIGTERM, those that stay by SIGKILL; return how it went, in words."""
    with _handles(folder) as handles:
        if not handles:
            return "ran no more"
        if _ended(handles, signal.SIGTERM, within_s):
            return "has ended"
    with _handles(folder) as handles:
        if _ended(handles, signal.SIGKILL, within_s):
            return f"did not end within {within_s:g} s of SIGTERM and was killed"
    raise DeployError(
        f"processes {', '.join(map(str, running(folder)))} of {folder} do not end, not even by SIGKILL.",
        slug="deploy-process",
        hint="Look what they wait for (ps, wchan), then resume.",
    )


@contextmanager
def _handles(folder: Path) -> Iterator[list[int]]:
    """Open handles of a folder's processes, each made sure of after it was opened."""
    handles = []
    below = f"{folder.resolve()}/"
    try:
        for pid in running(folder):
            with suppress(ProcessLookupError):
                handles.append(os.pidfd_open(pid))
                if not _executes(pid).startswith(below):
                    os.close(handles.pop())
        yield handles
    finally:
        for handle in handles:
            os.close(handle)


def _ended(handles: Sequence[int], number: signal.Signals, within_s: float) -> bool:
    """Signal processes and tell whether all of them have ended in time."""
    poll = select.poll()
    for handle in handles:
        poll.register(handle, select.POLLIN)
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(handle, number)
    left, deadline = set(handles), time.monotonic() + within_s
    while left and (rest := deadline - time.monotonic()) > 0:
        for handle, _ in poll.poll(rest * 1000):
            poll.unregister(handle)
            left.discard(handle)
    return not left


def _executes(pid: int) -> str:
    try:
        return str((_PROC / str(pid) / "exe").readlink())
    except OSError:
        return ""
