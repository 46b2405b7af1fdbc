"""Servers on loopback that do what a test says, and runs of the open driver against them."""

from __future__ import annotations

import asyncio
import os
import ssl
import textwrap
import threading
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType

import pytest

from release_gates.model.limit import LimitRule
from release_gates.probes.load.drive import Run
from release_gates.probes.load.generator import Ended, Generator, Watch
from release_gates.probes.load.limits import thresholds_of
from release_gates.probes.load.plan import BLOCK_S, Phase, Plan
from release_gates.probes.load.recorder import Recorder
from release_gates.probes.load.recording import Recording
from release_gates.probes.load.resources import Usage

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Server:
    """An asyncio server in a thread; ``made`` counts its connections."""

    def __init__(self, handler: Handler, tls: ssl.SSLContext | None = None) -> None:
        self.made = 0
        self._handler = handler
        self._tls = tls
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Server:
        self._thread.start()
        assert self._ready.wait(30)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()
        self._thread.join()

    def end(self) -> None:
        """Be gone: every connection is cut, and nothing listens."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._stop.cancel)

    def _serve(self) -> None:
        with suppress(asyncio.CancelledError):
            self._loop.run_until_complete(self._accept())
        self._loop.close()

    async def _accept(self) -> None:
        server = await asyncio.start_server(self._handle, "127.0.0.1", 0, ssl=self._tls, backlog=512)
        self.port = server.sockets[0].getsockname()[1]
        self._writers: set[asyncio.StreamWriter] = set()
        self._stop = self._loop.create_task(asyncio.sleep(3600))
        self._ready.set()
        try:
            await self._stop
        finally:
            server.close()
            for writer in self._writers:
                writer.transport.abort()
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.made += 1
        self._writers.add(writer)
        with suppress(OSError, EOFError, asyncio.CancelledError):
            await self._handler(reader, writer)
        self._writers.discard(writer)
        writer.close()


@pytest.fixture
def serve() -> type[Server]:
    """Return what serves a handler as long as a with statement lasts."""
    return Server


Drive = Callable[..., tuple[Ended, Generator]]


@pytest.fixture
def drive(tmp_path: Path) -> Drive:
    """Run the open driver with traffic that is written as text: the module ``asked``, function ``traffic``."""

    def drive(
        target: str,
        traffic: str,
        *phases: Phase,
        watch: Watch = lambda recording, at_s: "",
        **settings: object,
    ) -> tuple[Ended, Generator]:
        source = "from release_gates.probes.load.traffic import Answer, Request\n" + textwrap.dedent(traffic)
        (tmp_path / "asked.py").write_text(source)
        plan = Plan(
            **{
                "target": target,
                "root": str(tmp_path),
                "traffic": "asked:traffic",
                "phases": phases or (Phase(tag="steady", seconds=0.5, rate=20),),
                "connections": 2,
                **settings,
            }
        )
        child = Generator("open", plan, folder=tmp_path, environ=os.environ)
        return child.run(watch), child

    return drive


Recorded = Callable[..., Run]


@pytest.fixture
def recorded(tmp_path: Path) -> Recorded:
    """Make a run of what a function tells a recorder; the generator was fit unless that says otherwise."""

    def recorded(
        fill: Callable[[Recorder], None],
        *phases: Phase,
        rules: Sequence[LimitRule] = (),
        stopped: str = "",
        at_s: float | None = None,
        usage: Sequence[Usage] = (),
        fit: bool = True,
    ) -> Run:
        thresholds = thresholds_of(rules)
        plan = Plan(
            target="http://127.0.0.1:1",
            root=str(tmp_path),
            phases=phases,
            thresholds=thresholds,
            traffic="some:traffic",
            timeout_s=5,
        )
        recorder, recording = Recorder(thresholds), Recording()
        for block in range(int(plan.seconds / BLOCK_S)) if fit else ():
            recorder.lagged(block * BLOCK_S, 0.0001)
            recorder.ran(block * BLOCK_S, 0.01, BLOCK_S)
        fill(recorder)
        recording.add(recorder.frame(plan.seconds if at_s is None else at_s))
        ended = Ended(how="stopped", because=stopped) if stopped else Ended(how="finished")
        return Run(plan=plan, ended=ended, recording=recording, usage=tuple(usage), started_s=100.0)

    return recorded
