"""One run from its plan to its last frame."""

from __future__ import annotations

import asyncio
import gc
import os
import random
import signal
import sys
import time
import traceback

from release_gates.probes.load.frames import Bye, Hello
from release_gates.probes.load.open.connector import Connector, allow_descriptors
from release_gates.probes.load.open.driver import Driver
from release_gates.probes.load.open.loading import codecs_of, traffic_of
from release_gates.probes.load.open.parent import Parent
from release_gates.probes.load.open.refusal import CannotRun
from release_gates.probes.load.open.schedule import most_users
from release_gates.probes.load.open.target import target_of, tls_of
from release_gates.probes.load.plan import Plan
from release_gates.probes.load.recorder import Recorder

PROGRESS_S = 0.1


async def run(plan: Plan, parent: Parent) -> Bye:
    """Connect, send what the plan says, tell the parent; CannotRun where that is not possible.

    SIGTERM ends it early: nothing more is sent, and what was not answered yet is not told.
    """
    check(plan)
    traffic, codecs, target = traffic_of(plan), codecs_of(plan), target_of(plan.target)
    connector = Connector(target, tls_of(target, plan.ca_file), codecs, plan.timeout_s)
    allow_descriptors(plan.connections)
    random.seed(plan.seed)
    driver = Driver(plan, connector, traffic, Recorder(plan.thresholds))
    _stop_on_signal()
    _report_bugs(driver)
    try:
        await connector.resolve(plan.addresses)
        await connector.connect_all(driver.users)
        gc.collect()
        gc.freeze()  # thousands of connections need not be looked at again and again
        await _drive(driver, parent)
    except asyncio.CancelledError:
        return Bye(reason="stopped", because="it was told to stop")
    return Bye(reason="finished")


def check(plan: Plan) -> None:
    """Refuse what this driver would not honour; CannotRun."""
    if plan.connections < max(most_users(plan.phases), 1):
        raise CannotRun(
            f"connections = {plan.connections}: the phases need {max(most_users(plan.phases), 1)} users, "
            f"and each has a connection of its own"
        )
    if not 0 < plan.timeout_s < float("inf") or plan.backlog < 0:
        raise CannotRun(f"timeout_s = {plan.timeout_s}, backlog = {plan.backlog}: must be above 0, 0 or more")
    if plan.processes != 1 or plan.options:
        raise CannotRun(f"processes = {plan.processes}, options = {plan.options}: are for locust only")


async def _drive(driver: Driver, parent: Parent) -> None:
    started_s = driver.start()
    parent.tell(Hello(pid=os.getpid(), started_s=started_s))
    wall_s, cpu_s = time.monotonic(), time.process_time()
    try:
        while not driver.over.done():
            await asyncio.wait([driver.over], timeout=PROGRESS_S)
            now_s, cpu_now_s = time.monotonic(), time.process_time()
            driver.recorder.ran(now_s - started_s, cpu_now_s - cpu_s, now_s - wall_s)
            wall_s, cpu_s = now_s, cpu_now_s
            parent.tell(driver.recorder.frame(now_s - started_s))
        driver.over.result()
    finally:
        driver.close()
        parent.tell(driver.recorder.frame(driver.now()))


def _stop_on_signal() -> None:
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)


def _report_bugs(driver: Driver) -> None:
    """Let an exception that nothing expects end the run: a callback that fails silently is a wrong number."""

    def handle(_loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        error = context.get("exception")
        if isinstance(error, BaseException):
            traceback.print_exception(error, file=sys.stderr)
        driver.give_up(
            CannotRun(f"an error in the driver or in the codec: {context.get('message')}: {error!r}")
        )

    asyncio.get_running_loop().set_exception_handler(handle)
