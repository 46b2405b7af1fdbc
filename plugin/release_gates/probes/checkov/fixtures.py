"""The pytest fixtures of checkov."""

from __future__ import annotations

from pathlib import Path

import pytest

from release_gates.probes.checkov.assessment import Gate, GateCheckov, Scans


@pytest.fixture(scope="session")
def checkov_scans() -> Scans:
    """Keep what checkov said for the session: each target is scanned once."""
    return Scans()


@pytest.fixture
def gate_checkov(gate: Gate, checkov_scans: Scans, tmp_path: Path) -> GateCheckov:
    """Judge what checkov says of what policy names: ``.check()``, and ``.measure()`` for the counts.

    ``[gate.NAME.checkov]`` says which program scans what, and what its checks weigh.
    """
    return GateCheckov(gate, checkov_scans, tmp_path / "checkov")
