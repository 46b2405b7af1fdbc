"""The process that started this one: what it asks for, what it is told, and that it is still there."""

from __future__ import annotations

import fcntl
import os
import sys
from contextlib import suppress
from threading import Thread

import msgspec

from release_gates.probes.load.frames import Frame, pack
from release_gates.probes.load.open.refusal import CannotRun
from release_gates.probes.load.plan import Plan

LARGEST_PLAN_BYTES = 16 * 1024 * 1024
_PIPE_BYTES = 1024 * 1024


class Parent:
    """Gives the plan on standard input, which it keeps open, and reads frames from a descriptor."""

    def __init__(self, frames: int) -> None:
        self._frames = frames
        os.set_blocking(frames, True)
        with suppress(OSError):  # a larger pipe, so that a parent who is busy for a moment stops nothing
            fcntl.fcntl(frames, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)

    def plan(self) -> Plan:
        """Read the plan, one line of JSON; CannotRun for what is none. From then on watch for the end."""
        line = sys.stdin.buffer.readline(LARGEST_PLAN_BYTES)
        Thread(target=_watch, name="parent", daemon=True).start()
        try:
            return msgspec.json.decode(line, type=Plan)
        except msgspec.DecodeError as error:
            raise CannotRun(f"the plan cannot be read: {error}") from error

    def tell(self, frame: Frame) -> None:
        """Write a frame; where nobody reads any more, end."""
        data = memoryview(pack(frame))
        try:
            while data:
                data = data[os.write(self._frames, data) :]
        except BrokenPipeError:
            leave(2)


def leave(status: int) -> None:
    """End this process now, whatever the user's code, name resolution or open connections wait for."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(status)


def _watch() -> None:
    """Wait for the end of standard input, in a thread: also the user's code must not keep an orphan alive."""
    with suppress(OSError):
        while os.read(0, 65536):
            pass
    os._exit(2)
