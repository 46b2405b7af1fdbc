"""The candidate's Terraform plan, before anybody applies it: one test for each rule."""

import pytest

from release_gates.probes.terraform.assessment import GateTerraform
from release_gates.probes.terraform.catalogue import ids

pytestmark = pytest.mark.gate("terraform")


@pytest.mark.parametrize("rule", ids())
def test_rule(rule: str, gate_terraform: GateTerraform) -> None:
    """The plan, what it leaves as it is, and its sources keep the rule."""
    gate_terraform.check(rule)


def test_what_was_judged(gate_terraform: GateTerraform) -> None:
    """How many resources and rules were judged, and what was tolerated, exempted, off or destroyed."""
    gate_terraform.measure()
