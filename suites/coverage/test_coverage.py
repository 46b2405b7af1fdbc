"""Coverage of the candidate's unit tests, as the build measured it."""

import pytest

from release_gates.probes.coverage.assessment import GateCoverage

pytestmark = pytest.mark.gate("coverage")


def test_unit_tests_cover_the_engine(gate_coverage: GateCoverage) -> None:
    """Every component, the whole, and the lines that changed since the live build are covered."""
    gate_coverage.measure()
