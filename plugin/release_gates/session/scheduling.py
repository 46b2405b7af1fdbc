"""xdist with exclusive gates: ordinary tests as ever, then one worker alone with the exclusive ones.

xdist's scheduler (whatever ``--dist`` asks for) sees ordinary tests only. The last worker that it would send
home is kept; the others end, and with them their session fixtures. When nobody else is left the kept worker
is told that it is alone, and gets the exclusive tests one by one.

A worker begins a test only when it knows the one after it, or that there is none. So the first exclusive test
is sent early, for the last ordinary one to begin; the worker itself does not run it before it is told
(``release_gates.session.exclusive``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import pytest

Worker = Any
"""An ``xdist.workermanage.WorkerController``; xdist may be absent, so nothing of it is imported here."""


class Crew(Protocol):
    """What is known of the workers of this session beside what xdist tells its scheduler."""

    def exclusive_tests(self, worker: Worker) -> frozenset[int] | None:
        """Return which of the tests that it collected are exclusive, by index; None if it did not say."""

    def is_only(self, worker: Worker) -> bool:
        """Tell whether no other worker is up or on its way."""

    def tell_alone(self, worker: Worker) -> None:
        """Tell a worker that it may run exclusive tests."""


class Courier:
    """What xdist's scheduler takes for a worker: its tests are the ordinary ones, counted from 0."""

    def __init__(self, worker: Worker, scheduling: ExclusiveScheduling) -> None:
        self.worker = worker
        self.given = 0
        self._scheduling = scheduling
        self._dismissed = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self.worker, name)

    @property
    def shutting_down(self) -> bool:
        """Whether it gets no more ordinary tests."""
        return self._dismissed or bool(self.worker.shutting_down)

    def shutdown(self) -> None:
        """Send it home, unless it is the last one and exclusive tests are left."""
        if not self._dismissed:
            self._dismissed = True
            self._scheduling.dismiss(self.worker)

    def send_runtest_some(self, indices: Sequence[int]) -> None:
        """Give it ordinary tests."""
        self.given += len(indices)
        self.worker.send_runtest_some(self._scheduling.collected(indices))

    def send_steal(self, indices: Sequence[int]) -> None:
        """Take ordinary tests away from it."""
        self.worker.send_steal(self._scheduling.collected(indices))


class ExclusiveScheduling:
    """An xdist scheduler (``xdist.scheduler.protocol``) around another one that runs the ordinary tests."""

    def __init__(self, inner: Any, config: pytest.Config, crew: Crew, *, workers: int) -> None:
        self.config = config
        self._inner = inner
        self._crew = crew
        self._workers = workers
        self._couriers: dict[Worker, Courier] = {}
        self._collections: dict[Worker, list[str]] = {}
        self._enlisted: set[Worker] = set()
        self._ids: list[str] | None = None
        self._ordinary: list[int] = []
        self._position: dict[int, int] = {}
        self._unfinished: set[int] = set()
        self._waiting: list[int] = []
        self._keeper: Worker | None = None
        self._sent: list[int] = []
        self._begun = False
        self._refused = False

    # -- what xdist asks --------------------------------------------------------------------------

    @property
    def nodes(self) -> list[Worker]:
        """The workers that are up."""
        return list(self._couriers)

    @property
    def collection_is_completed(self) -> bool:
        """Whether all workers of the beginning have collected."""
        return self._ids is not None or len(self._collections) >= self._workers

    @property
    def has_pending(self) -> bool:
        """Whether tests are left."""
        return bool(self._unfinished or self._waiting or self._sent)

    @property
    def tests_finished(self) -> bool:
        """Whether every test is done, or the last one needs to hear that there is no other.

        xdist asks after each event, when the event's consequences (a new worker for one that died) are known:
        this is where the exclusive part goes on.
        """
        if self._refused or self._ids is None:
            return self._refused
        if self._unfinished or (self._ordinary and self._inner.has_pending):  # loadscope repeats what died
            if self._inner.tests_finished:
                for courier in self._inner.nodes:
                    courier.shutdown()
            return False
        if not (self._waiting or self._sent):
            return True
        return self._is_alone() and self._feed()

    # -- what xdist tells -------------------------------------------------------------------------

    def add_node(self, node: Worker) -> None:
        """Take note of a new worker; it collects now."""
        self._couriers[node] = Courier(node, self)

    def add_node_collection(self, node: Worker, collection: Sequence[str]) -> None:
        """Take note of what a worker collected."""
        self._collections[node] = list(collection)

    def schedule(self) -> None:
        """Begin, when all have collected the same; later, put a new worker to work."""
        late = self._ids is not None
        if not late:
            self._begin()
        newcomers = [worker for worker in self._collections if worker not in self._enlisted]
        if self._refused or not all(map(self._is_same, newcomers)):
            return
        self._enlisted.update(newcomers)
        if not self._ordinary:
            return
        names = [self._names[index] for index in self._ordinary]
        for worker in newcomers:
            self._inner.add_node(self._couriers[worker])
        for worker in newcomers:
            self._inner.add_node_collection(self._couriers[worker], names)
        self._inner.schedule()
        for worker in newcomers if late else ():
            self._put_to_work(self._couriers[worker])

    def mark_test_complete(self, node: Worker, item_index: int, duration: float = 0) -> None:
        """Take note that a worker has finished a test."""
        position = self._position.get(item_index)
        if position is None:
            self._sent.remove(item_index)
        else:
            self._unfinished.discard(item_index)
            self._inner.mark_test_complete(self._couriers[node], position, duration)

    def mark_test_pending(self, item: str) -> None:
        """Run a test again, which a worker died of; another plugin asks for that."""
        index = self._names.index(item)
        if index in self._position:
            self._inner.mark_test_pending(item)
            self._unfinished.add(index)
        else:
            self._waiting.insert(0, index)

    def remove_pending_tests_from_node(self, node: Worker, indices: Sequence[int]) -> None:
        """Take note of tests that a worker gave back."""
        positions = [self._position[index] for index in indices]
        self._inner.remove_pending_tests_from_node(self._couriers[node], positions)

    def remove_node(self, node: Worker) -> str | None:
        """Forget a worker that ended or died; return the test that it died of. ``KeyError`` if unknown."""
        courier = self._couriers.pop(node)
        self._collections.pop(node, None)
        exclusive = self._give_back() if node is self._keeper else None
        if courier not in self._inner.nodes:
            return exclusive
        ordinary: str | None = self._inner.remove_node(courier)
        if ordinary is not None:
            self._unfinished.discard(self._names.index(ordinary))
        return ordinary or exclusive

    # -- what a courier asks ----------------------------------------------------------------------

    def collected(self, positions: Sequence[int]) -> list[int]:
        """Return the indices among all collected tests of some ordinary ones."""
        return [self._ordinary[position] for position in positions]

    def dismiss(self, worker: Worker) -> None:
        """Send a worker home, or keep it for the exclusive tests if it is the last one."""
        others = (each for each in self._collections if each is not worker)
        if (
            not self._waiting
            or self._keeper is not None
            or not all(self._couriers[other].shutting_down for other in others)
        ):
            worker.shutdown()
            return
        self._keeper = worker
        self._send_next()

    # -- the exclusive part -----------------------------------------------------------------------

    @property
    def _names(self) -> list[str]:
        return self._ids or []

    def _begin(self) -> None:
        first = next(iter(self._collections))
        self._ids = self._collections[first]
        exclusive = self._crew.exclusive_tests(first) or frozenset()
        self._ordinary = [index for index in range(len(self._ids)) if index not in exclusive]
        self._position = {index: position for position, index in enumerate(self._ordinary)}
        self._unfinished = set(self._ordinary)
        self._waiting = sorted(exclusive)

    def _put_to_work(self, courier: Courier) -> None:
        """Ask until a late worker has two tests, or none are left: loadscope gives it one scope a call."""
        for _ in self._ordinary:
            if courier.given >= 2 or courier.shutting_down:
                return
            self._inner.schedule()

    def _is_same(self, worker: Worker) -> bool:
        """Tell whether a worker collected what all have; if not, nothing more is run."""
        exclusive = self._crew.exclusive_tests(worker)
        same = self._collections[worker] == self._ids and exclusive is not None
        if same and exclusive == frozenset(range(len(self._names))).difference(self._ordinary):
            return True
        self._refused = True
        sentence = (
            f"worker {worker.gateway.id} collected other tests than the first one, or did not say which of "
            "them are exclusive: nothing more is run. [different-collections]"
        )
        report = pytest.CollectReport(worker.gateway.id, "failed", sentence, [])
        self.config.hook.pytest_collectreport(report=report)
        return False

    def _is_alone(self) -> bool:
        """Tell whether a worker is kept and no other is left; send home who is not needed."""
        if self._keeper is None:
            ready = (worker for worker in self._collections if not worker.shutting_down)
            self._keeper = next(ready, None)
        for worker in self._couriers if self._keeper is not None else ():
            if worker is not self._keeper and not worker.shutting_down:
                worker.shutdown()
        return self._keeper is not None and self._crew.is_only(self._keeper)

    def _feed(self) -> bool:
        """Let the kept worker run its next test; tell whether it has to hear that there is no other."""
        if self._keeper.shutting_down:  # type: ignore[union-attr]  # the session was stopped
            return False
        if not self._begun:
            self._crew.tell_alone(self._keeper)
            self._begun = True
        while self._waiting and len(self._sent) < 2:
            self._send_next()
        return len(self._sent) < 2

    def _send_next(self) -> None:
        self._sent.append(self._waiting.pop(0))
        self._keeper.send_runtest_some(self._sent[-1:])  # type: ignore[union-attr]

    def _give_back(self) -> str | None:
        """Take back what the kept worker did not run; return the test that it ran, None if it was idle."""
        died_of = self._names[self._sent.pop(0)] if self._begun and self._sent else None
        self._waiting[:0] = self._sent
        self._sent, self._keeper, self._begun = [], None, False
        return died_of
