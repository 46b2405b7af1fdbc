"""The pytest fixture of the coverage probe."""

from __future__ import annotations

import pytest

from release_gates.probes.coverage.assessment import Gate, GateCoverage


@pytest.fixture
def gate_coverage(gate: Gate) -> GateCoverage:
    """Coverage of the candidate: ``gate_coverage.measure()`` measures all that policy can limit.

    For each component of ``[gate.coverage.coverage]`` and for ``total``: ``line_rate``, ``branch_rate``,
    ``function_rate``; and ``diff.line_rate``. Unit "ratio".
    """
    return GateCoverage(gate)
