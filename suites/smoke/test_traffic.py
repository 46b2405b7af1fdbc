"""What the gates `load` and `capacity` send is answered as they expect: else they would measure refusals."""

from __future__ import annotations

import pytest

from fixtures import trading_load
from release_gates.probes.load.traffic import Answer, Traffic
from release_gates.probes.service.fixtures import GateService

pytestmark = pytest.mark.gate("smoke")

CONNECTIONS, ROUNDS = 4, 24


@pytest.mark.parametrize(
    "traffic",
    [trading_load.order_entry, trading_load.cancel, trading_load.book_query, trading_load.mixed],
    ids=lambda traffic: traffic.__name__,
)
def test_traffic_is_answered_as_it_expects(gate_service: GateService, traffic: Traffic) -> None:
    """Connections in turn get the status and body that they expect, and the book stays small."""
    users = [traffic(connection) for connection in range(CONNECTIONS)]
    requests = [next(user) for user in users]
    for turn in range(CONNECTIONS * ROUNDS):
        user = turn % CONNECTIONS
        asked = requests[user]
        said = gate_service.client.request(asked.method, asked.path, content=asked.body)
        sentence = f"{asked.method} {asked.path} was answered {said.status_code}: {said.text}"
        assert said.status_code == asked.status, sentence
        assert asked.contains in said.content, sentence
        requests[user] = users[user].send(Answer(said.status_code, said.content))
    resting = gate_service.client.get("/state").json()["resting"]
    assert resting <= 2 * CONNECTIONS, f"{resting} orders rest on the books of {CONNECTIONS} connections"
