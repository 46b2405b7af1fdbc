"""What policy may say to the machine probe, as ``[gate.placement.machine]``."""

from __future__ import annotations

import msgspec

from release_gates.model.cpus import parse_list

LONGEST_NAME = 15
"""The kernel keeps so many characters of a thread's name (``/proc/PID/task/TID/comm``)."""


class ContainerSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``docker run --cpuset-cpus`` and ``--cpuset-mems`` of the container that the service runs in."""

    cpuset_cpus: str = ""
    cpuset_mems: str = ""

    def __post_init__(self) -> None:
        for name in ("cpuset_cpus", "cpuset_mems"):
            _check_list(name, getattr(self, name))


class MachineSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a service's threads and memory are to be, and how that is looked at.

    ``threads`` maps the name of a thread (``/proc/PID/task/TID/comm``) to the CPUs on which alone it may run;
    ``arena_node`` is the NUMA node of its memory. ``nic`` is the network device that feeds it, ``container``
    and ``kubelet`` (a file, relative to the root of the suite) what confines it. A mapping of at least
    ``arena_min_kib`` KiB in memory is an arena. ``facts`` is a folder of recordings from a host with two
    nodes (``ARTIFACT'S SHA-256.json``), for a host with one; each counts for ``facts_hours``. ``emulated``
    accepts placement that was seen in an emulated machine. ValueError for lists that are none.
    """

    artifact: str = "trading-engine"
    threads: dict[str, str]
    arena_node: int
    nic: str = ""
    container: ContainerSettings | None = None
    kubelet: str = ""
    arena_min_kib: int = 1024
    facts: str = ""
    facts_hours: float = 24.0
    emulated: bool = False

    def __post_init__(self) -> None:
        if not self.threads:
            raise ValueError("threads must name at least one: a thread that nobody names is bound by nobody")
        for name, cpus in self.threads.items():
            if not 0 < len(name.encode()) <= LONGEST_NAME:
                raise ValueError(f"threads: {name!r} must have 1 to {LONGEST_NAME} bytes, as in the kernel")
            _check_list(f"threads.{name}", cpus)
            if not cpus.strip():
                raise ValueError(f"threads.{name} names no CPU")
        if self.arena_node < 0:
            raise ValueError(f"arena_node = {self.arena_node}: must be the number of a node")
        if not self.arena_min_kib > 0:
            raise ValueError(f"arena_min_kib = {self.arena_min_kib}: must be above 0")
        if not 0 < self.facts_hours <= 24 * 366:
            raise ValueError(f"facts_hours = {self.facts_hours}: must be above 0 and at most a year")
        for name in ("facts", "kubelet"):
            path = getattr(self, name)
            if path.startswith("/") or ".." in path.split("/"):
                raise ValueError(f"{name} = {path!r}: must lie below the root of the suite")

    @property
    def pins(self) -> dict[str, frozenset[int]]:
        """The CPUs of each named thread."""
        return {name: parse_list(cpus) for name, cpus in self.threads.items()}

    @property
    def pinned(self) -> frozenset[int]:
        """All CPUs on which a named thread runs."""
        return frozenset().union(*self.pins.values())


def _check_list(name: str, text: str) -> None:
    try:
        parse_list(text)
    except ValueError as error:
        raise ValueError(f"{name} = {text!r}: {error}") from None
