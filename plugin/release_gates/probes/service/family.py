"""The processes that a service consists of, read from ``/proc``."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

_PROC = Path("/proc")
_GONE = frozenset("ZX")


class _Entry(NamedTuple):
    pid: int
    state: str
    parent: int
    group: int
    session: int


def members(leader: int, program: Path) -> frozenset[int]:
    """Return the living processes of a service.

    These are all of the leader's process group and session, all that run ``program``, and what descends
    from any of them. The leader must not have been waited for yet, so that its number is its own.
    """
    entries = list(_entries())
    found = {entry.pid for entry in entries if leader in (entry.pid, entry.group, entry.session)}
    found |= {entry.pid for entry in entries if _runs(entry.pid, program)}
    while more := {entry.pid for entry in entries if entry.parent in found} - found:
        found |= more
    return frozenset(entry.pid for entry in entries if entry.pid in found and entry.state not in _GONE)


def kill(pids: Iterable[int]) -> None:
    """Kill processes at once; those that have ended meanwhile do not matter."""
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def _entries() -> Iterator[_Entry]:
    for folder in _PROC.iterdir():
        if folder.name.isdecimal():
            try:
                text = (folder / "stat").read_text(errors="replace")
            except (FileNotFoundError, ProcessLookupError):
                continue
            state, parent, group, session = text.rpartition(")")[2].split()[:4]
            yield _Entry(int(folder.name), state, int(parent), int(group), int(session))


def _runs(pid: int, program: Path) -> bool:
    try:
        return (_PROC / str(pid) / "exe").readlink() == program
    except OSError:
        return False
