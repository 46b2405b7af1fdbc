"""The pytest fixture of the JUnit probe."""

from __future__ import annotations

import pytest

from release_gates.probes.junit.gate_junit import Gate, GateJunit


@pytest.fixture
def gate_junit(gate: Gate) -> GateJunit:
    """Results of the candidate's unit tests: ``gate_junit.measure("unit-tests.xml", …)``."""
    return GateJunit(gate)
