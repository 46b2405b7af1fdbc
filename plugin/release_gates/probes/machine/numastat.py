"""``node*/numastat``: where allocations were served since the machine started, and what changed since."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from release_gates.probes.machine.faults import malformed

COUNTERS = ("numa_hit", "numa_miss", "numa_foreign", "interleave_hit", "local_node", "other_node")
Counts = Mapping[int, Mapping[str, int]]
"""Counter by node, in pages."""


def read_numastat(root: Path, nodes: tuple[int, ...]) -> Counts:
    """Return the counters of each node."""
    found = {}
    for node in nodes:
        file = root / f"sys/devices/system/node/node{node}/numastat"
        try:
            text = file.read_bytes()[:4096].decode("utf-8", "replace")
        except OSError as error:
            raise malformed(str(file), f"cannot be read: {error.strerror}") from None
        found[node] = parse_numastat(text, str(file))
    return found


def parse_numastat(text: str, file: str) -> dict[str, int]:
    """Return the counters of one node (Documentation/admin-guide/numastat.rst)."""
    counts: dict[str, int] = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) != 2 or not (words[1].isascii() and words[1].isdecimal() and len(words[1]) <= 20):
            raise malformed(file, f"{line[:60]!r} is not 'counter number'")
        if words[0] in counts:
            raise malformed(file, f"{words[0]} stands there twice")
        counts[words[0]] = int(words[1])
    if absent := [name for name in COUNTERS if name not in counts]:
        raise malformed(file, f"has no {' and no '.join(absent)}")
    return counts


def grown(before: Counts, after: Counts, counter: str, file: str) -> dict[int, int]:
    """Return by node how much a counter has grown; one that shrank is damage. Pure."""
    deltas = {}
    for node, counts in after.items():
        if node not in before:
            raise malformed(file, f"node {node} was not there before")
        deltas[node] = counts[counter] - before[node][counter]
        if deltas[node] < 0:
            raise malformed(file, f"{counter} of node {node} went back by {-deltas[node]}")
    return deltas
