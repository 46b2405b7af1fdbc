"""Whether somebody works on an environment from this place right now: the kernel knows, by a lock.

Only one process deploys to an environment from one ``.gates``. The lock ends with its process; the command
that a killed one left behind is named in the file, and counts as long as it runs.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from release_gates.errors import DeployError, PromotionRefused
from release_gates.promotion.executors.protocol import Site

_BOOT = Path("/proc/sys/kernel/random/boot_id")


@contextmanager
def at_work(site: Site) -> Iterator[str]:
    """Hold the lock of an environment and yield the name of this place; refuse while another holds it."""
    path = _path(site)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    except OSError as error:
        raise _no_lock(path, error) from error
    try:
        _lock(handle, site)
        yield _place(handle)
    finally:
        os.close(handle)


def note_command(site: Site, pid: int) -> None:
    """Write down which command works on an environment now, for whoever comes after a kill."""
    _path(site).write_text(f"{pid} {_started_at(pid)}\n", encoding="ascii")


def _lock(handle: int, site: Site) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise _busy(site, "another process of this folder") from error
    except OSError as error:
        raise _no_lock(_path(site), error) from error
    words = os.pread(handle, 100, 0).decode("ascii", "replace").split()
    if len(words) == 2 and words[0].isdigit() and _started_at(int(words[0])) == words[1] != "":
        raise _busy(site, f"a command of a promotion that was killed, process {words[0]},")


def _place(handle: int) -> str:
    """Return what names this lock on this host until it is booted again."""
    found = os.fstat(handle)
    return f"{_BOOT.read_text().strip()}:{found.st_dev}:{found.st_ino}"


def _path(site: Site) -> Path:
    return site.state / f"deploying-{site.environment}.lock"


def _started_at(pid: int) -> str:
    """Return when a process started, in ticks since boot; "" for one that is gone (proc(5))."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else fields[19]


def _busy(site: Site, who: str) -> PromotionRefused:
    return PromotionRefused(
        f"{who} is still at work on {site.environment}.",
        slug="deploying-now",
        hint="Wait for it, or end that process; `release-gates status` tells what it does.",
    )


def _no_lock(path: Path, error: OSError) -> DeployError:
    return DeployError(
        f"{path}: cannot be locked ({error.strerror or error}), so nobody knows who else deploys.",
        slug="deploy-lock",
        hint="Give this user the right to write .gates, on a local disk.",
    )
