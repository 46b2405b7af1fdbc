"""What the kernel enforces on a running container, read from ``/proc`` and the cgroup of its host."""

from __future__ import annotations

import errno
import os
import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Any

from release_gates.errors import MeasurementError
from release_gates.probes.container.container_facts import Effective, Ulimit
from release_gates.probes.container.mounts import brought, executed, parse_mounts, shown_paths
from release_gates.probes.container.proc_status import ProcessState, parse_status

PROC = Path("/proc")
CGROUP = Path("/sys/fs/cgroup")
INIT = "/sbin/docker-init"
"""What `docker run --init` puts into every container."""
_LISTEN = "0A"
_UNLIMITED = 1 << 60
_MOST_PROCESSES = 4096
_ULIMITS = {
    "Max open files": "nofile",
    "Max locked memory": "memlock",
    "Max realtime priority": "rtprio",
    "Max processes": "nproc",
    "Max core file size": "core",
}


class NotHere(Exception):
    """The container's processes cannot be looked at from here; the text says why."""


def read_effective(inspected: Mapping[str, Any], *, proc: Path = PROC, cgroup: Path = CGROUP) -> Effective:
    """Return what is in effect for a running container.

    Raises ``NotHere`` if it does not run, or not on this host, or if this user may not look; and
    ``MeasurementError`` (``container-gone``) if it ends meanwhile.
    """
    identity, state = str(inspected["Id"]), inspected["State"]
    targets = [posixpath.normpath(str(each["Destination"])) for each in inspected.get("Mounts") or ()]
    pid = int(state.get("Pid") or 0)
    if not state.get("Running") or pid <= 0:
        raise NotHere(f"the container does not run (it is {state.get('Status', 'in an unknown state')})")
    folder = proc / str(pid)
    groups = _cgroups(folder, identity)
    try:
        found = _read(proc, folder, _Limits(cgroup, groups), targets)
    except PermissionError as error:
        raise NotHere(
            f"{error.filename}: permission denied; run the gate as root on the engine's host"
        ) from None
    except (FileNotFoundError, ProcessLookupError) as error:
        raise _gone(identity, str(error.filename or error)) from None
    if _cgroups(folder, identity) != groups:
        raise _gone(identity, "its first process is another one now")
    return found


def listening(*tables: str) -> frozenset[int]:
    """Return the TCP ports of ``/proc/net/tcp`` and ``tcp6`` that others than loopback can reach."""
    return frozenset(
        int(port, 16)
        for table in tables
        for fields in (line.split() for line in table.splitlines()[1:])
        if len(fields) > 3 and fields[3] == _LISTEN
        for address, _, port in [fields[1].partition(":")]
        if not _is_loopback(address)
    )


def _read(proc: Path, folder: Path, limits: _Limits, targets: Sequence[str]) -> Effective:
    return Effective(
        processes=tuple(_processes(proc, folder, limits)),
        root_writable=_can_write(folder / "root"),
        memory_limit=limits.memory(),
        swap_limit=limits.swap(),
        swap_on_host=len((proc / "swaps").read_text().splitlines()) > 1,
        pids_limit=limits.number("pids", "pids.max"),
        cpu_quota=limits.cpu_quota(),
        cpu_shares=limits.number("cpu", "cpu.shares") or limits.number("", "cpu.weight") or 0,
        cpus=limits.text("cpuset", "cpuset.cpus") or limits.text("", "cpuset.cpus.effective"),
        cpus_of_host=os.cpu_count() or 1,
        apparmor=_label(folder),
        listening=listening(*(_optional(folder / "net" / name) for name in ("tcp", "tcp6"))),
        ulimits=_ulimits((folder / "limits").read_text()),
        memory_of_host=_memory_of_host(proc / "meminfo"),
        mounts=_mounts(proc, folder, targets) if targets else {},
        brought=_brought(proc, folder, limits, targets),
    )


def _brought(proc: Path, folder: Path, limits: _Limits, targets: Sequence[str]) -> tuple[str, ...]:
    """Return the programs and libraries that run and that a mount brings; the engine's own init is none."""
    inside = parse_mounts((folder / "mountinfo").read_text(), str(folder / "mountinfo"))
    paths = executed((folder / "maps").read_text())
    for pid in limits.processes():
        with suppress(FileNotFoundError, ProcessLookupError):
            paths |= executed((proc / pid / "maps").read_text())
    return brought(paths - ({INIT} - set(targets)), inside)


def _mounts(proc: Path, folder: Path, targets: Sequence[str]) -> dict[str, tuple[str, ...]]:
    inside, host = (
        parse_mounts(path.read_text(), str(path)) for path in (folder / "mountinfo", proc / "1" / "mountinfo")
    )
    return shown_paths(targets, inside, host)


def _memory_of_host(path: Path) -> int:
    """Return the host's memory in bytes; 0 where it does not say."""
    found = re.search(r"^MemTotal:\s+(\d+) kB$", _optional(path), re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


def _cgroups(folder: Path, identity: str) -> dict[str, str]:
    """Return controller -> path of a process's cgroups; the container's id has to be in them."""
    try:
        lines = (folder / "cgroup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        raise NotHere(
            f"there is no process {folder.name} on this host; run the gate where the engine runs"
        ) from None
    found = {
        controller: path
        for _, controllers, path in (line.split(":", 2) for line in lines)
        for controller in controllers.split(",")
    }
    if not any(identity in path for path in found.values()):
        raise NotHere(
            f"process {folder.name} of this host is not the container's; run the gate where the engine runs"
        )
    return found


def _processes(proc: Path, folder: Path, limits: _Limits) -> Iterator[ProcessState]:
    """Yield the first process and every other one of the cgroup; those that end meanwhile are left out."""
    yield parse_status((folder / "status").read_text(), str(folder / "status"))
    others = limits.processes()
    if len(others) > _MOST_PROCESSES:
        raise NotHere(f"it has {len(others)} processes, and {_MOST_PROCESSES} are looked at")
    if folder.name not in others:
        raise NotHere("its cgroup does not show its processes; run the gate in the host's own namespaces")
    for pid in others:
        status = proc / pid / "status"
        if pid != folder.name:
            try:
                text = status.read_text()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if "CapBnd" in text and "\nState:\tZ" not in text:
                yield parse_status(text, str(status))


def _can_write(root: Path) -> bool:
    """Try to create a file in the container's root, as its mounts have it, and remove it at once."""
    path = root / f".release-gates-write-attempt-{os.getpid()}"
    try:
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        if error.errno == errno.EROFS:
            return False
        raise
    os.close(handle)
    path.unlink(missing_ok=True)
    return True


def _ulimits(text: str) -> dict[str, Ulimit]:
    found = {}
    for line in text.splitlines()[1:]:
        name = _ULIMITS.get(line[:26].strip())
        if name is not None:
            soft, hard = line[26:].split()[:2]
            found[name] = Ulimit(soft=_limit(soft), hard=_limit(hard))
    return found


def _limit(text: str) -> int:
    return -1 if text == "unlimited" else int(text)


def _label(folder: Path) -> str:
    """Return AppArmor's label, with its mode where that does not enforce; "" where the host has none."""
    try:
        text = (folder / "attr" / "current").read_text()
    except OSError:
        return ""
    return text.strip("\0\n ").removesuffix(" (enforce)")


def _optional(path: Path) -> str:
    try:
        return path.read_text()
    except FileNotFoundError:
        return ""


def _is_loopback(address: str) -> bool:
    """Tell whether an address as the kernel prints it (words in host byte order) is on loopback."""
    raw = b"".join(bytes.fromhex(address[at : at + 8])[::-1] for at in range(0, len(address), 8))
    if len(raw) == 4:
        return IPv4Address(raw).is_loopback
    mapped = IPv6Address(raw).ipv4_mapped
    return mapped.is_loopback if mapped else IPv6Address(raw).is_loopback


def _gone(identity: str, because: str) -> MeasurementError:
    return MeasurementError(
        f"container {identity[:12]} ended while it was inspected: {because}.",
        slug="container-gone",
        hint="Look at its log (docker logs), and run the gate again once it stays up.",
    )


class _Limits:
    """The limits of one cgroup, of version 1 (a folder for each controller) or version 2 (one for all)."""

    def __init__(self, root: Path, groups: Mapping[str, str]) -> None:
        self._root = root
        self._groups = groups

    def text(self, controller: str, name: str) -> str:
        """Return the content of one file; "" where this version has no such file. ``""`` is version 2."""
        path = self._groups.get(controller)
        if path is None:
            return ""
        folder = self._root / controller / path.lstrip("/")
        return _optional(folder / name).strip()

    def number(self, controller: str, name: str) -> int | None:
        """Return a limit; None for none."""
        text = self.text(controller, name) or self.text("", name)
        if not text or text == "max":
            return None
        number = int(text)
        return None if number >= _UNLIMITED or number < 0 else number

    def memory(self) -> int | None:
        """Return the limit in bytes."""
        return self.number("memory", "memory.limit_in_bytes") or self.number("", "memory.max")

    def swap(self) -> int | None:
        """Return the limit of memory and swap together, in bytes."""
        both = self.number("memory", "memory.memsw.limit_in_bytes")
        if both is not None or "memory" in self._groups:
            return both
        memory, swap = self.memory(), self.number("", "memory.swap.max")
        return None if memory is None or swap is None else memory + swap

    def cpu_quota(self) -> float | None:
        """Return the cores that it may use, by quota and period."""
        words = self.text("", "cpu.max").split() or [
            self.text("cpu", "cpu.cfs_quota_us"),
            self.text("cpu", "cpu.cfs_period_us"),
        ]
        if len(words) != 2 or not all(words) or words[0] in ("max", "-1"):
            return None
        return int(words[0]) / int(words[1])

    def processes(self) -> list[str]:
        """Return the numbers of the processes in the cgroup."""
        return (
            self.text("pids", "cgroup.procs")
            or self.text("memory", "cgroup.procs")
            or self.text("", "cgroup.procs")
        ).split()
