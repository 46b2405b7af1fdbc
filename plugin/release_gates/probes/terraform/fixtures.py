"""The pytest fixtures of infrastructure as code."""

from __future__ import annotations

import pytest

from release_gates.probes.terraform.assessment import Gate, GateTerraform, Plans


@pytest.fixture(scope="session")
def read_plans() -> Plans:
    """Keep what was read of plans for the session: each is parsed once."""
    return Plans()


@pytest.fixture
def gate_terraform(gate: Gate, read_plans: Plans) -> GateTerraform:
    """Judge the plan that policy names: ``.check(rule)`` for each rule, ``.measure()`` for the counts.

    ``[gate.NAME.terraform]`` says which plan, and what it may do.
    """
    return GateTerraform(gate, read_plans)
