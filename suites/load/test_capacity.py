"""Entry to production, measured in staging: traffic at full rate, surges, the knee, drifts, changes."""

from __future__ import annotations

import pytest

from fixtures import trading_load
from release_gates.probes.load.gate_load import GateLoad
from release_gates.probes.load.traffic import Traffic
from release_gates.probes.service.fixtures import GateService

pytestmark = pytest.mark.gate("capacity")

every_traffic = pytest.mark.parametrize(
    "traffic",
    [trading_load.order_entry, trading_load.cancel, trading_load.book_query, trading_load.mixed],
    ids=lambda traffic: traffic.__name__,
)


@every_traffic
def test_the_busiest_day(gate_load: GateLoad, gate_service: GateService, traffic: Traffic) -> None:
    """Latency and errors keep their limits at the rate of the busiest day."""
    gate_load.run(gate_service, traffic, profile="load")


@every_traffic
def test_a_surge_is_survived(gate_load: GateLoad, gate_service: GateService, traffic: Traffic) -> None:
    """After a surge of several times the rate, every limit is kept again, soon."""
    gate_load.run(gate_service, traffic, profile="spike")


def test_the_knee_is_far_away(gate_load: GateLoad, gate_service: GateService) -> None:
    """The rate at which the first limit breaks is several times that of the busiest day."""
    gate_load.run(gate_service, trading_load.mixed, profile="stress")


def test_nothing_drifts(gate_load: GateLoad, gate_service: GateService) -> None:
    """Memory, threads, descriptors and latency stay where they are."""
    gate_load.run(gate_service, trading_load.mixed, profile="soak")


def test_no_request_costs_more_than_before(
    gate_load: GateLoad, gate_service: GateService, baseline_service: GateService | None
) -> None:
    """The candidate takes no more processor time for a request than what is live."""
    gate_load.compare(gate_service, baseline_service, trading_load.mixed, profile="turns")
