"""Gate "matching": measured values. The limits stand in gates/staging.toml and nowhere else."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.gate("matching")

LEVELS = 500


def test_work_per_order(gate: Any, market: Any) -> None:
    """Matching one order looks at few price levels, however deep the book is."""
    for level in range(LEVELS):
        market.place("sell", price=1000 + level, quantity=1)
    asks = market.exchange.asks
    before, orders = asks.looked_at, 100
    for _ in range(orders):
        market.place("buy", price=5000, quantity=1)
    gate.measure("levels_per_order", (asks.looked_at - before) / orders, "count", samples=orders)


def test_no_order_is_lost(gate: Any, market: Any) -> None:
    """Every unit that is bought was sold by somebody."""
    for step in range(LEVELS):
        market.place("sell", price=1000 + step % 7, quantity=3)
    filled = sum(quantity for _ in range(LEVELS) for _, _, quantity in market.place("buy", 5000, 3)[1])
    gate.measure("lost_quantity", 3 * LEVELS - filled, "count", samples=LEVELS)
