"""``/proc/PID/numa_maps``: how much of each mapping lies on which node (numa(7))."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from release_gates.probes.machine.faults import malformed

BASE_PAGE_KIB = 4
LARGEST_PAGE_KIB = 1 << 24
SHARED_MEMORY = (
    "/dev/shm/",
    "/dev/zero",
    "/memfd:",
    "/SYSV",
    "/anon_hugepage",
    "/dev/hugepages",
    "/mnt/huge",
)
"""Files that are memory: rings and arenas that several processes share."""

_ADDRESS = re.compile(r"[0-9a-f]{4,16}", re.ASCII)
_PAGES = re.compile(r"N([0-9]{1,4})=([0-9]{1,15})", re.ASCII)
_SIZE = re.compile(r"kernelpagesize_kB=([0-9]{1,9})", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapping:
    """One mapping: its start, policy, kind (``heap``, ``stack``, ``anonymous``, or a file), KiB by node."""

    address: str
    policy: str
    kind: str
    kib_by_node: dict[int, int]

    @property
    def kib(self) -> int:
        """What of it is in memory."""
        return sum(self.kib_by_node.values())

    @property
    def is_memory(self) -> bool:
        """Whether it is memory that the process itself fills: no program text, no file, no stack."""
        return self.kind in {"heap", "anonymous"} or self.kind.startswith(SHARED_MEMORY)


def parse_numa_maps(text: str, file: str) -> tuple[Mapping, ...]:
    """Return every mapping; ``MeasurementError`` for a line that is none, and for no line at all."""
    mappings = tuple(_mapping(line.split(), f"{file}:{at}") for at, line in enumerate(text.splitlines(), 1))
    if not mappings:
        raise malformed(file, "is empty: the process has ended, or the kernel has no NUMA")
    return mappings


def arenas(mappings: Sequence[Mapping], least_kib: int) -> tuple[Mapping, ...]:
    """Return the mappings that are arenas: own memory, at least so much of it."""
    return tuple(each for each in mappings if each.is_memory and each.kib >= least_kib)


def remote_kib(arena: Mapping, node: int) -> int:
    """Return how much of an arena lies on another node."""
    return sum(kib for where, kib in arena.kib_by_node.items() if where != node)


def unbound(mappings: Sequence[Mapping], node: int) -> tuple[str, ...]:
    """Return a sentence for each memory of the process whose pages may come from another node."""
    return tuple(
        f"{each.kind} memory at {each.address} has the policy '{each.policy}', not 'bind:{node}'"
        for each in mappings
        if each.is_memory and each.policy != f"bind:{node}"
    )


def by_node(arena: Mapping) -> str:
    """Return in words where an arena's pages are, in pages of 4 KiB."""
    pages = (f"{kib // BASE_PAGE_KIB} on node {node}" for node, kib in sorted(arena.kib_by_node.items()))
    return f"{arena.kib // BASE_PAGE_KIB} pages: {', '.join(pages)}"


def _mapping(words: Sequence[str], place: str) -> Mapping:
    if len(words) < 2 or not _ADDRESS.fullmatch(words[0]):
        raise malformed(place, "is not 'address policy …'")
    pages: dict[int, int] = {}
    sizes: list[int] = []
    for word in words[2:]:
        if found := _PAGES.fullmatch(word):
            if int(found[1]) in pages:
                raise malformed(place, f"names node {found[1]} twice")
            pages[int(found[1])] = int(found[2])
        elif found := _SIZE.fullmatch(word):
            sizes.append(int(found[1]))
        elif re.match(r"N[0-9]|kernelpagesize_kB", word):
            raise malformed(place, f"{word[:40]!r} is no count of pages")
    if pages and (len(sizes) != 1 or not BASE_PAGE_KIB <= sizes[0] <= LARGEST_PAGE_KIB):
        raise malformed(place, "counts pages without saying once how large they are (kernelpagesize_kB)")
    size = sizes[0] if sizes else BASE_PAGE_KIB
    return Mapping(
        address=words[0],
        policy=words[1],
        kind=_kind(words),
        kib_by_node={node: n * size for node, n in pages.items()},
    )


def _kind(words: Sequence[str]) -> str:
    for word in words[2:]:
        if word.startswith("file="):
            return word.removeprefix("file=")
        if word in {"heap", "stack"}:
            return word
    return "anonymous"
