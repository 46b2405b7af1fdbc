"""All that one process notes of the users that it runs, alone or as a worker."""

from __future__ import annotations

from time import monotonic
from typing import Any

import gevent
from locust.env import Environment
from locust.runners import STATE_CLEANUP, STATE_STOPPED, STATE_STOPPING, Runner

from release_gates.probes.load.frames import Progress
from release_gates.probes.load.locust_driver import engine
from release_gates.probes.load.locust_driver.conductor import ALIVE
from release_gates.probes.load.locust_driver.pulse import Pulse
from release_gates.probes.load.locust_driver.samples import Samples
from release_gates.probes.load.plan import BLOCK_S, Plan
from release_gates.probes.load.recorder import Recorder

LEAVING_S = 1.0
"""So long users have to leave after all answers were due."""


class Notes:
    """Samples, pulse, and whether the users that were asked for are there."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._recorder = Recorder(plan.thresholds)
        self._samples = Samples(self._recorder, plan.timeout_s, plan.target)
        self._pulse: Pulse | None = None
        self._origin_s = 0.0
        self._ending = False
        engine.listen(self._samples)

    def begin(self, origin_s: float) -> None:
        """Note from now on; ``origin_s`` of the monotonic clock is the run's start."""
        self._origin_s = origin_s
        self._samples.begin(origin_s)
        self._pulse = Pulse(self._recorder, origin_s)

    def progress(self) -> Progress:
        """Return what was noted since the last time."""
        now_s = monotonic()
        if self._pulse is not None:
            self._pulse.look(now_s)
        return self._recorder.frame(now_s - self._origin_s)

    def trouble(self, runner: Runner) -> str:
        """Return why this is not the run that was asked for; "" if it is."""
        return self._samples.trouble or engine.broken() or ("" if self._ending else _deserted(runner))

    def conclude(self, environment: Environment, grace_s: float) -> None:
        """Let users finish what they asked within ``grace_s`` seconds, and count those who could not."""
        self._ending = True
        runner = environment.runner
        assert runner is not None
        environment.stop_timeout = grace_s + LEAVING_S if grace_s else 0.0
        waiting = gevent.spawn_later(grace_s, self._waiting, runner) if grace_s else None
        runner.stop()
        if waiting is not None and waiting.ready():
            # In the last block of the run, so that some phase is judged by it.
            last_s = min(monotonic() - self._origin_s, self._plan.seconds) - BLOCK_S / 2
            self._samples.unfinished(waiting.value or (), last_s)
        elif waiting is not None:
            waiting.kill()

    def _waiting(self, runner: Runner) -> list[tuple[Any, str]]:
        return self._samples.waiting(list(runner.user_greenlets))


def stopped_itself(runner: Runner) -> str:
    """Return a sentence where a test is stopped; ask only while nobody else should have."""
    if runner.state in (STATE_CLEANUP, STATE_STOPPING, STATE_STOPPED):
        return "the locustfile stopped the test (StopTest, or quit() or stop() of the runner)"
    return ""


def _deserted(runner: Runner) -> str:
    """Tell whether users, or the test as a whole, ended by themselves."""
    if stopped := stopped_itself(runner):
        return stopped
    spawning = runner.spawning_greenlet
    if spawning is None or not spawning.ready():
        return ""
    asked, there = runner.target_user_count, len(runner.user_greenlets)
    if there >= ALIVE * asked:
        return ""
    return (
        f"{there} of {asked} users are left: a user ends where on_start raises, at StopUser, or where all "
        "classes have a fixed_count; the run would have less load than the profile asks for"
    )
