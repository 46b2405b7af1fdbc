"""What a target's process uses while it is under load, read from ``/proc`` beside the run."""

from __future__ import annotations

import os
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

PAUSE_S = 0.5
_PAGE = 4096
_TICKS = os.sysconf("SC_CLK_TCK")
_CPU_CLOCK = 2
"""Of a whole process, also of threads that have ended: see clock_getcpuclockid(3)."""


class Usage(NamedTuple):
    """A process and all that descend from it, at one moment.

    ``at_s`` is of the host's monotonic clock, ``cpu_s`` their processor time, with children that have ended.
    """

    at_s: float
    rss_bytes: int
    threads: int
    descriptors: int
    cpu_s: float


def usage_of(pid: int, proc: Path = Path("/proc")) -> Usage | None:
    """Return what a process uses now, with its descendants; None if it has ended or may not be looked at."""
    own, descendants = _look(pid, proc), []
    if own is None:
        return None
    waiting = list(own.children)
    while waiting:
        found = _look(waiting.pop(), proc)
        if found is not None:
            descendants.append(found)
            waiting += found.children
    every = (own, *descendants)
    return Usage(
        time.monotonic(),
        sum(each.rss_bytes for each in every),
        sum(each.threads for each in every),
        sum(each.descriptors for each in every),
        sum(each.cpu_s for each in every),
    )


class _Look(NamedTuple):
    rss_bytes: int
    threads: int
    descriptors: int
    cpu_s: float
    children: tuple[int, ...]


def _look(pid: int, proc: Path) -> _Look | None:
    """Look at one process."""
    folder = proc / str(pid)
    try:
        tasks = list((folder / "task").iterdir())
        pages = int((folder / "statm").read_text().split()[1])
        descriptors = sum(1 for _ in (folder / "fd").iterdir())
        waited = (folder / "stat").read_text().rpartition(")")[2].split()[13:15]
        cpu_s = time.clock_gettime(~pid << 3 | _CPU_CLOCK) + sum(map(int, waited)) / _TICKS
        children = tuple(int(child) for task in tasks for child in _children(task))
    except (OSError, ValueError, IndexError):
        return None
    if pages == 0:  # it has ended, and nobody has asked how
        return None
    return _Look(pages * _PAGE, len(tasks), descriptors, cpu_s, children)


def _children(task: Path) -> list[str]:
    with suppress(FileNotFoundError, ProcessLookupError):  # a thread that ended meanwhile
        return (task / "children").read_text().split()
    return []


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
