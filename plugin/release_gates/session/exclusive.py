"""Exclusive gates run last and beside no other test, in one process and under xdist."""

from __future__ import annotations

from collections.abc import Generator
from functools import partial
from typing import Any

import pytest

from release_gates.errors import PolicyError
from release_gates.session.briefing import Briefing
from release_gates.session.marks import gate_of
from release_gates.session.scheduling import ExclusiveScheduling, Worker

LINE = "release_gates_exclusive"
"""Key of an xdist worker's input: a channel on which it says which of its tests are exclusive, and hears that
it is alone. xdist itself tells its scheduler the tests' ids only."""


def exclusive_gates(briefing: Briefing) -> frozenset[str]:
    """Return the gates that have to be alone: by the decided entry, else by any that lists them."""
    deciding = briefing.deciding
    own = {gate.name: gate.exclusive for gate in deciding.gates} if deciding else {}
    anywhere = {gate.name for each in briefing.policy.environments for gate in each.gates if gate.exclusive}
    return frozenset(name for name in briefing.policy.gate_names() if own.get(name, name in anywhere))


def register_exclusive(config: pytest.Config, briefing: Briefing) -> None:
    """Register what exclusive gates need where an entry is decided; elsewhere none of their tests runs."""
    gates = exclusive_gates(briefing)
    if not gates or not briefing.environment:
        return
    config.pluginmanager.register(Last(gates), "release_gates_last")
    if hasattr(config, "workerinput"):
        config.pluginmanager.register(Listening(gates, config.workerinput[LINE]), "release_gates_listening")
    elif config.getoption("dist", "no") != "no" and config.getoption("tx", ()):
        _refuse_each(config, gates)
        config.pluginmanager.register(Leading(), "release_gates_leading")


class Last:
    """Puts exclusive tests behind all others, and ends every fixture of the others before they begin."""

    def __init__(self, gates: frozenset[str]) -> None:
        self._gates = gates

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> Generator[None, object, object]:
        """Sort after everybody else has; within both parts the order stays."""
        result = yield
        items.sort(key=self._is_exclusive)
        return result

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(
        self, item: pytest.Item, nextitem: pytest.Item | None
    ) -> Generator[None, object, object]:
        """After the last ordinary test end also the fixtures of its module and of the session."""
        result = yield
        if nextitem is not None and self._is_exclusive(nextitem) and not self._is_exclusive(item):
            item.session._setupstate.teardown_exact(None)  # what pytest does after the last test
        return result

    def _is_exclusive(self, item: pytest.Item) -> bool:
        return gate_of(item) in self._gates


class Listening:
    """In an xdist worker: says which tests are exclusive, and runs none of them before it is told."""

    def __init__(self, gates: frozenset[str], line: Any) -> None:
        self._gates = gates
        self._line = line
        self._alone = False
        line.setcallback(self._told)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Say it before xdist says that this worker has collected."""
        exclusive = [index for index, item in enumerate(session.items) if gate_of(item) in self._gates]
        self._line.send(exclusive)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> bool | None:
        """Leave out an exclusive test that comes while others are up: the session was stopped (``-x``).

        Left out it has no report, so it is missing and the entry is held.
        """
        return True if gate_of(item) in self._gates and not self._alone else None

    def may_run(self, item: pytest.Item) -> bool:
        """Tell whether ``pytest_runtest_protocol`` lets a test run."""
        return self._alone or gate_of(item) not in self._gates

    def _told(self, alone: object) -> None:
        self._alone = bool(alone)


class Leading:
    """In xdist's controller: knows every worker, and puts our scheduling around xdist's."""

    def __init__(self) -> None:
        self._lines: dict[Worker, Any] = {}
        self._said: dict[Worker, frozenset[int]] = {}

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Worker) -> None:
        """Give a new worker its line."""
        line = self._lines[node] = node.workerinput[LINE] = node.gateway.newchannel()
        line.setcallback(partial(self._hear, node))

    @pytest.hookimpl(optionalhook=True, tryfirst=True)
    def pytest_testnodedown(self, node: Worker) -> None:
        """Forget a worker."""
        self._lines.pop(node, None)
        self._said.pop(node, None)

    @pytest.hookimpl(optionalhook=True, wrapper=True, tryfirst=True)
    def pytest_xdist_make_scheduler(self, config: pytest.Config) -> Generator[None, Any, Any]:
        """Take the scheduler that ``--dist``, or another plugin, asks for, and put ours around it."""
        inner = yield
        return ExclusiveScheduling(inner, config, self, workers=len(self._lines))

    def exclusive_tests(self, worker: Worker) -> frozenset[int] | None:
        """Return which of its tests a worker called exclusive; None if it did not say."""
        return self._said.get(worker)

    def is_only(self, worker: Worker) -> bool:
        """Tell whether no other worker is up or on its way."""
        return set(self._lines) == {worker}

    def tell_alone(self, worker: Worker) -> None:
        """Tell a worker that it may run exclusive tests."""
        self._lines[worker].send(True)

    def _hear(self, worker: Worker, exclusive: list[int]) -> None:
        self._said[worker] = frozenset(exclusive)


def _refuse_each(config: pytest.Config, gates: frozenset[str]) -> None:
    if config.getoption("dist") == "each":
        raise PolicyError(
            f"gate {', '.join(sorted(gates))} must be alone on its host, and --dist each runs every test on "
            "all workers at once.",
            slug="exclusive-under-xdist",
            hint="Use another --dist: our scheduler then runs exclusive tests alone, after all others.",
        )
