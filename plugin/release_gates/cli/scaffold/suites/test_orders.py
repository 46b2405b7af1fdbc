"""Gate "smoke": plain asserts. A failed assert is FAIL, any other exception ERROR, a skip proves nothing."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.gate("smoke")


def test_order_rests_and_is_filled(market: Any) -> None:
    """What one trader offers, another one takes."""
    seller, _ = market.place("sell", price=100, quantity=5)
    _, fills = market.place("buy", price=101, quantity=5)
    assert fills == [(seller, 100, 5)]


def test_cancelled_order_is_gone(market: Any) -> None:
    """A cancelled order does not trade."""
    number, _ = market.place("sell", price=100, quantity=5)
    assert market.exchange.cancel(number)
    _, fills = market.place("buy", price=100, quantity=5)
    assert fills == [], f"order {number} was cancelled and still traded"
