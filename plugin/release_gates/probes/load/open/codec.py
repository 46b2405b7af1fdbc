"""How requests and answers are framed on a connection."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

from release_gates.probes.load.open.target import Target
from release_gates.probes.load.traffic import Answer, Request


class BadAnswer(Exception):
    """What came is no answer of this protocol; the connection is given up."""


class Codec(ABC):
    """The protocol of one connection: bytes in, bytes out, no I/O. Each new connection gets a new one.

    What the protocol itself has to send (a logon, a WebSocket's upgrade, an answer to a heartbeat) goes into
    ``outgoing`` at any time, also when it is made, and is sent at once. No request is sent before ``ready``.
    Where ``reusable`` is False after an answer, the connection is closed and the next request gets a new one.
    """

    __slots__ = ("outgoing", "ready", "reusable", "target")

    def __init__(self, target: Target) -> None:
        self.target = target
        self.ready = self.reusable = True
        self.outgoing = bytearray()

    @abstractmethod
    def encode(self, request: Request) -> bytes:
        """Return a request as it travels; ValueError for one that cannot be sent (the run fails)."""

    @abstractmethod
    def decode(self, data: bytes) -> Answer | None:
        """Take any piece of what came; return the answer if it is whole now.

        There is one request on its way at most, so what holds two answers, what is no answer and what has no
        bound raise BadAnswer. Messages that nobody asked for (heartbeats) are the codec's own affair.
        """

    def ended(self) -> Answer | None:
        """Return the answer that the end of the connection completes; None where it is only half there."""
        return None


Codecs = Callable[[Target], Codec]
