"""Sends what is due when it is due: who is free takes the oldest arrival, nobody waits for an answer."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from time import monotonic

from release_gates.probes.load.open.connector import Connector
from release_gates.probes.load.open.failure_log import FailureLog
from release_gates.probes.load.open.loading import requests_of
from release_gates.probes.load.open.refusal import CannotRun
from release_gates.probes.load.open.schedule import arrivals, users_at
from release_gates.probes.load.open.timer import Timer
from release_gates.probes.load.open.user import User
from release_gates.probes.load.plan import Plan
from release_gates.probes.load.recorder import Channel, FailureKind, Recorder
from release_gates.probes.load.traffic import Traffic

SWEEP_S = 0.05
"""How often is looked for what is over: answers that do not come, phases."""
TOGETHER_S = 50e-6
"""Arrivals so near to each other leave together: waking for each would cost more than it tells."""
AT_ONCE = 64
"""A generator that is behind sends so many before it looks at answers, or whether it shall stop."""
MOST_ENDPOINTS = 1000
REST_S = 0.1
"""How long a closed-loop user rests who cannot connect: nobody asks for refusals by the thousand."""


class Driver:
    """One run; times in seconds since its start. ``over`` is done when everything was sent and answered.

    An arrival finds a user who is free, or waits until one is (the backlog); its latency counts from when it
    was due all the same. One that is still waiting after ``timeout_s`` is a failure ("late"), as is one that
    finds the backlog full ("dropped") or is left when the run is stopped ("unsent"). Such an arrival has no
    request, so the endpoint of what the users ask at that time, in turn, gets it.
    """

    def __init__(self, plan: Plan, connector: Connector, traffic: Traffic, recorder: Recorder) -> None:
        self.recorder = recorder
        self.log = FailureLog()
        self.timeout_s = plan.timeout_s
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._plan = plan
        self._endpoints: set[str] = set()
        self._connector = connector
        self.users = tuple(
            User(number, requests_of(traffic, number), self) for number in range(plan.connections)
        )
        self._idle = deque(self.users)
        self._backlog: deque[float] = deque()
        self._arrivals = arrivals(plan.phases)
        self._missed = 0
        self._overslept = False
        self._due = self._sweep_due = math.inf
        self._closed_users, self._phase_end = 0, 0.0
        self._timer = Timer()
        self.started_s = math.inf

    def now(self) -> float:
        """Return the seconds since the run's start."""
        return monotonic() - self.started_s

    def start(self) -> float:
        """Begin; return the time of the host's monotonic clock that is second 0."""
        self.started_s = monotonic()
        self._due, self._sweep_due = next(self._arrivals, math.inf), 0.0
        asyncio.get_running_loop().add_reader(self._timer.descriptor, self._wake)
        self._wake()
        return self.started_s

    def channel(self, endpoint: str) -> Channel:
        """Return where an endpoint's samples go; CannotRun for traffic that makes up ever new ones."""
        if endpoint not in self._endpoints:
            if not isinstance(endpoint, str) or not endpoint or len(self._endpoints) >= MOST_ENDPOINTS:
                raise CannotRun(
                    f"the traffic asks endpoint {endpoint!r:.80}: must be a name, and one of "
                    f"{MOST_ENDPOINTS} at most; what differs from request to request belongs into the path"
                )
            self._endpoints.add(endpoint)
        return self.recorder.channel(endpoint)

    def free(self, user: User, now_s: float) -> None:
        """Take a user who waits for nothing: the oldest arrival is theirs."""
        if self._due <= now_s:
            self._arrive_all()
        backlog = self._backlog
        while backlog:
            intended_s = backlog.popleft()
            if now_s - intended_s < self.timeout_s:
                user.ask(intended_s)
                return
            user.channel.failed(intended_s, "late")
        if now_s >= self._phase_end:
            self._enter_phase(now_s)
        if user.number < self._closed_users:
            user.ask(now_s)
        else:
            self._idle.append(user)

    def reconnect(self, user: User) -> None:
        """Make a connection for a user who has a request to send."""
        user.connecting = asyncio.get_running_loop().create_task(self._reconnect(user))

    def give_up(self, error: BaseException) -> None:
        """End the run: it cannot go on."""
        if not self.over.done():
            self.over.set_exception(error)

    def close(self) -> None:
        """Let go of everything; arrivals that still wait are failures."""
        asyncio.get_running_loop().remove_reader(self._timer.descriptor)
        self._timer.close()
        while self._backlog:
            self._miss(self._backlog.popleft(), "unsent")

    async def _reconnect(self, user: User) -> None:
        try:
            link = await self._connector.connect()
        except OSError as error:
            if self._closed_users:
                await asyncio.sleep(REST_S)
            user.connecting = None
            user.failed("connection", f"no connection: {error or type(error).__name__}")
        else:
            user.connecting = None
            user.connected(link)

    def _wake(self) -> None:
        now_s = self.now()
        if self._sweep_due <= now_s:
            self._sweep(now_s)
        if self._due <= now_s:
            self._arrive_all()
        next_s = max(min(self._due, self._sweep_due), self.now() + TOGETHER_S)
        self._timer.set(self.started_s + next_s)

    def _arrive_all(self) -> None:
        for _ in range(AT_ONCE):
            now_s, due_s = self.now(), self._due
            if due_s > now_s:
                return
            self._due = next(self._arrivals, math.inf)
            self._arrive(due_s, now_s)

    def _arrive(self, due_s: float, now_s: float) -> None:
        self.recorder.asked(due_s)
        if now_s - due_s >= self.timeout_s:
            self._miss(due_s, "late")
            return
        self.recorder.offered(due_s, now_s - due_s)
        if self._idle:
            self._idle.popleft().ask(due_s)
        elif len(self._backlog) < self._plan.backlog:
            self._backlog.append(due_s)
        else:
            self._miss(due_s, "dropped")

    def _miss(self, intended_s: float, kind: FailureKind) -> None:
        self._missed += 1
        self.users[self._missed % len(self.users)].channel.failed(intended_s, kind)

    def _sweep(self, now_s: float) -> None:
        """Look for what is over; at the very end that is the run, as everything has a deadline."""
        lag_s = now_s - self._sweep_due
        if self._closed_users:
            self.recorder.lagged(now_s, lag_s)
        self._sweep_due += SWEEP_S * math.ceil(lag_s / SWEEP_S + 1e-9)
        self._overslept = lag_s > SWEEP_S and not self._overslept
        if not self._overslept:  # else answers may have come long ago: they are read first
            for user in [user for user in self.users if user.deadline_s <= now_s]:
                user.expired()
        while self._backlog and now_s - self._backlog[0] >= self.timeout_s:
            self._miss(self._backlog.popleft(), "late")
        self._enter_phase(now_s)
        if now_s >= self._plan.seconds and self._due == math.inf and len(self._idle) == len(self.users):
            self._finish()

    def _enter_phase(self, now_s: float) -> None:
        """Learn how many closed-loop users there are now, and let those begin who wait for nothing."""
        self._closed_users, self._phase_end = users_at(self._plan.phases, now_s)
        if self._closed_users:
            idle, self._idle = self._idle, deque()
            for user in idle:
                if user.number < self._closed_users:
                    user.ask(now_s)
                else:
                    self._idle.append(user)

    def _finish(self) -> None:
        if not self.over.done():
            self.over.set_result(None)
