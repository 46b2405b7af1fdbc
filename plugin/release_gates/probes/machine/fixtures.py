"""The pytest fixture of the machine probe."""

from __future__ import annotations

from pathlib import Path

import pytest

from release_gates.probes.machine.assessment import Gate, GateMachine


@pytest.fixture
def gate_machine(gate: Gate, tmp_path: Path) -> GateMachine:
    """Where the candidate's service runs and where its memory is, against what policy declares.

    ``lint()``, ``check_affinity(pid)``, ``measure_locality(pid, work)``, ``measure_order()``.
    """
    return GateMachine(gate, tmp_path / "machine")
