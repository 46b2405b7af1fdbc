"""The candidate's image: what it is, and what it may do once it runs. One test for each rule."""

import pytest

from fixtures.deployment import Deployment
from release_gates.probes.container.catalogue import ids
from release_gates.probes.container.gate_container import GateContainer

pytestmark = pytest.mark.gate("container")


@pytest.mark.parametrize("rule", ids("DF"))
def test_dockerfile(rule: str, gate_container: GateContainer) -> None:
    """The stage that is released keeps the rule."""
    gate_container.dockerfile(rule)


@pytest.mark.parametrize("rule", ids("IM"))
def test_image(rule: str, gate_container: GateContainer, deployed: Deployment) -> None:
    """The image that the engine has by the candidate's digest keeps the rule."""
    gate_container.image(rule)


@pytest.mark.parametrize("rule", ids("CR"))
def test_running(rule: str, gate_container: GateContainer, deployed: Deployment) -> None:
    """Every container of the service keeps the rule, by what is in effect."""
    gate_container.running(rule, deployed.containers())


def test_size(gate_container: GateContainer, deployed: Deployment) -> None:
    """The image keeps its budget, also beside the live one."""
    gate_container.measure_size()


def test_what_is_tolerated(gate_container: GateContainer, deployed: Deployment) -> None:
    """Mild findings and rules that are off are counted, so that nobody forgets them."""
    gate_container.measure_tolerated(deployed.containers())
