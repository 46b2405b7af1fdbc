"""Entry to staging: a minute of mixed traffic on the candidate's gateway."""

from __future__ import annotations

import pytest

from fixtures import trading_load
from release_gates.probes.load.gate_load import GateLoad
from release_gates.probes.service.fixtures import GateService

pytestmark = pytest.mark.gate("load")


def test_the_gateway_keeps_its_limits_under_mixed_traffic(
    gate_load: GateLoad, gate_service: GateService
) -> None:
    """Orders, cancels and book queries come as fast as on a busy day, whether or not answers come back."""
    gate_load.run(gate_service, trading_load.mixed, profile="load")
