"""Each rule before the trade: at its limit an order passes, one step further it is refused with why."""

import pytest

from fixtures.exchange import SYMBOL, Exchange
from release_gates.probes.service.fixtures import StartService

pytestmark = pytest.mark.gate("smoke")

LIMITED = ("--max-quantity", "10", "--max-value", "20000")
COLLARED = ("--symbols", f"{SYMBOL}=10000", "--collar", "1000")  # 9,000 to 11,000


@pytest.mark.parametrize(
    ("arguments", "fields", "reason"),
    [
        pytest.param(LIMITED, {"price": 1, "quantity": 9}, None, id="quantity-below-limit"),
        pytest.param(LIMITED, {"price": 1, "quantity": 10}, None, id="quantity-at-limit"),
        pytest.param(LIMITED, {"price": 1, "quantity": 11}, "quantity_too_large", id="quantity-above-limit"),
        pytest.param(LIMITED, {"price": 19_999, "quantity": 1}, None, id="value-below-limit"),
        pytest.param(LIMITED, {"price": 10_000, "quantity": 2}, None, id="value-at-limit"),
        pytest.param(LIMITED, {"price": 20_001, "quantity": 1}, "value_too_large", id="value-above-limit"),
        pytest.param(COLLARED, {"price": 10_999}, None, id="price-below-upper-collar"),
        pytest.param(COLLARED, {"price": 11_000}, None, id="price-at-upper-collar"),
        pytest.param(COLLARED, {"price": 11_001}, "price_outside_collar", id="price-above-upper-collar"),
        pytest.param(COLLARED, {"price": 9_001}, None, id="price-above-lower-collar"),
        pytest.param(COLLARED, {"price": 9_000}, None, id="price-at-lower-collar"),
        pytest.param(COLLARED, {"price": 8_999}, "price_outside_collar", id="price-below-lower-collar"),
    ],
)
def test_order_limit(
    start_service: StartService, arguments: tuple[str, ...], fields: dict[str, object], reason: str | None
) -> None:
    """One order on either side of a limit."""
    exchange = Exchange(start_service(*arguments).client)
    answer = exchange.try_order(**fields)
    assert answer.json().get("reason") == reason, f"{fields} under {arguments}: {answer.text}"


@pytest.mark.parametrize(("sent", "refused"), [(4, 0), (5, 0), (6, 1)], ids=["below", "at", "above"])
def test_message_rate(start_service: StartService, sent: int, refused: int) -> None:
    """A trader has five messages in the window; the sixth is refused, and nobody else's."""
    exchange = Exchange(start_service("--max-messages", "5", "--message-window", "3600").client)
    order = {"side": "buy", "type": "limit", "price": 10_000, "quantity": 1}
    results = exchange.place_batch([exchange.order(**order) for _ in range(sent)])
    reasons = [result["reason"] for result in results if result["status"] == "rejected"]
    assert reasons == ["too_many_messages"] * refused
    exchange.place("buy", price=10_000, quantity=1, trader="bob")


def test_order_id_is_taken_once(exchange: Exchange) -> None:
    """A resent id is refused while its order rests, and when it is filled."""
    order = exchange.place("buy", price=10_000, quantity=1)
    assert exchange.try_order(id=order["id"]).json()["reason"] == "duplicate_id"
    exchange.place("sell", price=10_000, quantity=1)
    assert exchange.try_order(id=order["id"]).json()["reason"] == "duplicate_id"


@pytest.mark.parametrize("quantity", [-1, 0, 2**31, 2**63 - 1])
@pytest.mark.parametrize("price", [-(2**63), 0, 2**31, 2**63 - 1])
def test_absurd_numbers_are_refused(exchange: Exchange, price: int, quantity: int) -> None:
    """No product of such numbers wraps round into a small order."""
    answer = exchange.try_order(price=price, quantity=quantity)
    assert answer.status_code == 422, f"price {price}, quantity {quantity}: {answer.text}"
    assert exchange.book() == {"bids": [], "asks": []}
