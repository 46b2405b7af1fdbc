"""Who listens on a TCP port of this host, read from ``/proc``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

_PROC = Path("/proc")
_LISTEN = "0A"


def own_port(pids: Iterable[int], port: int) -> bool:
    """Say whether somebody listens on a TCP port, and every socket that does belongs to one of ``pids``."""
    listening = frozenset(_listening_inodes(port))
    return bool(listening) and listening <= frozenset(inode for pid in pids for inode in _socket_inodes(pid))


def _listening_inodes(port: int) -> Iterator[str]:
    for table in ("tcp", "tcp6"):
        try:
            lines = (_PROC / "net" / table).read_text().splitlines()[1:]
        except FileNotFoundError:
            continue
        for fields in map(str.split, lines):
            if fields[3] == _LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
                yield fields[9]


def _socket_inodes(pid: int) -> Iterator[str]:
    try:
        for descriptor in (_PROC / str(pid) / "fd").iterdir():
            kind, _, inode = str(descriptor.readlink()).partition(":")
            if kind == "socket":
                yield inode.strip("[]")
    except OSError:
        return
