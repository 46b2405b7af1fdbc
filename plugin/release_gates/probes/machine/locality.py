"""What a running process shows of its place: threads, arenas, misses; and what of it is remote."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from release_gates.host.facts import host_facts
from release_gates.host.topology import Topology, read_topology
from release_gates.model.cpus import list_text
from release_gates.probes.machine.faults import malformed
from release_gates.probes.machine.numa_maps import (
    Mapping,
    arenas,
    by_node,
    parse_numa_maps,
    remote_kib,
)
from release_gates.probes.machine.numastat import Counts, grown, read_numastat
from release_gates.probes.machine.threads import Thread, read_threads

BALANCING = "proc/sys/kernel/numa_balancing"
EMULATED = ("QEMU TCG CPU", "QEMU Virtual CPU")
"""How the processors of emulated machines call themselves."""

_LARGEST_MAPS_BYTES = 64 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Locality:
    """Facts of one process on one host. ``missed`` counts by node the pages that were wanted there and
    taken elsewhere while it worked; ``balancing`` is the kernel's mode of automatic NUMA balancing (0: off).
    """

    topology: Topology
    threads: tuple[Thread, ...]
    mappings: tuple[Mapping, ...]
    missed: dict[int, int]
    balancing: int
    emulated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Remoteness:
    """How far a process's memory is from its node. Pages are of 4 KiB; ``stray`` says which threads may
    leave the node, ``arenas`` where the pages of each arena are.
    """

    arena_pages: int
    remote_pages: int
    arenas: tuple[str, ...]
    stray: tuple[str, ...]
    missed_pages: int

    @property
    def ratio(self) -> float:
        """The remote part of all arenas; only where there is one."""
        return self.remote_pages / self.arena_pages

    def __str__(self) -> str:
        return "\n".join((*self.arenas, *self.stray))


def read_locality(root: Path, pid: int, before: Counts) -> Locality:
    """Read the facts of a living process below a root; ``before`` are the counters before it worked.

    ``MeasurementError`` for anything that is absent or malformed.
    """
    topology = read_topology(root)
    after = read_numastat(root, tuple(node.id for node in topology.nodes))
    return Locality(
        topology=topology,
        threads=read_threads(root, pid),
        mappings=read_mappings(root, pid),
        missed=grown(before, after, "numa_foreign", str(root / "sys/devices/system/node")),
        balancing=_balancing(root),
        emulated=is_emulated(root),
    )


def read_mappings(root: Path, pid: int) -> tuple[Mapping, ...]:
    """Return every mapping of a living process."""
    file = root / f"proc/{pid}/numa_maps"
    return parse_numa_maps(_text(file), str(file))


def is_emulated(root: Path) -> bool:
    """Tell whether a host's processors are emulated ones, whose memory has one speed."""
    return host_facts(root).cpu_model.startswith(EMULATED)


def remoteness(facts: Locality, node: int, least_kib: int) -> Remoteness:
    """Return how far arenas and threads are from the node on which they are to be. Pure."""
    found = arenas(facts.mappings, least_kib)
    return Remoteness(
        arena_pages=sum(arena.kib for arena in found) // 4,
        remote_pages=sum(remote_kib(arena, node) for arena in found) // 4,
        arenas=tuple(f"{arena.kind} arena of {by_node(arena)}" for arena in found),
        stray=tuple(
            f"thread '{thread.name}' may run on CPUs {list_text(thread.cpus)} of nodes "
            f"{list_text(facts.topology.nodes_of(thread.cpus))}, its memory is to be on node {node}"
            for thread in facts.threads
            if facts.topology.nodes_of(thread.cpus) != frozenset({node})
        ),
        missed_pages=facts.missed.get(node, 0),
    )


def _balancing(root: Path) -> int:
    """A kernel without the file cannot balance; but then the folder has to be there."""
    file = root / BALANCING
    if not file.parent.is_dir():
        raise malformed(str(file.parent), "is not there, so nobody knows whether the kernel moves pages")
    if not file.exists():
        return 0
    text = _text(file).strip()
    if text not in {"0", "1", "2", "3"}:
        raise malformed(str(file), f"{text[:40]!r} is no mode of NUMA balancing (0 to 3)")
    return int(text)


def _text(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            content = opened.read(_LARGEST_MAPS_BYTES + 1)
    except OSError as error:
        raise malformed(str(file), f"cannot be read: {error.strerror}") from None
    if len(content) > _LARGEST_MAPS_BYTES:
        raise malformed(str(file), f"is larger than {_LARGEST_MAPS_BYTES >> 20} MiB")
    return content.decode("utf-8", "replace")
