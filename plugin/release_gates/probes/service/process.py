"""One running service: started from a file, waited for, stopped with all that it forked."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from release_gates.errors import MeasurementError, ProbeUnavailable
from release_gates.host.sockets import own_port
from release_gates.host.surroundings import surroundings
from release_gates.probes.service import launcher
from release_gates.probes.service.family import kill, members
from release_gates.probes.service.logs import Address, find_address, last_lines

_PAUSE_S = 0.002
_KILL_TIMEOUT_S = 10.0


class Exit(NamedTuple):
    """How a service ended: status (-N by signal N), seconds since it was asked, whether it was killed."""

    status: int
    seconds: float
    killed: bool

    def __str__(self) -> str:
        how = f"by signal {-self.status}" if self.status < 0 else f"with status {self.status}"
        return (
            f"killed: it had not ended {self.seconds:.1f} s after SIGTERM" if self.killed else f"ended {how}"
        )


class Service:
    """A program that runs as a service, with its logs in ``folder``.

    It leads its own session and process group, and dies with the thread that started it. Use it as a
    context manager: leaving it kills whatever is left.
    """

    def __init__(
        self,
        program: Path,
        *,
        arguments: Sequence[str] = (),
        folder: Path,
        environ: Mapping[str, str],
        variables: Sequence[str] = (),
    ) -> None:
        """Prepare to run ``program`` in ``folder``; it sees little of ``environ``, and ``variables``."""
        self.program = program.resolve()
        self.stdout = folder / "stdout.log"
        self.stderr = folder / "stderr.log"
        self._arguments = tuple(arguments)
        self._folder = folder
        self._environ = surroundings(environ, more=variables)
        self._process: subprocess.Popen[bytes] | None = None
        self._exit: Exit | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    @property
    def pid(self) -> int:
        """Process number of the program."""
        return self._running().pid

    @property
    def alive(self) -> bool:
        """Whether the program itself still runs."""
        return self._process is not None and self._exit is None and not _has_ended(self._process.pid)

    @property
    def exit(self) -> Exit | None:
        """How it ended, None before ``terminate`` or ``kill``."""
        return self._exit

    def start(self) -> None:
        """Start the program; ``ProbeUnavailable`` for a file that cannot be executed."""
        if self._process is not None:
            raise MeasurementError(
                "the service was started twice.", slug="service-started-twice", hint="Make a new Service."
            )
        if not self.program.is_file() or not os.access(self.program, os.X_OK):
            raise ProbeUnavailable(
                f"{self.program}: is not an executable file.",
                slug="service-not-executable",
                hint="Store the binary with its executable bit: `release-gates candidate create`.",
            )
        self._folder.mkdir(parents=True, exist_ok=True)
        with self.stdout.open("wb") as out, self.stderr.open("wb") as err:
            self._process = subprocess.Popen(
                self._command(),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                cwd=self._folder,
                env=self._environ,
                start_new_session=True,
            )

    def wait_listening(self, timeout_s: float) -> Address:
        """Return the loopback address on which the service says that it listens, once it truly does.

        ``MeasurementError`` with its last log lines if it ends, prints something else, is silent for
        ``timeout_s``, or if the port belongs to another process.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            ended = not self.alive  # before reading, so that its last words are read
            try:
                address = find_address(self.stdout)
            except MeasurementError as error:
                raise self._failure(error.message, error.slug, error.hint) from None
            if ended:
                raise self.died()
            if address is not None:
                return self._confirmed(address)
            if time.monotonic() > deadline:
                raise self._failure(
                    f"the service has not said within {timeout_s:g} s that it listens.",
                    "service-silent",
                    "Look at its log, or raise start_timeout_s in the policy.",
                )
            time.sleep(_PAUSE_S)

    def terminate(self, timeout_s: float) -> Exit:
        """Ask the service to end by SIGTERM, kill all of it when the time is up, and say how it went.

        Whatever it forked is killed as soon as the program itself has ended. A second call returns the
        first one's answer.
        """
        if self._exit is None:
            process = self._running()
            start = time.monotonic()
            if not _has_ended(process.pid):
                process.send_signal(signal.SIGTERM)
            ended = _wait(process.pid, timeout_s)
            self._bury(process, seconds=time.monotonic() - start, killed=not ended)
        return self._ended()

    def kill(self) -> None:
        """End the service and all that it forked, at once. Does nothing if it has been ended."""
        if self._process is not None and self._exit is None:
            self._bury(self._process, seconds=0.0, killed=not _has_ended(self._process.pid))

    def died(self) -> MeasurementError:
        """Return the error that says that the service ended by itself."""
        with_status = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        how = f"{_status(with_status)}" if with_status is not None else "unknown"
        return self._failure(
            f"the service ended by itself, with status {how} (a negative one is a signal).",
            "service-died",
            "Look at its log.",
        )

    def log_tail(self, lines: int = 20) -> str:
        """Return the last lines of stdout and stderr, as errors quote them."""
        parts = ((path.stem, last_lines(path, lines)) for path in (self.stdout, self.stderr))
        return "\n".join(f"  {name}: {line}" for name, found in parts for line in found or ["(nothing)"])

    def _command(self) -> list[str]:
        script = str(Path(launcher.__file__).resolve())
        return [sys.executable, "-I", "-S", script, str(os.getpid()), str(self.program), *self._arguments]

    def _confirmed(self, address: Address) -> Address:
        if not own_port(members(self.pid, self.program), address.port):
            raise self._failure(
                f"the service says that it listens on port {address.port}, but that port is not its own.",
                "service-foreign-port",
                "Another program may hold it: stop that, or let the service choose (--port 0).",
            )
        return address

    def _bury(self, process: subprocess.Popen[bytes], *, seconds: float, killed: bool) -> None:
        """Kill what is left, and only then wait for the leader: until then nobody else has its number."""
        deadline = time.monotonic() + _KILL_TIMEOUT_S
        while (left := members(process.pid, self.program)) and time.monotonic() < deadline:
            kill(left)
            time.sleep(_PAUSE_S)
        status = process.wait(_KILL_TIMEOUT_S)
        self._exit = Exit(status, seconds, killed)
        if left:
            raise self._failure(
                f"processes {sorted(left)} of the service cannot be killed.",
                "service-unkillable",
                "They hang in the kernel: look at the host before you measure on it again.",
            )

    def _failure(self, message: str, slug: str, hint: str) -> MeasurementError:
        return MeasurementError(f"{message}\n{self.log_tail()}\n", slug=slug, hint=hint)

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise MeasurementError(
                "the service was not started.", slug="service-not-started", hint="Call start() first."
            )
        return self._process

    def _ended(self) -> Exit:
        if self._exit is None:
            raise AssertionError("a buried service has its exit")
        return self._exit


def _has_ended(pid: int) -> bool:
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _wait(pid: int, timeout_s: float) -> bool:
    deadline = time.monotonic() + timeout_s
    while not _has_ended(pid):
        if time.monotonic() > deadline:
            return False
        time.sleep(_PAUSE_S)
    return True


def _status(ended: os.waitid_result) -> int:
    return ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status
