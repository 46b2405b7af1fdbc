"""One file of the host's lock: where it may lie, how it is opened without trusting anybody, who holds it."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from release_gates.errors import HostBusy

PLACES = (Path("/run/lock"), Path("/var/lock"), Path("/tmp"))
"""Folders that every user of a host shares, best first."""

_OPEN = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_HELD = re.compile(
    r"^[0-9]+: FLOCK +ADVISORY +(READ|WRITE) +([0-9]+) ([0-9a-f]+):([0-9a-f]+):([0-9]+) ", re.MULTILINE
)


class Held(NamedTuple):
    """One lock as ``/proc/locks`` tells it; ``device`` is that of ``os.stat``."""

    pid: int
    alone: bool
    device: int
    inode: int


def shared_folder(places: Iterable[Path] = PLACES, *, owner: int = 0) -> Path | None:
    """Return the first folder in which everybody may make files and nobody may remove another's.

    It belongs to root and is writable for all and sticky. The choice is the same for every user: who may
    write more than others does not get another place.
    """
    for place in places:
        with suppress(OSError):
            found = place.stat()
            if stat.S_ISDIR(found.st_mode) and found.st_uid == owner and found.st_mode & 0o1777 == 0o1777:
                return place
    return None


def parse_locks(text: str) -> tuple[Held, ...]:
    """Return who holds which file by ``flock``, of the text of ``/proc/locks``; waiters are left out."""
    return tuple(
        Held(int(pid), kind == "WRITE", os.makedev(int(major, 16), int(minor, 16)), int(inode))
        for kind, pid, major, minor, inode in _HELD.findall(text)
    )


class LockFile:
    """A file that is only ever locked. Nothing is written to it; its time is when it was last held alone."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = -1
        self._identity = (0, 0)

    def lock(self, operation: int) -> bool:
        """Try ``flock`` without waiting; return whether it is held now.

        Raises HostBusy where the file cannot be opened or locked, or is none that can be trusted.
        """
        import fcntl

        if self._descriptor < 0:
            self._open()
        try:
            fcntl.flock(self._descriptor, operation | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as error:  # a file system without flock (ENOLCK): unlock would fail as well
            with suppress(OSError):
                os.close(self._descriptor)
            self._descriptor = -1
            raise self._unusable(error.strerror or str(error)) from error
        if self._is_current():
            return True
        self.close()  # somebody removed the file meanwhile: who opens it now locks another one
        return False

    def unlock(self) -> None:
        """Let go, also for processes that were forked meanwhile."""
        import fcntl

        if self._descriptor >= 0:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        """Close the file, and let go with it."""
        if self._descriptor >= 0:
            self.unlock()
            os.close(self._descriptor)
            self._descriptor = -1

    def touch(self) -> None:
        """Note that it is held alone from now on."""
        with suppress(OSError):  # of another user, and not writable: then nobody knows since when
            os.utime(self._descriptor)

    def touched(self) -> float | None:
        """Return when it was last held alone, since the epoch; None where not everybody can note it."""
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_mtime if found.st_mode & stat.S_IWOTH else None

    def held(self, locks: Iterable[Held]) -> tuple[Held, ...]:
        """Return those of all locks that are on this file.

        Some file systems tell another device to ``stat`` than to ``/proc/locks``: then the inode decides.
        """
        try:
            found = self.path.stat()
        except OSError:
            return ()
        same = tuple(lock for lock in locks if lock.inode == found.st_ino)
        return tuple(lock for lock in same if lock.device == found.st_dev) or same

    def _is_current(self) -> bool:
        try:
            found = self.path.lstat()
        except OSError:
            return False
        return (found.st_dev, found.st_ino) == self._identity

    def _open(self) -> None:
        try:
            descriptor = _opened(self.path)
        except OSError as error:
            raise self._unusable(error.strerror or str(error)) from error
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1:
            os.close(descriptor)
            raise self._unusable("it is no file of its own")
        self._descriptor, self._identity = descriptor, (found.st_dev, found.st_ino)

    def _unusable(self, why: str) -> HostBusy:
        return HostBusy(
            f"{self.path}: the lock of this host cannot be used: {why}.",
            slug="host-lock-unusable",
            hint="Let its owner remove it, or name another folder for all users of this host: --gate-lock.",
        )


def _opened(path: Path) -> int:
    """Open without O_CREAT first: the kernel refuses that for a file of another user in a sticky folder."""
    try:
        return os.open(path, os.O_RDWR | _OPEN)
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | _OPEN, 0o666)
            os.fchmod(descriptor, 0o666)  # whatever the umask says
            return descriptor
        return os.open(path, os.O_RDONLY | _OPEN)
    except PermissionError:
        return os.open(path, os.O_RDONLY | _OPEN)  # enough for flock
