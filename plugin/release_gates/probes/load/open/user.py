"""One user: a generator of requests, its connection, and the request that is on its way."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Generator
from time import monotonic
from typing import TYPE_CHECKING

from release_gates.probes.load.open.link import Link
from release_gates.probes.load.open.loading import checked, failed_traffic, first_request
from release_gates.probes.load.open.refusal import CannotRun
from release_gates.probes.load.recorder import FailureKind
from release_gates.probes.load.traffic import Answer, Request

if TYPE_CHECKING:
    from release_gates.probes.load.open.driver import Driver

NO_ANSWER = Answer(0, b"")


class User:
    """Asks one request at a time. ``request`` is what it waits for, or would ask next.

    ``deadline_s`` is when it gives up, in seconds of the run; infinite where it waits for nothing. ``anew``
    says that the request has to open a connection, which is counted when the request is: when it ends.
    """

    __slots__ = (
        "_driver",
        "_resume",
        "anew",
        "channel",
        "connecting",
        "deadline_s",
        "intended_s",
        "link",
        "number",
        "request",
        "waits",
    )

    def __init__(self, number: int, requests: Generator[Request, Answer, None], driver: Driver) -> None:
        self.number = number
        self._resume = requests.send
        self._driver = driver
        self.link: Link | None = None
        self.connecting: asyncio.Task[None] | None = None
        self.waits = self.anew = False
        self.intended_s = 0.0
        self.deadline_s = math.inf
        self.request = first_request(requests)
        self.channel = driver.channel(self.request.endpoint)

    def ask(self, intended_s: float) -> None:
        """Send the request that is next, on a new connection where there is none."""
        self.waits = True
        self.intended_s = intended_s
        self.deadline_s = intended_s + self._driver.timeout_s
        if self.link is None:
            self.anew = True
            self._driver.reconnect(self)
        else:
            self._send(self.link)

    def connected(self, link: Link) -> None:
        """Take a connection that may be used, and send on it what waits."""
        self.link, link.user = link, self
        if self.waits:
            self._send(link)

    def answered(self, answer: Answer) -> None:
        """Note an answer, and whether it is what it should be; go on."""
        now_s, channel = monotonic() - self._driver.started_s, self.channel
        if (kind := fault(self.request, answer)) is None:
            channel.sent(self.intended_s)
            channel.took(now_s - self.intended_s)
            if self.anew:
                self._note_anew()
        else:
            self._failed(kind, f"{answer.status}, {len(answer.body)} bytes: {answer.body[:100]!r}")
        link = self.link
        if link is not None and not link.codec.reusable:
            self._drop()
        self._go_on(answer, now_s)

    def failed(self, kind: FailureKind, what: str = "") -> None:
        """Note that the request has no answer, and go on; its connection is of no more use."""
        self._drop()
        self._failed(kind, what)
        self._go_on(NO_ANSWER, self._driver.now())

    def lost(self, answer: Answer | None, what: str) -> None:
        """Learn that the connection is closed; its end may complete an answer."""
        self.link = None
        if self.waits and answer is not None:
            self.answered(answer)
        elif self.waits:
            self.failed("connection", what)

    def broken(self, what: str) -> None:
        """Learn that what came is no answer, or was not asked for, which is a failure of its own."""
        if self.waits:
            self.failed("protocol", what)
        else:
            self._drop()
            self.intended_s = max(self._driver.now(), 0.0)
            self._failed("protocol", what)

    def expired(self) -> None:
        """Learn that the time for an answer, or for a connection, is over."""
        if self.connecting is not None:
            self.connecting.cancel()
            self.connecting = None
        self.failed("timeout", "no answer in time")

    def _note_anew(self) -> None:
        self.anew = False
        self.channel.reconnected(self.intended_s)

    def _failed(self, kind: FailureKind, what: str) -> None:
        self.channel.failed(self.intended_s, kind)
        if self.anew:
            self._note_anew()
        self._driver.log.note(self.request, kind, what)

    def _send(self, link: Link) -> None:
        try:
            link.send(link.codec.encode(self.request))
        except ValueError as error:
            self._driver.give_up(CannotRun(f"the traffic asks what cannot be sent: {error}"))

    def _drop(self) -> None:
        link, self.link = self.link, None
        if link is not None:
            link.close()

    def _go_on(self, answer: Answer, now_s: float) -> None:
        self.waits = False
        self.deadline_s = math.inf
        try:
            request = self._resume(answer)
            if request is not self.request:
                self._turn_to(request)
        except CannotRun as error:
            self._driver.give_up(error)
        except (Exception, SystemExit) as error:  # noqa: BLE001  the user's code, whatever it raises
            self._driver.give_up(failed_traffic(error))
        else:
            self._driver.free(self, now_s)

    def _turn_to(self, request: object) -> None:
        before, self.request = self.request, checked(request)
        if self.request.endpoint != before.endpoint:
            self.channel = self._driver.channel(self.request.endpoint)


def fault(request: Request, answer: Answer) -> FailureKind | None:
    """Tell in what an answer is not what its request asks for; None where it is."""
    if answer.status != request.status:
        return "status"
    if request.length is not None and len(answer.body) != request.length:
        return "length"
    if request.contains and request.contains not in answer.body:
        return "body"
    return None
