"""One run of a locustfile, from its import to the last frame."""

from __future__ import annotations

import logging
import random
import signal
from pathlib import Path
from time import monotonic
from typing import Protocol

import gevent
from gevent.event import Event
from locust.env import Environment

from release_gates.probes.load.frames import Bye, Hello, Progress
from release_gates.probes.load.locust_driver import engine, locustfile
from release_gates.probes.load.locust_driver.alone import Alone
from release_gates.probes.load.locust_driver.conductor import Conductor
from release_gates.probes.load.locust_driver.demand import Demand
from release_gates.probes.load.locust_driver.fleet import Fleet
from release_gates.probes.load.locust_driver.notes import Notes
from release_gates.probes.load.locust_driver.reach import reach
from release_gates.probes.load.locust_driver.voice import Voice
from release_gates.probes.load.open.refusal import CannotRun
from release_gates.probes.load.plan import Plan

TELL_S = 0.1
READY_S = 25.0
TEARDOWN_S = 1.0
LEAVING_S = 3.0
MOST_LOG_RECORDS = 300


class Crew(Protocol):
    """Who runs the users: this process alone, or a fleet of workers."""

    def ready(self, within_s: float) -> None:
        """Wait until all who run users are there; CannotRun where they are not in time."""

    def begin(self, origin_s: float) -> None:
        """Note from now on; ``origin_s`` of the monotonic clock is the run's start."""

    def progress(self) -> Progress:
        """Return what was seen since the last time."""

    def trouble(self) -> str:
        """Return why this is not the run that was asked for; "" if it is."""

    def conclude(self, grace_s: float) -> None:
        """Let users finish what they asked within so many seconds, and end them."""

    def close(self) -> None:
        """Leave nothing behind."""


def run(plan: Plan, pid: int, voice: Voice) -> Bye:
    """Run a plan and tell what is seen; the last frame is returned. CannotRun where nothing was sent."""
    log_less()
    random.seed(plan.seed)
    engine.prepare(plan)
    file = locustfile.load((Path(plan.root) / plan.locustfile).resolve(), plan.root)
    environment = engine.environment_of(plan, file)
    reach(plan.target, plan.ca_file, plan.timeout_s)
    crew = _crew(plan, environment, file)
    engine.fire(environment.events.init, environment=environment, runner=environment.runner, web_ui=None)
    try:
        crew.ready(READY_S)
        if found := engine.broken():
            raise CannotRun(f"{file.path}: {found}")
        engine.settle()
        return _Run(plan, environment, crew, voice).whole(pid)
    finally:
        crew.close()


def log_less() -> None:
    """Let locust's log go to stderr, no more than some hundred records: each failing task makes one."""
    handler, seen = logging.StreamHandler(), iter(range(MOST_LOG_RECORDS))
    handler.addFilter(lambda _record: next(seen, None) is not None)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s", handlers=[handler])


def _crew(plan: Plan, environment: Environment, file: locustfile.Locustfile) -> Crew:
    if plan.processes > 1 or any(name.replace("-", "_") == "expect_workers" for name in plan.options):
        return Fleet(environment, plan, file)
    return Alone(environment, Notes(plan))


class _Run:
    """The time between the first request and the last."""

    def __init__(self, plan: Plan, environment: Environment, crew: Crew, voice: Voice) -> None:
        self._plan = plan
        self._environment = environment
        self._crew = crew
        self._voice = voice
        self._demand = Demand(plan.phases)
        self._conductor = Conductor(environment, plan)
        self._stopped = Event()
        gevent.signal_handler(signal.SIGTERM, self._stopped.set)

    def whole(self, pid: int) -> Bye:
        """Send until the plan is over, somebody stops it, or it cannot go on."""
        origin_s = monotonic()
        self._voice.say(Hello(pid=pid, started_s=origin_s))
        self._crew.begin(origin_s)
        self._conductor.begin(origin_s)
        while not self._done():
            self._stopped.wait(TELL_S)
            self._tell()
        whole = self._conductor.over() and not self._stopped.is_set()
        trouble = self._trouble()
        self._conductor.end()
        self._conclude(self._plan.timeout_s if whole and not trouble else 0.0)
        self._teardown()
        if trouble := trouble or self._crew.trouble():
            return Bye(reason="failed", because=trouble)
        return Bye(reason="finished" if whole else "stopped")

    def _done(self) -> bool:
        return self._stopped.is_set() or self._conductor.over() or bool(self._trouble())

    def _trouble(self) -> str:
        return self._crew.trouble() or self._conductor.trouble(monotonic())

    def _conclude(self, grace_s: float) -> None:
        """Wait for what is on its way, no longer than answers may take, and tell it."""
        leaving = gevent.spawn(self._crew.conclude, grace_s)
        deadline_s = monotonic() + grace_s + (LEAVING_S if grace_s else TEARDOWN_S)
        while not leaving.ready() and monotonic() < deadline_s:
            if self._stopped.is_set() and grace_s:
                deadline_s, grace_s = min(deadline_s, monotonic() + TEARDOWN_S), 0.0
            leaving.join(TELL_S)
            self._tell()
        self._tell()

    def _teardown(self) -> None:
        """Let the locustfile clean up as it would under locust."""
        gevent.spawn(
            engine.fire, self._environment.events.quitting, environment=self._environment, reverse=True
        ).join(TEARDOWN_S)

    def _tell(self) -> None:
        self._voice.say(self._demand.added(self._crew.progress()))
