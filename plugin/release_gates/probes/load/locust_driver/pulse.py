"""How well this process keeps up: how late its timers come, and how much of a processor it uses."""

from __future__ import annotations

from time import monotonic, process_time

import gevent
from gevent.socket import wait_read

from release_gates.probes.load.open.timer import Timer
from release_gates.probes.load.recorder import Recorder

TICK_S = 0.01


class Pulse:
    """A timer of 10 ms beside the users, and a look at the processor's clock whenever it is asked."""

    def __init__(self, recorder: Recorder, origin_s: float) -> None:
        self._recorder = recorder
        self._origin_s = origin_s
        self._due_s = origin_s + TICK_S
        self._cpu_s, self._wall_s = process_time(), monotonic()
        gevent.spawn(self._beat)

    def look(self, now_s: float) -> None:
        """Note the processor time since the last look, and beats that are late by now."""
        cpu_s = process_time()
        self._recorder.ran(now_s - self._origin_s, cpu_s - self._cpu_s, now_s - self._wall_s)
        self._cpu_s, self._wall_s = cpu_s, now_s
        self._note(now_s)

    def _beat(self) -> None:
        timer = Timer()
        while True:
            timer.set(self._due_s)
            wait_read(timer.descriptor)
            self._note(monotonic())

    def _note(self, now_s: float) -> None:
        """Note how late each beat comes, also those that a longer delay swallowed."""
        while self._due_s <= now_s:
            self._recorder.lagged(self._due_s - self._origin_s, now_s - self._due_s)
            self._due_s += TICK_S
