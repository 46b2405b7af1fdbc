"""What a target's process uses while it is under load, read from ``/proc`` beside the run."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import NamedTuple

PAUSE_S = 0.5
_PAGE = 4096
_CPU_CLOCK = 2
"""Of a whole process, also of threads that have ended: see clock_getcpuclockid(3)."""


class Usage(NamedTuple):
    """A process at one moment: seconds of the host's monotonic clock and of its own processor time."""

    at_s: float
    rss_bytes: int
    threads: int
    descriptors: int
    cpu_s: float


def usage_of(pid: int, proc: Path = Path("/proc")) -> Usage | None:
    """Return what a process uses now; None if it has ended or may not be looked at."""
    folder = proc / str(pid)
    try:
        threads = sum(1 for _ in (folder / "task").iterdir())
        pages = int((folder / "statm").read_text().split()[1])
        descriptors = sum(1 for _ in (folder / "fd").iterdir())
        cpu_s = time.clock_gettime(~pid << 3 | _CPU_CLOCK)
    except (OSError, ValueError, IndexError):
        return None
    if pages == 0:  # it has ended, and nobody has asked how
        return None
    return Usage(time.monotonic(), pages * _PAGE, threads, descriptors, cpu_s)


class Observer:
    """Looks at a process every half second, in a thread, from ``with`` to its end."""

    def __init__(self, pid: int | None) -> None:
        """Prepare to look at a process; None for one that is not known: there is nothing to see then."""
        self.seen: list[Usage] = []
        self._pid = pid
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Observer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _look(self) -> None:
        while self._pid is not None:
            usage = usage_of(self._pid)
            if usage is not None:
                self.seen.append(usage)
            if self._stop.wait(PAUSE_S):
                return
