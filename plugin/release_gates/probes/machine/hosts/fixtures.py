"""The pytest fixtures of hosts."""

from __future__ import annotations

from pathlib import Path

import pytest

from release_gates.probes.machine.hosts.assessment import Gate, GateHost
from release_gates.probes.machine.hosts.seen import Hosts


@pytest.fixture(scope="session")
def seen_hosts() -> Hosts:
    """Keep what was read of hosts for the session: each is looked at once."""
    return Hosts()


@pytest.fixture
def gate_host(gate: Gate, seen_hosts: Hosts, tmp_path: Path) -> GateHost:
    """Judge the hosts that policy names: ``.check(rule)`` for each rule, ``.measure()`` for the counts.

    A host that cannot be read, or a rule that cannot be decided, is an error. ``[gate.host.host]`` says which
    hosts are asked, and what is expected of them.
    """
    return GateHost(gate, seen_hosts, tmp_path / "hosts")
