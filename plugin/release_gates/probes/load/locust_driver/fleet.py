"""A run in many processes: locust's master here, its workers here and on other hosts."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic, time
from typing import Any

import gevent
from locust.env import Environment
from locust.runners import MasterRunner

from release_gates.probes.load.frames import Progress
from release_gates.probes.load.locust_driver import engine
from release_gates.probes.load.locust_driver.joining import join
from release_gates.probes.load.locust_driver.locustfile import Locustfile
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
from release_gates.probes.load.locust_driver.notes import stopped_itself
from release_gates.probes.load.open.refusal import CannotRun
from release_gates.probes.load.plan import Plan

COMMAND = "python -m release_gates.probes.load.locust_driver --worker HOST:PORT --locustfile FILE"
STRANGE_S = 5.0
"""A worker that is connected says within so many seconds that it is ready."""
LAST_WORD_S = 1.0
"""Beyond the users' own time, workers tell the last within so many seconds."""


@dataclass(slots=True)
class Member:
    """A worker that was counted in; ``told`` is how often it reported, ``last`` whether that was all."""

    told: int = 0
    last: bool = False
    frames: list[Progress] = field(default_factory=list)


class Fleet:
    """The master of ``processes`` workers on this host and of ``expect_workers`` others."""

    def __init__(self, environment: Environment, plan: Plan, file: Locustfile) -> None:
        self._environment = environment
        self._plan = plan
        self._file = file
        self._came: dict[str, float] = {}
        self._members: dict[str, Member] = {}
        self._children: list[subprocess.Popen[bytes]] = []
        self._trouble = ""
        self._begun = self._ending = False
        self._options = vars(environment.parsed_options)
        others = int(self._options["expect_workers"]) if "expect_workers" in _names(plan) else 0
        self._local = plan.processes if plan.processes > 1 or not others else 0
        self._expected = self._local + others
        self._runner: Any = self._master(shared=bool(others))

    def ready(self, within_s: float) -> None:
        """Start the workers of this host and wait for all; CannotRun where one does not come."""
        self._children += [self._worker() for _ in range(self._local)]
        within_s = self._options["expect_workers_max_wait"] or within_s
        deadline_s = monotonic() + within_s
        while len(self._members) < self._expected:
            self._check_strangers(monotonic() - STRANGE_S)
            if monotonic() > deadline_s:
                self._lose(f"{len(self._members)} of {self._expected} workers came within {within_s:g} s")
            self._check()
            if self._trouble:
                raise CannotRun(self._trouble)
            gevent.sleep(0.02)

    def begin(self, origin_s: float) -> None:
        """Tell every worker when the run began, before any user is started."""
        self._begun = True
        epoch_s = time() - (monotonic() - origin_s)
        for index, name in enumerate(self._members):
            begin = Begin(plan=self._plan, epoch_s=epoch_s, index=index)
            self._runner.send_message(BEGIN, encode(begin), name)

    def progress(self) -> Progress:
        """Return what all workers told since the last time."""
        taken = {name: member.frames for name, member in self._members.items()}
        for member in self._members.values():
            member.frames = []
        return join(taken)

    def trouble(self) -> str:
        """Return why this is not the run that was asked for; "" if it is."""
        self._check()
        return self._trouble

    def conclude(self, grace_s: float) -> None:
        """Let all users finish, and wait for every worker's last word."""
        self._ending = True
        for name in self._members:
            self._runner.send_message(HALT, encode(Halt(grace_s=grace_s)), name)
        deadline_s = monotonic() + grace_s + LAST_WORD_S + (LAST_WORD_S if grace_s else 0)
        while not all(member.last for member in self._members.values()):
            self._check()
            if self._trouble or monotonic() > deadline_s:
                self._lose("a worker did not tell its last samples")
                return
            gevent.sleep(0.02)

    def close(self) -> None:
        """Let the workers go."""
        for client in self._runner.clients.all:
            self._runner.send_message("quit", client_id=client.id)
        for child in self._children:
            if child.stdin is not None:
                child.stdin.close()
        for child in self._children:
            with suppress(subprocess.TimeoutExpired):
                child.wait(LAST_WORD_S)
            child.kill()

    def _master(self, *, shared: bool) -> MasterRunner:
        given = (self._options["master_bind_host"], self._options["master_bind_port"])
        host, port = given if shared else ("127.0.0.1", 0)
        try:
            runner = self._environment.create_master_runner(host, port)
        except SystemExit as error:
            raise CannotRun(f"locust's master port {host}:{port} is in use; end who has it") from error
        runner.register_message(READY, self._on_ready)
        runner.register_message(NOTES, self._on_notes)
        connected: Any = self._environment.events.worker_connect
        connected.add_listener(self._on_connect)
        return runner

    def _worker(self) -> subprocess.Popen[bytes]:
        host = "127.0.0.1" if self._runner.master_bind_host in ("*", "") else self._runner.master_bind_host
        return subprocess.Popen(
            [
                *(sys.executable, "-m", "release_gates.probes.load.locust_driver"),
                *("--worker", f"{host}:{self._runner.server.port}"),
                *("--locustfile", str(self._file.path), "--root", self._plan.root),
            ],
            stdin=subprocess.PIPE,
        )

    def _on_ready(self, msg: Any, **_others: object) -> None:
        if decode(msg.data, type=Ready).sha256 != self._file.sha256:
            self._lose(
                f"worker {msg.node_id} has another locustfile than {self._file.path}; copy this one to it"
            )
        elif not self._begun:
            self._members.setdefault(msg.node_id, Member())

    def _on_connect(self, client_id: str, **_others: object) -> None:
        self._came[client_id] = monotonic()
        if self._begun:
            self._lose(f"worker {client_id} came in the middle of the run; start workers before it")

    def _on_notes(self, msg: Any, **_others: object) -> None:
        told, member = decode(msg.data, type=Told), self._members.get(msg.node_id)
        if member is None or told.number != member.told or member.last:
            self._lose(f"samples of worker {msg.node_id} were lost on their way")
            return
        member.told += 1
        member.last = told.last
        member.frames.append(decode(told.frame, type=Progress))
        if told.trouble:
            self._lose(told.trouble)

    def _check(self) -> None:
        """See whether workers are gone, have no recorder, or users are fewer than asked for."""
        if found := engine.broken():
            self._lose(found)
        if self._members and all(member.last for member in self._members.values()):
            return
        if any(child.poll() is not None for child in self._children):
            self._lose("a worker process ended by itself; its words are in the log")
        known = self._runner.clients
        gone = [name for name in self._members if name not in known or known[name] in known.missing]
        if gone:
            self._lose(f"worker {gone[0]} is gone, and its last samples with it")
        if self._begun:
            self._check_strangers(monotonic())
        runner, asked = self._runner, self._runner.target_user_count
        there = sum(runner.target_user_classes_count.values())
        if runner.spawning_completed and there < asked:
            self._lose(f"{there} of {asked} users could be started: all classes have a fixed_count")
        if self._begun and not self._ending and (stopped := stopped_itself(runner)):
            self._lose(stopped)

    def _check_strangers(self, before_s: float) -> None:
        """See whether a worker that came before a time has not said that it is ready."""
        came = [name for name in self._runner.clients if self._came.get(name, 0.0) < before_s]
        if strangers := [name for name in came if name not in self._members]:
            self._lose(f"worker {strangers[0]} does not record; start workers by `{COMMAND}`")

    def _lose(self, why: str) -> None:
        self._trouble = self._trouble or why


def _names(plan: Plan) -> Iterator[str]:
    return (name.replace("-", "_") for name in plan.options)
