"""Our scheduling around xdist's own, with workers that die wherever they can: nothing lost, nothing twice.

xdist's schedulers are the real ones. A worker is modelled after ``xdist.remote``: it begins a test only when it
knows the next one or that there is none, and the controller's loop after ``xdist.dsession.DSession``.
"""

from __future__ import annotations

from collections import Counter, deque
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling, LoadScheduling, LoadScopeScheduling, WorkStealingScheduling

from release_gates.session.scheduling import ExclusiveScheduling

INNER = [LoadScheduling, WorkStealingScheduling, LoadScopeScheduling, LoadFileScheduling]
END = -1


class Worker:
    """One worker and its end of the controller: what was sent to it, and what it does next."""

    def __init__(self, name: str, ids: list[str], exclusive: frozenset[int]) -> None:
        self.gateway = SimpleNamespace(id=name)
        self.ids, self.exclusive = ids, exclusive
        self.shutting_down = self.down = self.alone = False
        self.collected = False
        self.queue: deque[int] = deque()
        self.taken: list[int] = []  # the test that runs or waits, and the one that follows it

    def send_runtest_some(self, indices: list[int]) -> None:
        assert not self.down
        self.queue.extend(indices)

    def send_steal(self, indices: list[int]) -> None:
        self.stolen = indices

    def shutdown(self) -> None:
        self.shutting_down = True
        if not self.down:
            self.queue.append(END)

    def fill(self) -> None:
        while len(self.taken) < 2 and self.queue and END not in self.taken:
            self.taken.append(self.queue.popleft())

    @property
    def can_step(self) -> bool:
        self.fill()
        return not self.down and (
            not self.collected or len(self.taken) == 2 or self.taken == [END] or hasattr(self, "stolen")
        )


class Session:
    """The controller's loop."""

    def __init__(self, inner: Any, ordinary: int, exclusive: frozenset[int], workers: int) -> None:
        total = ordinary + len(exclusive)
        self.ids = [f"test_{n % 3}.py::test[{n}]" for n in range(total)]
        self.exclusive = exclusive
        options = {"tx": ["popen"] * workers, "maxschedchunk": None, "loadscopereorder": True}
        fake: Any = SimpleNamespace(
            getvalue=options.__getitem__,
            getoption=options.__getitem__,
            option=SimpleNamespace(**options),
            hook=SimpleNamespace(pytest_collectreport=lambda report: pytest.fail(str(report.longrepr))),
        )
        self.workers: list[Worker] = []
        self.inner = inner(fake, Producer("quiet", enabled=False))
        self.sched = ExclusiveScheduling(self.inner, fake, self, workers=workers)
        self.shutting_down = False
        self.began: list[tuple[int, Worker]] = []
        self.died_of: list[str] = []  # as our scheduling says
        self.killed: list[str] = []  # as it was
        for _ in range(workers):
            self.start()

    # what ExclusiveScheduling asks of its crew
    def exclusive_tests(self, worker: Worker) -> frozenset[int]:
        return worker.exclusive

    def is_only(self, worker: Worker) -> bool:
        return [each for each in self.workers if not each.down] == [worker]

    def tell_alone(self, worker: Worker) -> None:
        worker.alone = True

    def start(self) -> None:
        worker = Worker(f"gw{len(self.workers)}", self.ids, self.exclusive)
        self.workers.append(worker)
        self.sched.add_node(worker)
        if self.shutting_down:
            worker.shutdown()

    def after_event(self) -> None:
        if self.sched.tests_finished and not self.shutting_down:
            self.shutting_down = True
            for worker in self.sched.nodes:
                worker.shutdown()

    def step(self, worker: Worker, *, dies: bool) -> None:
        if not worker.collected:
            worker.collected = True
            if dies:
                self.die(worker)
            elif not self.shutting_down:
                self.sched.add_node_collection(worker, self.ids)
                if self.sched.collection_is_completed:
                    self.sched.schedule()
        elif hasattr(worker, "stolen"):
            wanted, worker.stolen = worker.stolen, None
            del worker.stolen
            kept = set(wanted) <= set(worker.queue)
            worker.queue = deque(i for i in worker.queue if not (kept and i in wanted))
            self.sched.remove_pending_tests_from_node(worker, wanted if kept else [])
        elif worker.taken == [END]:
            worker.down = True
            if worker in self.sched.nodes:
                assert self.sched.remove_node(worker) is None
        else:
            self.run(worker, dies=dies)
        self.after_event()

    def run(self, worker: Worker, *, dies: bool) -> None:
        index = worker.taken[0]
        if index in self.exclusive:
            assert worker.alone, "an exclusive test before the worker was told"
            assert self.is_only(worker), "an exclusive test beside another worker"
            assert not set(range(len(self.ids))) - self.exclusive - {i for i, _ in self.began}
        self.began.append((index, worker))
        if dies:
            self.killed.append(self.ids[index])
            self.die(worker)
            return
        worker.taken.pop(0)
        self.sched.mark_test_complete(worker, index, 0.0)

    def die(self, worker: Worker) -> None:
        worker.down = worker.shutting_down = True
        crashed = self.sched.remove_node(worker)
        if crashed:
            self.died_of.append(crashed)
        self.shutting_down = False
        self.start()


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_every_test_runs_once_and_exclusive_ones_alone(data: st.DataObject) -> None:
    ordinary, alone = data.draw(st.integers(0, 9)), data.draw(st.integers(0, 4))
    total = ordinary + alone
    exclusive = frozenset(data.draw(st.permutations(range(total)))[:alone])
    session = Session(data.draw(st.sampled_from(INNER)), ordinary, exclusive, data.draw(st.integers(1, 3)))
    deaths = data.draw(st.integers(0, 3))
    for _ in range(40 * (total + 5)):
        ready = [worker for worker in session.workers if worker.can_step]
        if not ready:
            break
        worker = data.draw(st.sampled_from(ready))
        idle = worker.collected and (len(worker.taken) < 2 or hasattr(worker, "stolen"))
        dies = deaths > 0 and not idle and data.draw(st.booleans())
        deaths -= dies
        session.step(worker, dies=dies)
    assert all(worker.down for worker in session.workers), "somebody waits for ever"
    began = Counter(index for index, _ in session.began)
    if isinstance(
        session.inner, LoadScopeScheduling
    ):  # and loadfile: xdist repeats a test that a worker died of
        began = Counter(set(began))
    assert began == Counter(range(total))
    assert session.died_of == session.killed
