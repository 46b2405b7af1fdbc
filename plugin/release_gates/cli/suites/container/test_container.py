"""The candidate's image, and what the containers that run it may do. One test for each rule."""

import pytest

from release_gates.probes.container.catalogue import ids
from release_gates.probes.container.gate_container import GateContainer

pytest_plugins = ["release_gates.probes.container.fixtures"]
pytestmark = pytest.mark.gate("container")


@pytest.mark.parametrize("rule", ids("DF"))
def test_dockerfile(rule: str, gate_container: GateContainer) -> None:
    """The stage that is released keeps the rule."""
    gate_container.dockerfile(rule)


@pytest.mark.parametrize("rule", ids("IM"))
def test_image(rule: str, gate_container: GateContainer) -> None:
    """The image that the engine has by the candidate's digest keeps the rule."""
    gate_container.image(rule)


@pytest.mark.parametrize("rule", ids("CR"))
def test_running(rule: str, gate_container: GateContainer) -> None:
    """Every container with policy's labels keeps the rule, by what is in effect."""
    gate_container.running(rule)


def test_size(gate_container: GateContainer) -> None:
    """The image's size is measured, also beside the live one."""
    gate_container.measure_size()
