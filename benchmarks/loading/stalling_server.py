"""A server of known latencies: 5 ms for a request, and no answer in the first 200 ms of each second.

``python -m benchmarks.loading.stalling_server`` prints its port.
"""

from __future__ import annotations

import asyncio
import time

SERVICE_S, STALL_S, EVERY_S = 0.005, 0.2, 1.0
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def truth_s(quantile: float) -> float:
    """Return the quantile of the latency of requests that come evenly over time.

    A request whose service ends v seconds after a stall has begun is answered at the stall's end, so that it
    takes SERVICE_S + STALL_S - v: a share of (SERVICE_S + STALL_S - x) / EVERY_S takes longer than x.
    """
    over = 1 - quantile
    return SERVICE_S + STALL_S - over * EVERY_S if over < STALL_S / EVERY_S else SERVICE_S


class Server(asyncio.Protocol):
    """One connection with one request at a time."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember how to answer; see asyncio."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, _data: bytes) -> None:
        """Answer when the service is done and no stall lasts; see asyncio."""
        done_s = time.monotonic() + SERVICE_S
        done_s += max(STALL_S - done_s % EVERY_S, 0)
        asyncio.get_running_loop().call_later(done_s - time.monotonic(), self._transport.write, ANSWER)


async def serve() -> None:
    """Serve until killed."""
    server = await asyncio.get_running_loop().create_server(Server, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve())
