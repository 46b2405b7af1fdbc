"""How many users there are at which time: the plan's phases, or the locustfile's own shape."""

from __future__ import annotations

import math
from time import monotonic
from typing import Any

import gevent
from gevent.greenlet import Greenlet
from locust import LoadTestShape
from locust.env import Environment
from locust.runners import MasterRunner, Runner

from release_gates.probes.load.plan import Phase, Plan

ALIVE = 0.99
"""With fewer of its users than that, a run is not the one that was asked for."""
LOOSE_S = 5.0
"""locust asks a shape once a second: so far its end may be from the profile's."""
JUMP_S = 0.2
"""So long a phase waits for the users that it begins with, before it adds others."""


class Conductor:
    """Starts and stops users until the plan is over. ``trouble`` is a sentence where that cannot be."""

    def __init__(self, environment: Environment, plan: Plan) -> None:
        assert environment.runner is not None
        self._runner: Runner = environment.runner
        self._plan = plan
        self._origin_s = math.inf
        self._late = ""
        self._steps: Greenlet[[], None] | None = None
        self._spawning: Greenlet[..., None] | None = None
        self._shape = None if environment.shape_class is None else Shape(environment.shape_class)

    def begin(self, origin_s: float) -> None:
        """Start the first users; ``origin_s`` of the monotonic clock is the run's start."""
        self._origin_s = origin_s
        if self._shape is None:
            self._steps = gevent.spawn(self._phases)
        else:
            self._runner.start_shape()

    def end(self) -> None:
        """Start and stop no more users."""
        for greenlet in (self._steps, self._spawning, self._runner.shape_greenlet):
            if greenlet is not None:
                greenlet.kill()

    def over(self) -> bool:
        """Tell whether the plan is over; a shape is, within bounds, when it says so."""
        if self._shape is None:
            return self._steps is not None and self._steps.successful()
        ended_s = self._shape.ended_s
        return ended_s is not None and abs(ended_s - self._origin_s - self._plan.seconds) <= LOOSE_S

    def trouble(self, now_s: float) -> str:
        """Return a sentence where users came late, or a shape is no match for the phases, which judge it."""
        if self._shape is None:
            failed = self._steps is not None and self._steps.ready() and not self._steps.successful()
            return "users could not be started: the traceback is in the log" if failed else self._late
        if self.over():
            return ""
        whole_s = self._plan.seconds
        advice = f"let its tick() return None after {whole_s:g} s, or change the phases"
        if (ended_s := self._shape.ended_s) is not None:
            return f"{self._shape}: ended after {ended_s - self._origin_s:.1f} of {whole_s:g} s; {advice}"
        if now_s - self._origin_s > whole_s + LOOSE_S:
            return f"{self._shape}: goes on after the {whole_s:g} s of the phases; {advice}"
        return ""

    def _phases(self) -> None:
        end_s, there = self._origin_s, 0
        for phase in self._plan.phases:
            first, last = self._users(phase)
            if first != there:
                self._start(first, max(first, there)).join(JUMP_S)
            if last != first:
                self._start(last, abs(last - first) / phase.seconds)
            end_s, there = end_s + phase.seconds, last
            gevent.sleep(max(end_s - monotonic(), 0))
            self._check(phase, last)

    def _check(self, phase: Phase, users: int) -> None:
        """See at a phase's end whether all of its users are there; only stopping them may take longer."""
        there = self._runner.user_count
        if there < ALIVE * users:
            self._late = self._late or (
                f"phase {phase.tag}: {there} of {users} users at its end; the generator could not start them "
                "in time: give the ramp more seconds, or the profile more processes"
            )

    def _users(self, phase: Phase) -> tuple[int, int]:
        """Return a phase's users at its start and end; a rate alone is that of all connections."""
        first = phase.users if phase.users or phase.users_end is not None else self._plan.connections
        return first, first if phase.users_end is None else phase.users_end

    def _start(self, users: int, per_s: float) -> Greenlet[..., Any]:
        """Let locust spawn or stop users; a master's start lasts as long as that, a local one's does not."""
        if not isinstance(self._runner, MasterRunner):
            self._runner.start(users, per_s)
            assert self._runner.spawning_greenlet is not None
            return self._runner.spawning_greenlet
        if self._spawning is not None:
            self._spawning.kill()
        self._spawning = gevent.spawn(self._runner.start, users, per_s)
        return self._spawning


class Shape:
    """Notes when a shape has ended; until we stop the users ourselves, they stay as it left them.

    locust would stop the test at once, and with it what is still on its way.
    """

    def __init__(self, shape: LoadTestShape) -> None:
        self.ended_s: float | None = None
        self._name = type(shape).__name__
        self._tick = shape.tick
        self._last: Any = (0, 1)
        shape.tick = self._noted  # type: ignore[method-assign]

    def __str__(self) -> str:
        return f"shape {self._name}"

    def _noted(self) -> Any:
        tick = None if self.ended_s is not None else self._tick()
        if tick is not None:
            self._last = tick
        elif self.ended_s is None:
            self.ended_s = monotonic()
        return self._last
