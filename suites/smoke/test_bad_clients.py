"""What a broken or hostile client sends gets a 4xx or a closed connection, and the service lives on."""

import socket

import pytest

from fixtures.exchange import Exchange
from release_gates.probes.service.fixtures import GateService

pytestmark = pytest.mark.gate("smoke")

REQUESTS = {
    "garbage": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "no-such-method": b"BREW /orders HTTP/1.1\r\nHost: x\r\n\r\n",
    "bad-length": b"POST /orders HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
    "broken-json": b'POST /orders HTTP/1.1\r\nHost: x\r\nContent-Length: 7\r\n\r\n{"id":1',
    "oversized-header": b"GET /health HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 20_000 + b"\r\n\r\n",
    "oversized-body": b"POST /orders HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999\r\n\r\n" + b"a" * 70_000,
    "half-closed": b"POST /orders HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{",
}


@pytest.mark.parametrize("request_bytes", REQUESTS.values(), ids=REQUESTS)
def test_bad_request_is_refused(gate_service: GateService, exchange: Exchange, request_bytes: bytes) -> None:
    """A 4xx or a closed connection, never a hang; afterwards an order is taken as before."""
    url = gate_service.client.base_url
    with socket.create_connection((url.host, url.port or 80), timeout=10) as connection:
        answer = exchanged(connection, request_bytes)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 4"), answer[:80]
    exchange.place("buy", price=10_000, quantity=1)


def exchanged(connection: socket.socket, data: bytes) -> bytes:
    """Send everything, close the sending half, and return what comes back until the end."""
    answer = b""
    try:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        while part := connection.recv(65536):
            answer += part
    except ConnectionError:
        pass  # the service hung up while we were still sending: that is a refusal
    return answer


def test_slow_request_is_cut_off(gate_service: GateService, exchange: Exchange) -> None:
    """A client that never ends its request loses its connection and blocks nobody."""
    url = gate_service.client.base_url
    with socket.create_connection((url.host, url.port or 80), timeout=15) as connection:
        connection.sendall(b"POST /orders HTTP/1.1\r\nHost: x\r\n")
        exchange.place("buy", price=10_000, quantity=1)
        answer = connection.recv(65536)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 4"), answer[:80]
