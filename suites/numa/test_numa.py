"""The engine's memory is on the node of its threads. What one node cannot show is inconclusive there."""

from __future__ import annotations

import pytest

from fixtures.exchange import Exchange
from release_gates.probes.machine.assessment import GateMachine
from release_gates.probes.service.fixtures import GateService

pytestmark = pytest.mark.gate("numa")

BATCHES, BATCH = 4, 500


def test_memory_is_bound_where_it_was_asked_to(gate_service: GateService, gate_machine: GateMachine) -> None:
    """All that the engine allocates has a policy that binds it to the declared node."""
    assert gate_service.client.get("/ready").status_code == 200
    gate_machine.check_binding(gate_service.process.pid)


def test_arenas_are_local(gate_service: GateService, gate_machine: GateMachine) -> None:
    """Under orders, the pages of the engine's arenas are on the node of its threads, and stay there."""

    def started() -> int:
        assert gate_service.client.get("/ready").status_code == 200
        return gate_service.process.pid

    def trade() -> None:
        exchange = Exchange(gate_service.client)
        for _ in range(BATCHES):
            prices = (10_000 + each % 7 - 3 for each in range(BATCH))
            sides = ("sell", "buy") * (BATCH // 2)
            exchange.place_batch(
                [
                    exchange.order(side=side, type="limit", price=price, quantity=5)
                    for side, price in zip(sides, prices, strict=True)
                ]
            )

    print(gate_machine.measure_locality(started, trade))


def test_latencies_follow_distances(gate_machine: GateMachine) -> None:
    """Memory that the host calls further away is slower: its distances can be relied upon."""
    gate_machine.measure_order()
