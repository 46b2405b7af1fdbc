"""What a process may use of its host: CPUs and memory nodes by its control group, v1 or v2."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from release_gates.host.kernel_text import kernel_list, kernel_text, unreadable

MOUNT = "sys/fs/cgroup"
V2 = ("cpuset.cpus.effective", "cpuset.mems.effective")
V1 = (("cpuset.effective_cpus", "cpuset.effective_mems"), ("cpuset.cpus", "cpuset.mems"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Cpuset:
    """The CPUs and memory nodes of a control group; None where no control group restricts them."""

    cpus: frozenset[int] | None = None
    nodes: frozenset[int] | None = None
    where: str = ""


def read_cpuset(root: Path, process: str = "self") -> Cpuset:
    """Return what the control group of a process allows.

    The group is that of ``/proc/PROCESS/cgroup``; a group without the controller is restricted by the
    nearest one above it that has it. ``MeasurementError`` for a malformed file, and for one of a pair that
    is not there: half a restriction is no restriction that can be believed.
    """
    file = f"proc/{process}/cgroup"
    if not (root / file).exists():
        return Cpuset()  # a kernel without control groups
    for hierarchy, controllers, group in _lines(root, file):
        if "cpuset" in controllers:
            return _nearest(root, f"{MOUNT}/cpuset", group, V1)
        if hierarchy == 0 and (root / MOUNT / "cgroup.controllers").exists():
            return _nearest(root, MOUNT, group, (V2,))
    return Cpuset()


def _lines(root: Path, file: str) -> list[tuple[int, tuple[str, ...], PurePosixPath]]:
    """Return hierarchy, controllers and group of each line (cgroups(7)), those with a cpuset first."""
    found = []
    for line in kernel_text(root, file).splitlines():
        number, _, rest = line.partition(":")
        controllers, colon, group = rest.partition(":")
        if not (number.isdecimal() and len(number) < 10 and colon and group.startswith("/")):
            raise unreadable(root / file, f"{line[:60]!r} is not 'number:controllers:/group'")
        path = PurePosixPath(group)
        if ".." in path.parts:  # outside of this process's namespace: what is mounted here is its top
            path = PurePosixPath("/")
        found.append((int(number), tuple(controllers.split(",")), path))
    return sorted(found, key=lambda line: "cpuset" not in line[1])


def _nearest(root: Path, mount: str, group: PurePosixPath, names: tuple[tuple[str, str], ...]) -> Cpuset:
    for folder in (group, *group.parents):
        where = f"{mount}{folder}".rstrip("/")
        for cpus, nodes in names:
            if (root / where / cpus).exists() or (root / where / nodes).exists():
                return Cpuset(
                    cpus=_filled(root, f"{where}/{cpus}"),
                    nodes=_filled(root, f"{where}/{nodes}"),
                    where=f"/{where}",
                )
    return Cpuset()


def _filled(root: Path, path: str) -> frozenset[int]:
    found = kernel_list(root, path)
    if not found:
        raise unreadable(root / path, "is empty, yet a process runs there")
    return found
