"""What the open driver sends where its speed and accuracy are measured."""

from __future__ import annotations

from collections.abc import Generator

from release_gates.probes.load.traffic import Answer, Request

BODY = b'{"symbol":"AAPL","side":"buy","type":"limit","price":100,"quantity":5}'


def get(_user: int) -> Generator[Request, Answer, None]:
    """Ask for what costs the target least."""
    request = Request("get", path="/health")
    while True:
        yield request


def post(_user: int) -> Generator[Request, Answer, None]:
    """Send the size of an order, and look at the answer."""
    request = Request("post", "POST", "/echo", body=BODY, contains=b"AAPL", length=len(BODY))
    while True:
        yield request
