"""The pytest fixture of the SBOM probe."""

from __future__ import annotations

import pytest

from release_gates.probes.sbom.gate_sbom import Gate, GateSbom


@pytest.fixture
def gate_sbom(gate: Gate) -> GateSbom:
    """The candidate's SBOM: ``gate_sbom.measure_components(…)``, ``gate_sbom.measure_licences()``."""
    return GateSbom(gate)
