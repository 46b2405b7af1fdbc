"""The pytest fixture of the SARIF probe."""

from __future__ import annotations

import pytest

from release_gates.probes.sarif.gate_findings import Gate, GateFindings


@pytest.fixture
def gate_findings(gate: Gate) -> GateFindings:
    """Findings of static analysis: ``gate_findings.measure(Path("ruff.sarif"), root=…, looked_at=…)``."""
    return GateFindings(gate)
