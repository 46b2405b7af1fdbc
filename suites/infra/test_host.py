"""The hosts that policy names, each by its profile: one test for each rule."""

import pytest

from release_gates.probes.machine.hosts.assessment import GateHost
from release_gates.probes.machine.hosts.catalogue import ids

pytestmark = pytest.mark.gate("host")


@pytest.mark.parametrize("rule", ids())
def test_rule(rule: str, gate_host: GateHost) -> None:
    """Every host keeps the rule, by what is in effect."""
    gate_host.check(rule)


def test_what_was_judged(gate_host: GateHost) -> None:
    """How many rules were decided, tolerated and off, and how far the clocks are from UTC."""
    gate_host.measure()
