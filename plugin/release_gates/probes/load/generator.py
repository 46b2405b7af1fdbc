"""The parent's side of a generator process: start it, read what it tells, stop it, leave nothing behind."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

import msgspec

from release_gates.host.processes import of_group
from release_gates.host.surroundings import DRIVING, surroundings
from release_gates.probes.load.frames import Bye, FrameError, FrameReader, Hello, Progress
from release_gates.probes.load.plan import Plan
from release_gates.probes.load.recording import Recording

DRIVERS = {
    "open": "release_gates.probes.load.open",
    "locust": "release_gates.probes.load.locust_driver",
}
PRIORITY = 1
"""Of real time, for who may: requests leave when they are due on a busy host too."""
TICK_S = 0.1
GRACE_S = 2.0
"""So long a generator has between TERM and KILL."""
START_S = 30.0
"""Importing a driver and opening its connections takes no longer, beside ``Plan.timeout_s``."""
SILENCE_S = 10.0
"""A generator that tells nothing for so long hangs."""
LAST_LINES = 8
_PAUSE_S = 0.005

Watch = Callable[[Recording, float], str]
"""Gets all that is known, and the seconds since the first request; a reason ends the run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a run of a generator ended.

    ``finished`` is the whole plan; ``stopped`` is what ``Watch`` asked for, with its reason; ``failed`` is
    what the generator said that it cannot do; ``died`` is one that ended, hung or told nonsense.
    """

    how: Literal["finished", "stopped", "failed", "died"]
    because: str = ""


class Generator:
    """One run of a driver in a session of its own. Nothing of it is left when ``run`` returns or raises."""

    def __init__(
        self,
        driver: Literal["open", "locust"],
        plan: Plan,
        *,
        folder: Path,
        environ: Mapping[str, str],
        variables: Sequence[str] = (),
    ) -> None:
        """Prepare a run; what the driver prints goes to ``folder``/generator.log."""
        self.recording = Recording(plan.phases)
        self.started_s: float | None = None
        self._driver = driver
        self._plan = plan
        self._log = folder / "generator.log"
        self._environ = surroundings(environ, known=DRIVING, more=variables)
        self._reader = FrameReader()
        self._bye: Bye | None = None
        self._heard = 0.0

    def run(self, watch: Watch) -> Ended:
        """Run the plan to its end, or until ``watch`` gives a reason, and say how it ended."""
        receive, send = os.pipe()
        try:
            with self._log.open("ab") as log:
                child = self._start(send, log)
        finally:
            os.close(send)
        try:
            return self._follow(child, receive, watch)
        finally:
            _end(child)
            os.close(receive)

    def log_tail(self) -> str:
        """Return the last lines that the driver printed."""
        text = self._log.read_text(encoding="utf-8", errors="replace") if self._log.exists() else ""
        return "\n".join(text.splitlines()[-LAST_LINES:])

    def _start(self, send: int, log: IO[bytes]) -> subprocess.Popen[bytes]:
        child = subprocess.Popen(
            [sys.executable, "-m", DRIVERS[self._driver], "--frames", str(send)],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=self._plan.root,
            env=self._environ,
            pass_fds=(send,),
            start_new_session=True,
        )
        if self._may_come_first():
            with suppress(PermissionError, ProcessLookupError):
                policy = os.SCHED_RR | os.SCHED_RESET_ON_FORK  # what the user's code starts has no priority
                os.sched_setscheduler(child.pid, policy, os.sched_param(PRIORITY))
        if child.stdin is not None:
            with suppress(BrokenPipeError):  # it has ended already: there will be no last frame
                child.stdin.write(msgspec.json.encode(self._plan) + b"\n")
                child.stdin.flush()
        return child

    def _may_come_first(self) -> bool:
        """Tell whether it may have priority: a closed loop, or one processor, would leave others nothing."""
        arrivals = all(phase.rate > 0 for phase in self._plan.phases)
        return self._driver == "open" and arrivals and len(os.sched_getaffinity(0)) > 1

    def _follow(self, child: subprocess.Popen[bytes], receive: int, watch: Watch) -> Ended:
        begun = self._heard = time.monotonic()
        reason = ""
        while self._bye is None and not reason:
            data = _read(receive, TICK_S)
            if data == b"":
                return self._died("it ended without a last frame")
            if (wrong := self._take(data)) is not None:
                return self._died(wrong)
            now = time.monotonic()
            if self.started_s is not None:
                reason = watch(self.recording, now - self.started_s)
            if (hung := self._hung(now, begun)) is not None:
                return self._died(hung)
        if reason:
            return self._stopped(child, receive, reason)
        return self._said(self._bye)

    def _stopped(self, child: subprocess.Popen[bytes], receive: int, reason: str) -> Ended:
        """End a run early; what the generator still tells within the grace belongs to the recording."""
        with suppress(ProcessLookupError):
            child.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + GRACE_S
        while self._bye is None and time.monotonic() < deadline:
            data = _read(receive, TICK_S)
            if data == b"" or self._take(data) is not None:
                break
        return Ended(how="stopped", because=reason)

    def _take(self, data: bytes | None) -> str | None:
        """Add what came; return what is wrong with it, None for nothing."""
        if not data:
            return None
        self._heard = time.monotonic()
        try:
            for frame in self._reader.feed(data):
                match frame:
                    case Hello():
                        self.started_s = frame.started_s
                    case Progress():
                        self.recording.add(frame)
                    case Bye():
                        self._bye = frame
        except (FrameError, ValueError) as error:
            return f"it told nonsense: {error}"
        return None

    def _hung(self, now: float, begun: float) -> str | None:
        if self.started_s is None:
            longest = START_S + self._plan.timeout_s
            return f"it did not begin within {longest:g} s" if now - begun > longest else None
        if now - self._heard > SILENCE_S:
            return f"it told nothing for {SILENCE_S:g} s"
        longest = self._plan.seconds + self._plan.timeout_s + SILENCE_S
        return f"it did not end within {longest:g} s" if now - self.started_s > longest else None

    def _said(self, bye: Bye | None) -> Ended:
        if bye is None or bye.reason == "stopped":
            return self._died("it was stopped by somebody else")
        if bye.reason == "finished" and self.started_s is None:
            return self._died("it finished what it never began")
        return Ended(how=bye.reason, because=bye.because)

    def _died(self, why: str) -> Ended:
        tail = self.log_tail()
        return Ended(how="died", because=f"{why}{'; its last lines:' if tail else ''}\n{tail}".strip())


def _read(receive: int, timeout_s: float) -> bytes | None:
    """Return what is there, ``b""`` at the end, None if nothing came in time."""
    ready, _, _ = select.select([receive], [], [], timeout_s)
    return os.read(receive, 1 << 20) if ready else None


def _end(child: subprocess.Popen[bytes]) -> None:
    """End a driver with all that it started; until all are gone nobody else gets the group's number."""
    if child.stdin is not None:
        with suppress(BrokenPipeError):
            child.stdin.close()
    deadline = time.monotonic() + GRACE_S
    while not _has_ended(child.pid) and time.monotonic() < deadline:
        time.sleep(_PAUSE_S)
    deadline = time.monotonic() + GRACE_S
    while of_group(child.pid) and time.monotonic() < deadline:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
        time.sleep(_PAUSE_S)
    child.wait()


def _has_ended(pid: int) -> bool:
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
