"""An order's life, seen from outside: acknowledged, on the book, filled, cancelled, refused."""

import pytest

from fixtures.exchange import Exchange, Level
from release_gates.probes.service.fixtures import GateService

pytestmark = pytest.mark.gate("smoke")


def test_order_is_acknowledged_and_rests_on_the_book(exchange: Exchange) -> None:
    """A limit order that meets nobody rests at its price."""
    acknowledged = exchange.place("buy", price=10_000, quantity=10)
    assert (acknowledged["status"], acknowledged["remaining"]) == ("resting", 10)
    assert exchange.book() == {"bids": [Level(price=10_000, quantity=10, orders=1)], "asks": []}


def test_orders_match_by_price_then_time(exchange: Exchange) -> None:
    """The best price trades first, and at one price the older order."""
    worse = exchange.place("sell", price=10_002, quantity=5)
    older = exchange.place("sell", price=10_001, quantity=5)
    younger = exchange.place("sell", price=10_001, quantity=5)
    taken = exchange.place("buy", price=10_002, quantity=12)
    makers = [fill["maker"] for fill in taken["fills"]]
    assert makers[:2] != [younger["id"], older["id"]], "at one price the younger order traded first"
    assert [(fill["maker"], fill["price"], fill["quantity"]) for fill in taken["fills"]] == [
        (older["id"], 10_001, 5),
        (younger["id"], 10_001, 5),
        (worse["id"], 10_002, 2),
    ]


def test_book_is_never_crossed(exchange: Exchange) -> None:
    """Orders that could trade with each other never rest side by side."""
    for price in (10_000, 10_002, 10_001):
        exchange.place("buy", price=price, quantity=1)
        exchange.place("sell", price=price - 1, quantity=2)
    book = exchange.book()
    best = [book[side][0].price for side in ("bids", "asks") if book[side]]
    assert len(best) < 2 or best[0] < best[1], f"the book is crossed: bid {best[0]}, ask {best[1]}"


def test_fok_trades_whole_or_not_at_all(exchange: Exchange) -> None:
    """A fill-or-kill order that finds too little takes nothing."""
    exchange.place("sell", price=10_000, quantity=3)
    missed = exchange.place("buy", price=10_000, quantity=4, kind="fok")
    assert (missed["status"], missed["filled"]) == ("cancelled", 0)
    assert exchange.place("buy", price=10_000, quantity=3, kind="fok")["filled"] == 3


def test_replaced_order_stands_at_its_new_price(exchange: Exchange) -> None:
    """A replace moves an order, and one that crosses trades."""
    order = exchange.place("buy", price=9_990, quantity=5)
    exchange.replace(order["id"], price=9_991, quantity=7)
    assert exchange.book()["bids"] == [Level(price=9_991, quantity=7, orders=1)]
    exchange.place("sell", price=9_995, quantity=7)
    assert exchange.replace(order["id"], price=9_995, quantity=7)["status"] == "filled"


def test_batch_is_answered_order_by_order(exchange: Exchange) -> None:
    """One bad order of a batch does not take the others with it."""
    good = {"side": "buy", "type": "limit", "price": 10_000, "quantity": 1}
    orders = [exchange.order(**good), exchange.order(**{**good, "quantity": 0}), exchange.order(**good)]
    said = [result["status"] for result in exchange.place_batch(orders)]
    assert said == ["resting", "rejected", "resting"]


def test_retired_field_is_refused(exchange: Exchange) -> None:
    """A field that no order has any more is refused, and moves nothing: old code must not wake up."""
    answer = exchange.try_order(power_peg=1)
    assert answer.status_code == 400, (
        f"an order with the retired field power_peg was answered {answer.status_code}: {answer.text}"
    )
    assert exchange.book() == {"bids": [], "asks": []}


def test_ioc_leaves_nothing_on_the_book(exchange: Exchange) -> None:
    """What an immediate-or-cancel order cannot take at once is gone."""
    exchange.place("sell", price=10_000, quantity=3)
    taken = exchange.place("buy", price=10_000, quantity=10, kind="ioc")
    assert taken["filled"] == 3
    assert exchange.book() == {"bids": [], "asks": []}


def test_cancelled_order_leaves_the_book(exchange: Exchange) -> None:
    """After an acknowledged cancel the order is not there any more."""
    order = exchange.place("buy", price=9_999, quantity=7)
    exchange.cancel(order["id"])
    assert exchange.book()["bids"] == [], f"order {order['id']} was cancelled and still rests on the book"


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        pytest.param({"quantity": 0}, 422, id="zero-quantity"),
        pytest.param({"price": -1}, 422, id="negative-price"),
        pytest.param({"trader": "mallory"}, 422, id="unknown-trader"),
        pytest.param({"side": "both"}, 400, id="unknown-side"),
        pytest.param({"price": None}, 400, id="no-price"),
        pytest.param({"trader": None}, 400, id="no-trader"),
    ],
)
def test_bad_order_is_refused_with_a_reason(
    exchange: Exchange, fields: dict[str, object], status: int
) -> None:
    """A bad order is refused, says why, and leaves the book as it was."""
    answer = exchange.try_order(**fields)
    assert answer.status_code == status, answer.text
    assert answer.json().get("reason") or answer.json().get("message"), f"no reason: {answer.text}"
    assert exchange.book() == {"bids": [], "asks": []}


def test_metrics_count_what_happened(gate_service: GateService, exchange: Exchange) -> None:
    """The scrape agrees with what this test did."""
    first = exchange.place("buy", price=10_000, quantity=1)
    exchange.place("sell", price=10_000, quantity=1)
    exchange.place("buy", price=9_000, quantity=first["id"])
    metrics = gate_service.metrics()
    assert metrics.value("engine_orders_total", outcome="accepted") == 3
    assert metrics.value("engine_fills_total") == 1
    assert metrics.value("engine_order_latency_seconds_count") == 3
    assert metrics.value("engine_ready") == 1
