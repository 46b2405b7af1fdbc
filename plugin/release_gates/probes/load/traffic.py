"""What people write who say what the open driver sends.

A traffic is a function that gets the number of a connection and is a generator of requests; it gets each
answer back, so that an order can be cancelled by the id that the exchange gave it::

    def place_and_cancel(connection: int) -> Generator[Request, Answer, None]:
        for number in itertools.count():
            order = f"{connection}-{number}"
            yield Request("order_entry", "POST", "/orders", body=order.encode(), status=201)
            yield Request("cancel", "DELETE", f"/orders/{order}")
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import NamedTuple


class Request(NamedTuple):
    """One request, and what its answer has to be.

    ``endpoint`` is the first part of the measurements' names (``order_entry.p99``). An answer that has
    another ``status``, another ``length`` of its body, or not ``contains`` in it, is a failed request. On
    plain TCP the codec gets the request and decides what it means.
    """

    endpoint: str
    method: str = "GET"
    path: str = "/"
    body: bytes = b""
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    contains: bytes = b""
    length: int | None = None


class Answer(NamedTuple):
    """What came back; status 0 without a body where the request failed on its way."""

    status: int
    body: bytes


Traffic = Callable[[int], Generator[Request, Answer, None]]
