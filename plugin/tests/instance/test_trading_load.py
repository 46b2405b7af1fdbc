"""The reference system's traffic: unique ids, cancels that find their order, and a small book."""

from __future__ import annotations

import itertools
import json
from collections import Counter

import pytest

from fixtures import trading_load
from release_gates.probes.load.traffic import Answer, Request

TRAFFICS = [trading_load.order_entry, trading_load.cancel, trading_load.book_query, trading_load.mixed]
ACCEPTED, LOST = Answer(201, b""), Answer(0, b"")

every_traffic = pytest.mark.parametrize("traffic", TRAFFICS, ids=lambda traffic: traffic.__name__)


class Book:
    """Plainly what an exchange does with these orders: best price first, then the oldest."""

    def __init__(self):
        self.resting = {}
        self.ids = set()

    def answer(self, request: Request) -> Answer:
        """Return what the gateway would, and fail on an id that comes twice."""
        if request.method == "GET":
            return Answer(200, b"")
        if request.method == "DELETE":
            return Answer(200 if self.resting.pop(int(request.path.rpartition("/")[2]), None) else 404, b"")
        order = json.loads(request.body)
        assert order["id"] not in self.ids
        self.ids.add(order["id"])
        self.match(order)
        return ACCEPTED

    def match(self, order) -> None:
        """Trade the order away with one on the other side, or let it rest: all are of one size."""
        sign = 1 if order["side"] == "buy" else -1
        others = [each for each in self.resting.values() if each["side"] != order["side"]]
        within = [each for each in others if sign * (order["price"] - each["price"]) >= 0]
        if within:
            del self.resting[min(within, key=lambda each: (sign * each["price"], each["id"]))["id"]]
        else:
            self.resting[order["id"]] = order


def run(traffic, book, *, connections, rounds, answer=None):
    """Let each connection in turn ask one request; return all of them and the largest size of the book."""
    users = [traffic(connection) for connection in range(connections)]
    requests = [next(user) for user in users]
    asked, largest = [], 0
    for _, user in itertools.product(range(rounds), range(connections)):
        request = requests[user]
        said = (answer or book.answer)(request)
        asked.append((request, said))
        largest = max(largest, len(book.resting))
        requests[user] = users[user].send(said)
    return asked, largest


@every_traffic
def test_every_request_gets_the_status_that_it_expects(traffic):
    asked, _ = run(traffic, Book(), connections=7, rounds=120)
    assert {request.status == said.status for request, said in asked} == {True}


@every_traffic
def test_the_book_stays_as_small_as_the_number_of_connections(traffic):
    book = Book()
    _, largest = run(traffic, book, connections=16, rounds=150)
    _, later = run(traffic, book, connections=16, rounds=150)
    assert largest <= 2 * 16
    assert later <= 4 * 16  # the first run ended in the middle


def test_orders_trade_as_often_as_they_rest():
    book = Book()
    asked, _ = run(trading_load.order_entry, book, connections=1, rounds=100)
    prices = {json.loads(request.body)["price"] for request, _ in asked}
    assert not book.resting
    assert {request.endpoint for request, _ in asked} == {"order_entry"}
    assert len(prices) == 2 * trading_load.NEAR


def test_what_is_cancelled_was_placed_just_before():
    asked, _ = run(trading_load.cancel, Book(), connections=1, rounds=20)
    for (place, _), (cancel, _) in zip(asked[::2], asked[1::2], strict=True):
        assert (place.endpoint, cancel.endpoint) == ("order_entry", "cancel")
        assert cancel.path == f"/orders/{json.loads(place.body)['id']}"


@pytest.mark.parametrize("connection", [0, 1, 14, 15, 4_999])
def test_a_mix_is_60_orders_25_cancels_15_queries(connection):
    user, book = trading_load.mixed(connection), Book()
    asked = [next(user)]
    while len(asked) < 200:
        asked.append(user.send(book.answer(asked[-1])))
    assert Counter(each.endpoint for each in asked) == {"order_entry": 120, "cancel": 50, "book": 30}


def test_lost_and_refused_orders_do_not_fill_the_book_with_one_side():
    """Every fourth order is lost: without a memory of what was accepted, all of them would be on one side."""
    book, numbers = Book(), itertools.count(1)

    def lossy(request):
        return LOST if next(numbers) % 4 == 0 else book.answer(request)

    _, largest = run(trading_load.order_entry, book, connections=1, rounds=800, answer=lossy)
    assert largest <= 2


def test_an_order_that_was_not_taken_is_not_cancelled():
    user = trading_load.cancel(0)
    first = next(user)
    assert user.send(Answer(503, b"")).method == "POST"
    assert first.method == "POST"


def test_ids_of_connections_and_of_later_runs_differ():
    runs = [
        set(itertools.islice(trading_load.order_ids(connection), 1_000))
        for _ in range(2)
        for connection in (0, 1, 5_000, trading_load.MOST_CONNECTIONS - 1)
    ]
    assert len(set().union(*runs[:4])) == 4_000
    assert max(max(ids) for ids in runs) < 2**63
    assert min(runs[4]) > min(runs[0])


@pytest.mark.parametrize("connection", [-1, trading_load.MOST_CONNECTIONS])
def test_a_connection_that_would_share_ids_is_refused(connection):
    with pytest.raises(ValueError, match=f"connection {connection}: must be from 0 to 32767"):
        trading_load.order_ids(connection)
