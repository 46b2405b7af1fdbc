"""The matching core against the one that is live, measured in turn."""

import pytest

from release_gates.probes.benchmark.comparison import GateBenchmark

pytestmark = pytest.mark.gate("benchmark")


def test_core_is_as_fast_as_the_live_one(gate_benchmark: GateBenchmark) -> None:
    """No benchmark of the core is slower, lost, or does less."""
    gate_benchmark.measure()


def test_an_order_is_acknowledged_in_time(gate_benchmark: GateBenchmark) -> None:
    """From the JSON of an order to its events and its record in the journal, on one thread."""
    gate_benchmark.measure_quantiles("order_to_ack/core")
