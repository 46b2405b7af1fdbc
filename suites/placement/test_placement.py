"""Threads are where they were asked to be, and the hot path allocates nothing: decidable on any machine."""

from __future__ import annotations

import subprocess

import msgspec
import pytest

from release_gates.probes.machine.assessment import GateMachine
from release_gates.probes.service.fixtures import GateService
from release_gates.session.gate import Gate

pytestmark = pytest.mark.gate("placement")

COMMANDS = 200_000


class Counts(msgspec.Struct, forbid_unknown_fields=True):
    """What `engine-allocations` prints; ``control_allocations`` are those of a book that allocates."""

    orders: int
    commands: int
    fills: int
    allocations: int
    control_allocations: int


def test_declared_placement_fits(gate_machine: GateMachine) -> None:
    """Threads, memory and the kubelet's configuration fit each other and this host."""
    gate_machine.lint()


def test_threads_run_where_they_were_asked_to(gate_service: GateService, gate_machine: GateMachine) -> None:
    """Each thread of the engine may run on the CPUs that policy declares, and no other thread may there."""
    assert gate_service.client.get("/ready").status_code == 200
    gate_machine.check_affinity(gate_service.process.pid)


def test_an_order_allocates_nothing(gate: Gate) -> None:
    """Commands of every kind, given to the core that has all it needs, call malloc never."""
    program = gate.candidate.artifact("engine-allocations")
    done = subprocess.run([program, str(COMMANDS)], capture_output=True, check=True, timeout=60, env={})
    counts = msgspec.json.decode(done.stdout, type=Counts)
    if not (counts.control_allocations and counts.orders > COMMANDS // 2 and counts.fills > COMMANDS // 10):
        raise ValueError(f"the counter does not count, or nothing traded: {counts}")
    gate.measure(
        "placement.allocations_per_order",
        counts.allocations / counts.orders,
        "count/orders",
        samples=counts.orders,
    )
