"""Other processes of this host, from ``/proc``: what they are called, and what they do to the processors."""

from __future__ import annotations

import shlex
from pathlib import Path

PROC = Path("/proc")
SHOWN = 100
"""Longer commands are cut, in characters."""
_GONE = frozenset("ZX")


def command_of(pid: int, proc: Path = PROC) -> str:
    """Return the command line of a process, "" if it is gone or hidden."""
    try:
        words = (proc / str(pid) / "cmdline").read_bytes()[:4096].decode("utf-8", "replace").split("\0")
    except OSError:
        return ""
    text = shlex.join(word for word in words if word)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"


def started_at(pid: int, proc: Path = PROC) -> int:
    """Return when a process started, in ticks since boot (0 if gone): no later one has both pid and this."""
    fields = _stat(pid, proc)
    return int(fields[19]) if len(fields) > 19 else 0


def cpu_ticks(proc: Path = PROC) -> dict[int, int]:
    """Return the user and system time of every process that can be seen, in ticks."""
    found = {}
    for entry in proc.iterdir():
        if entry.name.isdigit() and len(fields := _stat(int(entry.name), proc)) > 12:
            found[int(entry.name)] = int(fields[11]) + int(fields[12])
    return found


def of_group(group: int, proc: Path = PROC) -> frozenset[int]:
    """Return the processes of a process group that still live."""
    numbers = (int(entry.name) for entry in proc.iterdir() if entry.name.isdigit())
    fields = ((pid, _stat(pid, proc)) for pid in numbers)
    return frozenset(
        pid for pid, each in fields if len(each) > 2 and int(each[2]) == group and each[0] not in _GONE
    )


def _stat(pid: int, proc: Path) -> list[str]:
    """Return the fields of ``/proc/PID/stat`` after the name, which may hold blanks and brackets."""
    try:
        text = (proc / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return text.rpartition(")")[2].split()
