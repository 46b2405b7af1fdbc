"""A worker of locust's master: it runs users, and tells what they saw through locust's own messages."""

from __future__ import annotations

import random
import sys
import time
from pathlib import Path
from typing import Any

import gevent
import locust
from gevent.event import Event
from locust.env import Environment

from release_gates.probes.load.locust_driver import engine, locustfile
from release_gates.probes.load.locust_driver.messages import (
    BEGIN,
    HALT,
    NOTES,
    READY,
    Begin,
    Halt,
    Ready,
    Told,
    decode,
    encode,
)
from release_gates.probes.load.locust_driver.notes import Notes
from release_gates.probes.load.open.refusal import CannotRun

TELL_S = 0.1


class Worker:
    """One worker process, from its connection with the master until that says goodbye."""

    def __init__(self, environment: Environment, runner: Any) -> None:
        self._environment = environment
        self._runner = runner
        self._begun = Event()
        self._notes: Notes | None = None
        self._number = 0
        self._ended = False
        runner.register_message(BEGIN, self._begin)
        runner.register_message(HALT, self._halt, concurrent=True)

    def run(self, sha256: str) -> None:
        """Say that it is ready, then tell until the master has heard the last."""
        self._runner.send_message(READY, encode(Ready(sha256=sha256)))
        self._begun.wait()
        while self._runner.greenlet:  # a "quit" of the master ends all of its greenlets
            if not self._ended:
                self._tell(last=False)
            gevent.sleep(TELL_S)

    def _begin(self, msg: Any, **_others: object) -> None:
        begin = decode(msg.data, type=Begin)
        random.seed(begin.plan.seed + begin.index)
        engine.prepare(begin.plan)
        self._notes = Notes(begin.plan)
        self._notes.begin(time.monotonic() - (time.time() - begin.epoch_s))
        self._begun.set()

    def _halt(self, msg: Any, **_others: object) -> None:
        if self._notes is not None:
            self._notes.conclude(self._environment, decode(msg.data, type=Halt).grace_s)
            self._ended = True
            self._tell(last=True)

    def _tell(self, *, last: bool) -> None:
        assert self._notes is not None
        told = Told(
            number=self._number,
            frame=encode(self._notes.progress()),
            trouble=self._notes.trouble(self._runner),
            last=last,
        )
        self._number += 1
        self._runner.send_message(NOTES, encode(told))


def work(master: str, path: Path, root: str) -> int:
    """Be a worker of the master at ``HOST:PORT``; 1 where the locustfile cannot be used."""
    host, _, port = master.rpartition(":")
    try:
        file = locustfile.load(path.resolve(), root)
    except CannotRun as error:
        print(error, file=sys.stderr)
        return 1
    environment = Environment(
        user_classes=list(file.users.values()), events=locust.events, locustfile=path.name
    )
    runner = environment.create_worker_runner(host, int(port))
    engine.fire(environment.events.init, environment=environment, runner=runner, web_ui=None)
    engine.settle()
    Worker(environment, runner).run(file.sha256)
    return 0
