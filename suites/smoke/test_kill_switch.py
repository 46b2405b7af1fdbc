"""The kill switch: whoever it names has no order left and gets none in, and nobody else is touched."""

import pytest

from fixtures.exchange import Exchange

pytestmark = pytest.mark.gate("smoke")

TRADERS = ("alice", "bob", "carol")  # alice and bob are of the desk equities


@pytest.mark.parametrize(
    ("scope", "killed"),
    [
        pytest.param({"scope": "trader", "name": "alice"}, {"alice"}, id="trader"),
        pytest.param({"scope": "desk", "name": "equities"}, {"alice", "bob"}, id="desk"),
        pytest.param({"scope": "all"}, set(TRADERS), id="all"),
    ],
)
def test_kill_switch(exchange: Exchange, scope: dict[str, str], killed: set[str]) -> None:
    """Engaged it cancels and refuses, released it lets trade again."""
    orders = {
        trader: exchange.place("buy", price=9_000 + place, quantity=1, trader=trader)["id"]
        for place, trader in enumerate(TRADERS)
    }
    cancelled = exchange.kill(**scope)
    resting = sum(level.orders for level in exchange.book()["bids"])
    assert resting == len(TRADERS) - len(killed), (
        f"after the kill switch {scope} {resting} of {len(TRADERS)} orders rest, {len(killed)} killed"
    )
    assert cancelled == sorted(orders[trader] for trader in killed)
    for trader in TRADERS:
        assert reason(exchange, trader) == ("killed" if trader in killed else None)
    exchange.kill(**scope, action="release")
    for trader in TRADERS:
        assert reason(exchange, trader) is None


def reason(exchange: Exchange, trader: str) -> str | None:
    """Return why an order of this trader is refused, None if it is not."""
    said: dict[str, str] = exchange.try_order(price=9_000, trader=trader).json()
    return said.get("reason")
