"""A generator ends with its parent, whatever its own code is doing at that moment."""

from __future__ import annotations

import _thread
import os
import stat

STDIN = 0
MOST_BYTES = 16 * 1024 * 1024


def read_line() -> bytes:
    """Return the first line of stdin; what there was where it ended before."""
    line = bytearray()
    while not line.endswith(b"\n") and len(line) <= MOST_BYTES:
        piece = os.read(STDIN, 1)
        if not piece:
            break
        line += piece
    return bytes(line)


def hold() -> None:
    """End this process at once when stdin ends, if stdin is a pipe.

    A thread of the operating system waits for it, so that neither a task that never yields nor gevent, which
    takes over every thread that is made after its import, is in the way. Call it before that import.
    """
    if stat.S_ISFIFO(os.fstat(STDIN).st_mode):
        _thread.start_new_thread(_wait, ())


def _wait() -> None:
    while os.read(STDIN, 4096):
        pass
    os._exit(1)
