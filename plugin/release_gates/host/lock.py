"""One lock for the whole host: beside others, or alone. By ``flock``: the kernel ends it with its holder.

Two files. Whoever wants the host takes the *turnstile* first, keeps it while it waits for the *host*, and
gives it back when it has it: while somebody waits to be alone, nobody else comes in, and after that everybody
who waited meanwhile comes before the next who wants to be alone.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import NamedTuple

from release_gates.errors import HostBusy
from release_gates.host.lock_file import Held, LockFile, parse_locks
from release_gates.host.processes import command_of, started_at

NAME = "pytest-release-gates"
HELD_BY = "GATE_LOCK_HELD_BY"
"""Environment variable that tells an inner pytest who holds the host: pid, its start, the lock's folder."""

TICK_S = 0.02
FIRST_WORD_S = 2.0
"""So long a wait is silent; then it is told, and told again after every ``NEXT_WORD_S``."""
NEXT_WORD_S = 60.0

MOST_NAMED = 3
"""So many processes are named in one sentence."""

Say = Callable[[str], None]


class Side(Enum):
    """How a test wants the host; the value is the operation of ``flock`` (LOCK_SH, LOCK_EX)."""

    BESIDE_OTHERS = 1
    ALONE = 2


class Holder(NamedTuple):
    """A process that stands in the way, for ``held_s`` seconds; if not ``exact``, at least so long."""

    pid: int
    command: str
    what: str
    held_s: float
    exact: bool

    def __str__(self) -> str:
        at_least = "" if self.exact else "at least "
        who = f"`{self.command}`" if self.command else "gone; a process that it started still holds it"
        return f"pid {self.pid} ({who}), which {self.what} for {at_least}{_time(self.held_s)}"


class HostLock:
    """This process's hold on the host, or that of the process that it runs inside of."""

    def __init__(self, folder: Path, *, variables: dict[str, str] | os._Environ[str] = os.environ) -> None:
        self._folder = folder
        self._turnstile = LockFile(folder / f"{NAME}.turnstile")
        self._host = LockFile(folder / f"{NAME}.lock")
        self._variables = variables
        self._outer = variables.get(HELD_BY, "")
        self._told = bool(self._outer)
        self.held: Side | None = None

    def acquire(self, side: Side, *, timeout_s: float, say: Say) -> None:
        """Wait until the host is free for this side, at most ``timeout_s``; 0 tries once.

        An inner pytest has what the outer one holds. Raises HostBusy, with who holds the host, when the time
        is over; at once where the outer test is not alone itself and could never give way.
        """
        self.release()
        outer = self._held_outside()
        if outer is Side.BESIDE_OTHERS and side is Side.ALONE:
            raise HostBusy(
                "this test has to be alone on its host, and runs inside of a test that is not.",
                slug="alone-inside-beside",
                hint="Put the outer test into a gate with `exclusive = true`.",
            )
        if outer is None:
            self._acquire(side, _Patience(self, side, timeout_s, say))
        self.held = side

    def release(self) -> None:
        """Let go of the host, if this process holds it."""
        if self.held is not None:
            self._host.unlock()
            self.held = None

    def close(self) -> None:
        """Let go, and close both files."""
        self.release()
        self._turnstile.close()
        self._host.close()

    def in_the_way(self, side: Side, waited_s: float) -> tuple[Holder, ...]:
        """Return who keeps this process from the host, who waited so long already."""
        locks = [lock for lock in _locks() if lock.pid != os.getpid()]
        before = [lock for lock in self._turnstile.held(locks) if lock.alone or side is Side.ALONE]
        everybody = bool(before) or side is Side.ALONE
        holders = [lock for lock in self._host.held(locks) if lock.alone or everybody]
        return (
            *(self._holder(lock, waited_s) for lock in holders),
            *(_waiter(lock, waited_s) for lock in before),
        )

    def _acquire(self, side: Side, patience: _Patience) -> None:
        try:
            while not self._turnstile.lock(side.value):
                patience.wait()
            while not self._host.lock(side.value):
                patience.wait()
        finally:
            self._turnstile.unlock()
        if side is Side.ALONE:
            self._host.touch()
        if not self._told:
            self._variables[HELD_BY] = f"{os.getpid()}:{started_at(os.getpid())}:{self._folder}"
            self._told = True

    def _held_outside(self) -> Side | None:
        """Return what the process holds that this one runs inside of; None if it is no more true."""
        pid, _, rest = self._outer.partition(":")
        started, _, folder = rest.partition(":")
        if folder != str(self._folder) or not pid.isdigit() or started != str(started_at(int(pid))):
            return None
        held = [lock.alone for lock in self._host.held(_locks()) if lock.pid == int(pid)]
        return (Side.ALONE if any(held) else Side.BESIDE_OTHERS) if held else None

    def _holder(self, lock: Held, waited_s: float) -> Holder:
        command = command_of(lock.pid)
        if not lock.alone:
            return Holder(lock.pid, command, "runs a test of a gate", waited_s, False)
        since = self._host.touched()
        held_s = waited_s if since is None else max(time.time() - since, waited_s)
        return Holder(lock.pid, command, "is alone on this host", held_s, since is not None)


class _Patience:
    """How long a process waits for the host, and what it says meanwhile."""

    def __init__(self, lock: HostLock, side: Side, timeout_s: float, say: Say) -> None:
        self._lock = lock
        self._side = side
        self._timeout_s = timeout_s
        self._say = say
        self._since = time.monotonic()
        self._next_word_s = FIRST_WORD_S

    def wait(self) -> None:
        """Wait a little; HostBusy when the time is over."""
        waited_s = time.monotonic() - self._since
        if waited_s >= self._timeout_s:
            raise HostBusy(
                f"the host was not free within {_time(self._timeout_s)}: {self._who(waited_s)}.",
                slug="host-busy",
                hint="Wait for it or end it, then run again; --gate-lock-timeout gives more time.",
            )
        if waited_s >= self._next_word_s:
            self._say(f"waiting for the host since {_time(waited_s)}: {self._who(waited_s)}")
            self._next_word_s += NEXT_WORD_S
        time.sleep(TICK_S)

    def _who(self, waited_s: float) -> str:
        found = self._lock.in_the_way(self._side, waited_s)
        if not found:
            return "it is held by a process that cannot be seen from here (in another container?)"
        more = f"; and {len(found) - MOST_NAMED} more" if len(found) > MOST_NAMED else ""
        return f"it is held by {'; '.join(str(holder) for holder in found[:MOST_NAMED])}{more}"


def _waiter(lock: Held, waited_s: float) -> Holder:
    what = "waits to be alone on this host" if lock.alone else "waits for this host"
    return Holder(lock.pid, command_of(lock.pid), what, waited_s, False)


def _locks() -> tuple[Held, ...]:
    try:
        return parse_locks(Path("/proc/locks").read_text(encoding="ascii", errors="replace"))
    except OSError:
        return ()


def _time(seconds: float) -> str:
    return f"{seconds / 60:.3g} min" if seconds >= 120 else f"{seconds:.3g} s"
