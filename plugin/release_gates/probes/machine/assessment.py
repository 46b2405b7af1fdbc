"""What a gate says of a service's place: the fixture ``gate_machine`` without its pytest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import NoReturn, Protocol, TypeVar

import msgspec
import pytest

from release_gates.host.topology import Topology, read_topology
from release_gates.probes.machine.faults import listed
from release_gates.probes.machine.kubelet import read_kubelet
from release_gates.probes.machine.locality import (
    Locality,
    Remoteness,
    is_emulated,
    read_locality,
    read_mappings,
    remoteness,
)
from release_gates.probes.machine.matrix import (
    Matrix,
    best_of,
    build_program,
    measure_matrix,
    order_of,
    parse_matrix,
    wanted_pairs,
)
from release_gates.probes.machine.nic import nic_node
from release_gates.probes.machine.numa_maps import unbound
from release_gates.probes.machine.numastat import read_numastat
from release_gates.probes.machine.placement import lacking, lint
from release_gates.probes.machine.recording import Recording, lay_out, read_recording
from release_gates.probes.machine.settings import MachineSettings
from release_gates.probes.machine.threads import misplaced, read_threads

Settings = TypeVar("Settings", bound=msgspec.Struct)
LOCALITY = (
    "numa.arena_pages",
    "numa.remote_pages",
    "numa.remote_ratio",
    "numa.stray_threads",
    "numa.missed_pages",
)
EMULATED = "the machine is emulated, which policy does not accept"
MISPLACED = "threads are not where they were asked to be"
ORDER = ("numa.order_reversals",)


class Subject(Protocol):
    """The candidate, as far as this probe needs it."""

    def artifact(self, name: str) -> Path:
        """Return an artifact in the store, hashed again."""
        ...


class Gate(Protocol):
    """The fixture ``gate``, as far as this probe needs it."""

    @property
    def candidate(self) -> Subject:
        """What is measured."""
        ...

    @property
    def rootdir(self) -> Path:
        """The folder that holds ``gates/``."""
        ...

    def settings(self, kind: type[Settings]) -> Settings:
        """Return the settings of a probe."""
        ...

    def measure(self, name: str, value: float, unit: str, *, samples: int | None = None) -> None:
        """Record one observed value."""
        ...

    def inconclusive(self, name: str, because: str) -> None:
        """Say that what was seen cannot decide."""
        ...

    def not_applicable(self, name: str, because: str) -> None:
        """Say why a value has no meaning."""
        ...

    def attach(self, name: str, path: Path) -> None:
        """Keep a file with the evidence."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A recording, its file, and the root of what was recorded before and after the program worked."""

    recording: Recording
    file: Path
    before: Path
    after: Path


class GateMachine:
    """Where the candidate's service runs, where its memory is, and whether that is as policy declares it."""

    def __init__(self, gate: Gate, folder: Path, *, root: Path = Path("/")) -> None:
        """Look at the host below ``root``; recordings are laid out below ``folder``."""
        self._gate = gate
        self._folder = folder
        self._root = root

    @cached_property
    def settings(self) -> MachineSettings:
        """What policy declares."""
        return self._gate.settings(MachineSettings)

    @cached_property
    def topology(self) -> Topology:
        """The NUMA topology of this host."""
        return read_topology(self._root)

    def lint(self) -> None:
        """Fail with everything about the declared placement that contradicts itself.

        INCONCLUSIVE where this host lacks a CPU or node that is declared: that is no fault of a candidate.
        """
        settings = self.settings
        found = lint(
            settings,
            self.topology,
            nic_node=nic_node(self._root, settings.nic) if settings.nic else None,
            kubelet=read_kubelet(self._gate.rootdir / settings.kubelet) if settings.kubelet else None,
        )
        _fail("the declared placement contradicts itself", found)
        if absent := tuple(lacking(settings, self.topology)):
            raise pytest.skip.Exception(f"this host lacks what is declared: {listed(absent)}")

    def check_affinity(self, pid: int) -> None:
        """Fail with every thread of a running process that may run elsewhere than policy declares."""
        _fail(MISPLACED, misplaced(read_threads(self._root, pid), self.settings.pins))

    def check_binding(self, pid: int) -> None:
        """Fail with every memory of a running process that is not bound to the declared node."""
        _fail(
            "memory is not bound to its node",
            unbound(read_mappings(self._root, pid), self.settings.arena_node),
        )

    def measure_locality(self, pid: Callable[[], int], work: Callable[[], object]) -> Remoteness:
        """Measure how far a process's memory is from its threads: here, or as it was recorded elsewhere.

        ``pid`` starts the process and returns its number, ``work`` lets it work; neither is called where
        the host has one node. Then the facts are those of a recording (``facts`` in policy); without one,
        and where the facts are from an emulated machine that policy does not accept, it is INCONCLUSIVE.
        """
        facts = self._observed(pid, work) if self._has_two_nodes else self._recorded_locality()
        if facts is None:
            self._inconclusive(LOCALITY, self._single_node)
        if facts.emulated and not self.settings.emulated:
            self._inconclusive(LOCALITY, EMULATED)
        return self._judge(facts)

    def measure_order(self) -> None:
        """Measure latency from each node to each memory; count the pairs whose order the distances deny."""
        if self._has_two_nodes:
            topology, emulated = self.topology, is_emulated(self._root)
            matrix = self._matrix_of_this_host()
        elif (recorded := self._recorded) is not None and recorded.recording.matrix:
            topology, emulated = read_topology(recorded.after), is_emulated(recorded.after)
            text = recorded.recording.matrix.encode()
            matrix = parse_matrix(text, wanted_pairs(topology), str(recorded.file))
        else:
            self._inconclusive(ORDER, self._single_node)
        order = order_of(matrix, topology)
        if emulated and not self.settings.emulated:
            self._inconclusive(ORDER, EMULATED)
        if emulated:
            because = f"an emulated machine has memory of one speed, whatever distances it tells ({topology})"
            self._gate.not_applicable(ORDER[0], because)
        elif order.reversed:
            self._gate.measure(ORDER[0], len(order.reversed), "count", samples=order.pairs)
            _fail("distances and latencies contradict each other", order.reversed)
        elif order.undecided or not order.pairs:
            told = listed(order.undecided) or "no two memories are at different distances"
            self._inconclusive(ORDER, f"the latencies do not tell the nodes apart: {told}")
        else:
            self._gate.measure(ORDER[0], 0, "count", samples=order.pairs)

    # -- where the facts come from ----------------------------------------------------------------

    @property
    def _has_two_nodes(self) -> bool:
        return len(self.topology.with_memory) > 1

    @property
    def _single_node(self) -> str:
        wanted = f", and there is no recording {self._facts_file}" if self.settings.facts else ""
        return (
            f"single node: this host has one node with memory ({self.topology}), where nothing is remote"
            f"{wanted}; measure on a host with two, and join: release-gates decide"
        )

    def _observed(self, pid: Callable[[], int], work: Callable[[], object]) -> Locality:
        number = pid()
        nodes = tuple(node.id for node in self.topology.nodes)
        before = read_numastat(self._root, nodes)
        work()
        return read_locality(self._root, number, before)

    def _recorded_locality(self) -> Locality | None:
        recorded = self._recorded
        if recorded is None:
            return None
        nodes = tuple(node.id for node in read_topology(recorded.after).nodes)
        before = read_numastat(recorded.before, nodes)
        return read_locality(recorded.after, recorded.recording.pid, before)

    @cached_property
    def _facts_file(self) -> Path:
        name = f"{self._gate.candidate.artifact(self.settings.artifact).name}.json"
        return self._gate.rootdir / self.settings.facts / name

    @cached_property
    def _recorded(self) -> Recorded | None:
        """The recording of this candidate's binary; None where policy names none, or there is none."""
        if not self.settings.facts or not self._facts_file.exists():
            return None
        file = self._facts_file
        recording = read_recording(
            file, program=file.stem, now=datetime.now(UTC), max_age_s=self.settings.facts_hours * 3600
        )
        before, after = lay_out(recording, self._folder, str(file))
        self._gate.attach("machine-facts.json", file)
        return Recorded(recording=recording, file=file, before=before, after=after)

    def _matrix_of_this_host(self) -> Matrix:
        """Measure; where the order is not as told, once more: a noisy moment is not the host's fault."""
        self._folder.mkdir(parents=True, exist_ok=True)
        program = build_program(self._folder)
        matrix = measure_matrix(program, self.topology)
        if not order_of(matrix, self.topology).reversed:
            return matrix
        return best_of(matrix, measure_matrix(program, self.topology))

    # -- what they say ----------------------------------------------------------------------------

    def _judge(self, facts: Locality) -> Remoteness:
        settings = self.settings
        if len(facts.topology.with_memory) < 2:
            self._inconclusive(LOCALITY, f"single node: the recorded host has one ({facts.topology})")
        found = remoteness(facts, settings.arena_node, settings.arena_min_kib)
        if not found.arenas:
            least = f"{settings.arena_min_kib} KiB"
            self._inconclusive(LOCALITY, f"the process has no mapping of at least {least}: there is no arena")
        self._gate.measure("numa.arena_pages", found.arena_pages, "pages")
        self._gate.measure("numa.remote_pages", found.remote_pages, "pages", samples=found.arena_pages)
        self._gate.measure("numa.remote_ratio", found.ratio, "ratio", samples=found.arena_pages)
        self._gate.measure("numa.stray_threads", len(found.stray), "count", samples=len(facts.threads))
        self._gate.measure("numa.missed_pages", found.missed_pages, "pages")
        _fail(MISPLACED, misplaced(facts.threads, settings.pins))
        if facts.balancing:
            _fail("automatic NUMA balancing is on", (f"kernel.numa_balancing = {facts.balancing}",))
        return found

    def _inconclusive(self, names: tuple[str, ...], because: str) -> NoReturn:
        """Say of each value why it cannot be decided, and end the test so: no limit is needed to hold."""
        for name in names:
            self._gate.inconclusive(name, because)
        raise pytest.skip.Exception(because)


def _fail(what: str, found: tuple[str, ...]) -> None:
    """Raise what pytest takes for a failed check, unless nothing was found; an ``assert`` can be off."""
    if found:
        raise AssertionError(f"{what}: {listed(found)}")
