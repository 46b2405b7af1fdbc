"""The candidate's binary starts, says who it is, and goes when it is told to."""

import json

import pytest

from fixtures.exchange import Exchange
from release_gates.probes.service.fixtures import GateService
from release_gates.session.gate import Gate

pytestmark = pytest.mark.gate("smoke")

EXPECTED_EVENTS = {"started", "recovered", "signal", "drain_started", "stopped"}


def test_becomes_ready(gate: Gate, gate_service: GateService) -> None:
    """The service is alive and ready within the time that policy allows."""
    health = gate_service.client.get("/health")
    assert health.status_code == 200, f"/health is {health.status_code}"
    gate.measure("service.ready_time", gate_service.ready_s, "s", samples=1)


def test_ready_means_that_orders_are_taken(exchange: Exchange) -> None:
    """A service that answers /ready with 200 acknowledges an order."""
    assert exchange.http.get("/ready").status_code == 200
    exchange.place("buy", price=10_000, quantity=1)


def test_is_the_candidate(gate: Gate, gate_service: GateService) -> None:
    """Version and commit that the binary reports are those of the candidate."""
    version = gate_service.client.get("/version").json()
    reported = (version["version"], version["commit"])
    assert reported == (gate.candidate.version, gate.candidate.commit), f"the binary says {version}"
    assert version["build_id"], "the binary has no build id"


def test_sigterm_drains(gate: Gate, gate_service: GateService, exchange: Exchange) -> None:
    """SIGTERM ends the service by itself, with status 0, in time."""
    exchange.place("buy", price=10_000, quantity=1)
    end = gate_service.stop()
    assert not end.killed, f"the service ignores SIGTERM: {end}"
    assert end.status == 0, f"the service {end}"
    gate.measure("service.drain_time", end.seconds, "s", samples=1)


def test_log_is_quiet(gate: Gate, gate_service: GateService, exchange: Exchange) -> None:
    """A start, an order and a stop leave only the expected JSON lines in the log."""
    exchange.place("sell", price=10_001, quantity=1)
    gate_service.stop()
    lines = [json.loads(line) for line in gate_service.process.stderr.read_text().splitlines()]
    strange = [line for line in lines if line["level"] != "info" or line["event"] not in EXPECTED_EVENTS]
    gate.measure("service.unexpected_log_lines", len(strange), "lines", samples=len(lines))
