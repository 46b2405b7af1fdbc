"""Whether somebody works on an environment from this place right now: the kernel knows, by a lock.

Only one process deploys to an environment from one ``.gates``. The lock ends with its process. The file says
who holds it, and which command works for it: one that a killed process left behind counts while it runs.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from release_gates.errors import DeployError, PromotionRefused
from release_gates.promotion.executors.protocol import Site

_BOOT = Path("/proc/sys/kernel/random/boot_id")


@contextmanager
def at_work(site: Site, *, by: str) -> Iterator[str]:
    """Hold the lock of an environment and yield the name of this place; refuse while another holds it."""
    path = _path(site)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    except OSError as error:
        raise _no_lock(path, error) from error
    try:
        _lock(handle, path, site)
        _begin(path, by)
        yield _place(handle)
    finally:
        os.close(handle)


def note_command(site: Site, pid: int) -> None:
    """Write down which command works on an environment now, for whoever comes after a kill."""
    path = _path(site)
    path.write_text(json.dumps({**_noted(path), "command": pid, "began": _began(pid)}), encoding="utf-8")


def _lock(handle: int, path: Path, site: Site) -> None:
    """Take the lock, or refuse and say who holds it, or whose command still runs."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        noted = _noted(path)
        raise _busy(site, f"{noted.get('by')} (process {noted.get('process')})") from error
    except OSError as error:
        raise _no_lock(path, error) from error
    noted = _noted(path)
    command = noted.get("command")
    if isinstance(command, int) and noted.get("began") == _began(command) != "":
        raise _busy(site, f"a command of {noted.get('by')} that outlived its promotion (process {command})")


def _begin(path: Path, by: str) -> None:
    try:
        path.write_text(json.dumps({"by": by, "process": os.getpid()}), encoding="utf-8")
    except OSError as error:
        raise _no_lock(path, error) from error


def _noted(path: Path) -> dict[str, Any]:
    """Return what the file says of who holds the lock; whatever else is in it says nothing."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _place(handle: int) -> str:
    """Return what names this lock on this host until it is booted again."""
    found = os.fstat(handle)
    return f"{_BOOT.read_text(encoding='ascii').strip()}:{found.st_dev}:{found.st_ino}"


def _path(site: Site) -> Path:
    return site.state / f"deploying-{site.environment}.lock"


def _began(pid: int) -> str:
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
        hint="Wait, or end that process; `release-gates status` tells what it does.",
    )


def _no_lock(path: Path, error: OSError) -> DeployError:
    return DeployError(
        f"{path}: cannot be locked ({error.strerror or error}), so nobody knows who else deploys.",
        slug="deploy-lock",
        hint="Give this user the right to write .gates, on a local disk.",
    )
