"""NUMA nodes of a host: CPUs, memory, huge pages and distances, read from ``/sys`` and never guessed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from release_gates.errors import MeasurementError
from release_gates.host.cpuset import Cpuset, read_cpuset
from release_gates.host.kernel_text import kernel_count, kernel_counts, kernel_list, kernel_text, unreadable
from release_gates.model.cpus import list_text

NODES = "sys/devices/system/node"
CPUS = "sys/devices/system/cpu"
LOCAL = 10
"""Distance of a node to itself (ACPI 6.5, 5.2.17, SLIT)."""

FURTHEST = 255
_NODE = re.compile(r"node([0-9]{1,4})", re.ASCII)
_HUGE = re.compile(r"hugepages-([0-9]{1,9})kB", re.ASCII)
_TOTAL = re.compile(r"Node +([0-9]+) +MemTotal: +([0-9]{1,15}) kB", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class HugePages:
    """The pool of huge pages of one size on one node, in pages."""

    size_kib: int
    total: int
    free: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One node: its online CPUs (none: memory only), memory (0: CPUs only), distance to each node by id."""

    id: int
    cpus: frozenset[int]
    memory_kib: int
    distances: dict[int, int]
    huge_pages: tuple[HugePages, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Topology:
    """What a host consists of. Node ids may have gaps. ``cpuset`` is what this process may use of it."""

    nodes: tuple[Node, ...]
    offline: frozenset[int]
    cpuset: Cpuset

    @cached_property
    def node_of_cpu(self) -> dict[int, int]:
        """The node of each online CPU."""
        return {cpu: node.id for node in self.nodes for cpu in node.cpus}

    @property
    def with_memory(self) -> tuple[Node, ...]:
        """The nodes that have memory."""
        return tuple(node for node in self.nodes if node.memory_kib)

    def node(self, number: int) -> Node | None:
        """Return the node of that id, or None."""
        return next((node for node in self.nodes if node.id == number), None)

    def nodes_of(self, cpus: frozenset[int]) -> frozenset[int]:
        """Return the nodes of online CPUs; CPUs that are not online have none."""
        return frozenset(self.node_of_cpu[cpu] for cpu in cpus if cpu in self.node_of_cpu)

    def __str__(self) -> str:
        return "; ".join(
            f"node {node.id}: CPUs {list_text(node.cpus)}, {node.memory_kib >> 10} MiB" for node in self.nodes
        )


def read_topology(root: Path = Path("/")) -> Topology:
    """Return the topology of the host whose ``/proc`` and ``/sys`` lie under ``root``.

    ``MeasurementError`` for a file that is absent, unreadable or malformed, and where two files contradict
    each other: a topology that is half known is none.
    """
    ids = _node_ids(root)
    nodes = tuple(_node(root, number, ids) for number in ids)
    present, online = kernel_list(root, f"{CPUS}/present"), kernel_list(root, f"{CPUS}/online")
    _check_cpus(root, nodes, present, online)
    if not any(node.memory_kib for node in nodes):
        raise _contradiction(root / NODES, "no node has memory")
    return Topology(nodes=nodes, offline=present - online, cpuset=read_cpuset(root))


def _node_ids(root: Path) -> tuple[int, ...]:
    folder = root / NODES
    try:
        names = [entry.name for entry in folder.iterdir()]
    except OSError as error:
        raise unreadable(folder, f"cannot be read: {error.strerror or error}") from None
    found = [int(match[1]) for name in names if (match := _NODE.fullmatch(name))]
    online = kernel_list(root, f"{NODES}/online")
    if set(found) != online or len(found) != len(online):
        raise _contradiction(
            folder / "online", f"lists the nodes {list_text(online)}, but there are {list_text(found)}"
        )
    if not found:
        raise _contradiction(folder, "there is no node")
    return tuple(sorted(found))


def _node(root: Path, number: int, ids: tuple[int, ...]) -> Node:
    folder = f"{NODES}/node{number}"
    return Node(
        id=number,
        cpus=kernel_list(root, f"{folder}/cpulist"),
        memory_kib=_memory_kib(root, f"{folder}/meminfo", number),
        distances=_distances(root, f"{folder}/distance", number, ids),
        huge_pages=tuple(_huge_pages(root, f"{folder}/hugepages")),
    )


def _memory_kib(root: Path, path: str, number: int) -> int:
    lines = [line for line in kernel_text(root, path).splitlines() if "MemTotal" in line]
    found = _TOTAL.fullmatch(lines[0].strip()) if len(lines) == 1 else None
    if found is None or int(found[1]) != number:
        raise unreadable(root / path, f"has no single line 'Node {number} MemTotal: N kB'")
    return int(found[2])


def _distances(root: Path, path: str, number: int, ids: tuple[int, ...]) -> dict[int, int]:
    values = kernel_counts(root, path)
    if len(values) != len(ids):
        raise _contradiction(root / path, f"has {len(values)} distances for {len(ids)} nodes")
    distances = dict(zip(ids, values, strict=True))
    if distances[number] != LOCAL or not all(LOCAL <= value <= FURTHEST for value in values):
        raise unreadable(
            root / path,
            f"{' '.join(map(str, values))}: the distance to itself is {LOCAL}, "
            f"others are {LOCAL} to {FURTHEST}",
        )
    return distances


def _huge_pages(root: Path, folder: str) -> Iterator[HugePages]:
    if not (root / folder).is_dir():
        return  # a kernel without huge pages
    sizes = sorted(
        int(match[1]) for each in (root / folder).iterdir() if (match := _HUGE.fullmatch(each.name))
    )
    for size in sizes:
        pool = f"{folder}/hugepages-{size}kB"
        total = kernel_count(root, f"{pool}/nr_hugepages")
        free = kernel_count(root, f"{pool}/free_hugepages")
        if free > total:
            raise _contradiction(root / pool, f"{free} huge pages are free of {total}")
        yield HugePages(size_kib=size, total=total, free=free)


def _check_cpus(root: Path, nodes: tuple[Node, ...], present: frozenset[int], online: frozenset[int]) -> None:
    file = root / CPUS / "online"
    if not online:
        raise _contradiction(file, "no CPU is online")
    if not online <= present:
        raise _contradiction(file, f"the CPUs {list_text(online - present)} are online and not present")
    seen: set[int] = set()
    for node in nodes:
        if twice := seen & node.cpus:
            raise _contradiction(
                root / NODES / f"node{node.id}/cpulist",
                f"the CPUs {list_text(twice)} are in another node too",
            )
        seen |= node.cpus
    if seen != online:
        raise _contradiction(
            file, f"the CPUs {list_text(online)} are online, but the nodes have {list_text(seen)}"
        )


def _contradiction(file: Path, problem: str) -> MeasurementError:
    return MeasurementError(
        f"{file}: {problem}.",
        slug="topology-contradiction",
        hint="A CPU or node came or went meanwhile, or the tree was edited: read it again.",
    )
