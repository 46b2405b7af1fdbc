"""One connection: bytes to a codec, whole answers to the user who waits for one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from release_gates.probes.load.open.codec import BadAnswer, Codec

if TYPE_CHECKING:
    from release_gates.probes.load.open.user import User


class Link(asyncio.Protocol):
    """A connection. ``usable`` is done once requests may be sent; then it gets its ``user``.

    After ``close`` nothing that still comes concerns anybody.
    """

    __slots__ = ("_decode", "_transport", "codec", "usable", "user")

    def __init__(self, codec: Codec, usable: asyncio.Future[None]) -> None:
        self.codec = codec
        self.usable = usable
        self.user: User | None = None
        self._decode = codec.decode
        self._transport: asyncio.Transport | None = None

    @property
    def is_open(self) -> bool:
        """Whether anything can still be sent and come."""
        return self._transport is not None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Let the protocol begin; see asyncio."""
        self._transport = cast("asyncio.Transport", transport)
        self._go_on()

    def send(self, wire: bytes) -> None:
        """Send some bytes."""
        if self._transport is not None:
            self._transport.write(wire)

    def data_received(self, data: bytes) -> None:
        """Hand over an answer when it is whole, to the user who waits for it; see asyncio."""
        if self._transport is None:
            return
        try:
            answer = self._decode(data)
        except BadAnswer as error:
            self._broken(error)
            return
        if self.codec.outgoing or self.user is None:
            self._go_on()
        if answer is not None:
            user = self.user
            if user is not None and user.waits:
                user.answered(answer)
            else:
                self._broken(BadAnswer("an answer to no request"))

    def connection_lost(self, error: Exception | None) -> None:
        """Hand over the answer that ends with the connection, or say that there is none; see asyncio."""
        user, was_open = self.user, self.is_open
        self._transport = self.user = None
        if not self.usable.done():
            self.usable.set_exception(error or ConnectionResetError("closed before the protocol had begun"))
        elif user is not None and was_open:
            user.lost(None if error else self.codec.ended(), str(error or "closed"))

    def close(self) -> None:
        """Give the connection up, at once."""
        transport, self._transport, self.user = self._transport, None, None
        self.usable.cancel()
        if transport is not None:
            transport.abort()

    def _go_on(self) -> None:
        codec = self.codec
        if codec.outgoing:
            self.send(bytes(codec.outgoing))
            codec.outgoing.clear()
        if codec.ready and not self.usable.done():
            self.usable.set_result(None)

    def _broken(self, error: BadAnswer) -> None:
        if not self.usable.done():
            self.usable.set_exception(ConnectionAbortedError(str(error)))
        user = self.user
        self.close()
        if user is not None:
            user.broken(str(error))
