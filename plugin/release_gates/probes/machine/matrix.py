"""Latency and bandwidth from each node's CPUs to each memory; whether their order fits the distances."""

from __future__ import annotations

import math
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import msgspec

from release_gates.errors import MeasurementError, ProbeUnavailable
from release_gates.host.topology import Node, Topology
from release_gates.probes.machine.faults import malformed

TOLERANCE = 0.05
"""Two latencies that differ by less are not told apart."""

_SOURCE = Path(__file__).with_name("memory_matrix.c")
_TIMEOUT_S = 300.0


class Cell(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One pair: a CPU, the node of the memory, nanoseconds a dependent load, MiB/s of reading."""

    cpu: int
    node: int
    latency_ns: float
    bandwidth_mib_s: float


class Matrix(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All pairs that were measured."""

    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """How latencies go with declared distances: sentences for pairs that contradict them, or are equal."""

    reversed: tuple[str, ...]
    undecided: tuple[str, ...]
    pairs: int


def wanted_pairs(topology: Topology) -> tuple[tuple[int, int], ...]:
    """Return (CPU, memory node): the first usable CPU of each node that has one, each node with memory."""
    usable = topology.cpuset.cpus
    firsts = (
        min(node.cpus if usable is None else node.cpus & usable, default=None) for node in topology.nodes
    )
    return tuple(
        (cpu, node.id)
        for cpu in firsts
        if cpu is not None
        for node in topology.with_memory
        if _may(topology, node)
    )


def _may(topology: Topology, node: Node) -> bool:
    return topology.cpuset.nodes is None or node.id in topology.cpuset.nodes


def build_program(folder: Path, *, static: bool = False) -> Path:
    """Compile the program that measures; ``ProbeUnavailable`` without a C compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise ProbeUnavailable(
            "there is no C compiler, which the memory matrix needs.",
            slug="machine-package-missing",
            hint="apt-get install gcc libc6-dev",
        )
    program = folder / "memory-matrix"
    command = [compiler, "-O2", *(["-static"] if static else []), "-o", str(program), str(_SOURCE)]
    _run(command)
    return program


def measure_matrix(program: Path, topology: Topology) -> Matrix:
    """Run the program on every pair; ``MeasurementError`` if it says anything but the whole matrix."""
    pairs = wanted_pairs(topology)
    said = _run([str(program), *(f"{cpu}:{node}" for cpu, node in pairs)])
    return parse_matrix(said, pairs, str(program))


def parse_matrix(text: bytes, pairs: tuple[tuple[int, int], ...], source: str) -> Matrix:
    """Return the matrix in a text: exactly these pairs, every number above zero and finite."""
    try:
        matrix = msgspec.json.decode(text, type=Matrix)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise malformed(source, f"is no memory matrix: {error}") from None
    if tuple((cell.cpu, cell.node) for cell in matrix.cells) != pairs:
        raise malformed(source, f"has other pairs of CPU and node than {pairs}")
    for cell in matrix.cells:
        for value in (cell.latency_ns, cell.bandwidth_mib_s):
            if not (math.isfinite(value) and value > 0):
                raise malformed(source, f"CPU {cell.cpu}, node {cell.node}: {value} is no measured value")
    return matrix


def best_of(one: Matrix, other: Matrix) -> Matrix:
    """Return the better of two measurements of the same pairs, cell by cell."""
    return Matrix(
        cells=tuple(
            msgspec.structs.replace(
                first,
                latency_ns=min(first.latency_ns, second.latency_ns),
                bandwidth_mib_s=max(first.bandwidth_mib_s, second.bandwidth_mib_s),
            )
            for first, second in zip(one.cells, other.cells, strict=True)
        )
    )


def order_of(matrix: Matrix, topology: Topology) -> Order:
    """Compare, for each CPU, any two memories of different distance: the further has to be slower. Pure."""
    found = list(_compared(matrix, topology))
    return Order(
        reversed=tuple(sentence for kind, sentence in found if kind == "reversed"),
        undecided=tuple(sentence for kind, sentence in found if kind == "undecided"),
        pairs=len(found),
    )


def _compared(matrix: Matrix, topology: Topology) -> Iterator[tuple[str, str]]:
    for one, other in combinations(matrix.cells, 2):
        home = topology.node(topology.node_of_cpu.get(one.cpu, -1))
        if one.cpu != other.cpu or home is None:
            continue
        near, far = sorted((one, other), key=lambda cell: home.distances[cell.node])
        if home.distances[near.node] == home.distances[far.node]:
            continue
        ratio = far.latency_ns / near.latency_ns
        kind = "told" if ratio >= 1 + TOLERANCE else "undecided" if ratio > 1 - TOLERANCE else "reversed"
        yield (
            kind,
            f"from CPU {one.cpu}, node {far.node} at distance {home.distances[far.node]} takes "
            f"{far.latency_ns:.1f} ns and node {near.node} at {home.distances[near.node]} "
            f"takes {near.latency_ns:.1f} ns",
        )


def _run(command: list[str]) -> bytes:
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, check=True, timeout=_TIMEOUT_S
        )
    except (OSError, subprocess.SubprocessError) as error:
        said = getattr(error, "stderr", None) or str(error).encode()
        raise MeasurementError(
            f"{Path(command[0]).name} failed: {said.decode('utf-8', 'replace').strip()[-400:]}",
            slug="memory-matrix-failed",
            hint="Binding memory may need CAP_SYS_NICE in a container.",
        ) from None
    return done.stdout
