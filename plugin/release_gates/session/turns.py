"""In the process that runs the tests: each test of a gate waits for the host before its setup."""

from __future__ import annotations

import sys
import time
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import pytest

from release_gates.errors import GateError, HostBusy
from release_gates.host.lock import HostLock, Side
from release_gates.host.lock_file import PLACES, shared_folder
from release_gates.host.quiet import wait_quiet
from release_gates.session.briefing import Briefing
from release_gates.session.exclusive import Listening, exclusive_gates
from release_gates.session.marks import gate_of
from release_gates.session.outcomes import quiet_property
from release_gates.session.settings import duration_setting, setting

LOCK_TIMEOUT_S = 600.0
SLICE_S = 0.1
"""So long short tests share one hold on the host, in one process; then whoever waits gets in between."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnSettings:
    """``--gate-lock``, ``--gate-lock-timeout``, ``--gate-wait-quiet``; no folder if the host shares none."""

    folder: Path | None
    timeout_s: float
    quiet_s: float


def turn_settings(config: pytest.Config) -> TurnSettings:
    """Return the settings; PolicyError for a duration that is none."""
    text, base = setting(config, "lock")
    return TurnSettings(
        folder=base / text if text else shared_folder(),
        timeout_s=duration_setting(config, "lock_timeout", LOCK_TIMEOUT_S),
        quiet_s=duration_setting(config, "wait_quiet", 0.0),
    )


class Turns:
    """Holds the host around each test of a gate: alone for exclusive ones, beside others for the rest."""

    def __init__(self, config: pytest.Config, briefing: Briefing) -> None:
        self._config = config
        self._settings = turn_settings(config)
        self._lock = HostLock(self._settings.folder) if self._settings.folder else None
        self._exclusive = exclusive_gates(briefing)
        self._in_worker = hasattr(config, "workerinput")
        self._slice_s = 0.0 if self._in_worker else SLICE_S  # a worker may wait long for its next test
        self._until = 0.0
        self._timeout_s = self._settings.timeout_s
        self._quiet: set[str] = set()
        self._refusal: GateError | None = None

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(
        self, item: pytest.Item, nextitem: pytest.Item | None
    ) -> Generator[None, object, object]:
        """Wait for the host before setup, and let go of it after teardown, when others may have it."""
        gate = gate_of(item)
        if gate is not None:
            self._take(item, gate)
        try:
            return (yield)
        finally:
            lock = self._lock
            if lock is not None and lock.held is not None and self._ends(lock.held, nextitem):
                lock.release()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self) -> None:
        """Report a test that did not get its turn as an error of its setup."""
        if self._refusal is not None:
            refusal, self._refusal = self._refusal, None
            raise refusal

    def pytest_unconfigure(self) -> None:
        """Close what is open."""
        if self._lock is not None:
            self._lock.close()

    def _ends(self, held: Side, nextitem: pytest.Item | None) -> bool:
        return held is Side.ALONE or nextitem is None or time.monotonic() >= self._until

    def _take(self, item: pytest.Item, gate: str) -> None:
        side = Side.ALONE if gate in self._exclusive else Side.BESIDE_OTHERS
        if self._lock is not None and self._lock.held is side:
            return
        listening = self._config.pluginmanager.get_plugin("release_gates_listening")
        if isinstance(listening, Listening) and not listening.may_run(item):
            return
        try:
            self._acquire(side)
        except GateError as refusal:
            self._refusal = refusal
            self._timeout_s = (
                0.0  # who waited once in vain does not wait so long for each of thousands of tests
            )
            return
        if side is Side.ALONE and self._settings.quiet_s and gate not in self._quiet:
            self._quiet.add(gate)
            item.user_properties.append(quiet_property(wait_quiet(self._settings.quiet_s, self._say)))

    def _acquire(self, side: Side) -> None:
        if self._lock is not None:
            self._lock.acquire(side, timeout_s=self._timeout_s, say=self._say)
            self._until = time.monotonic() + self._slice_s
        elif side is Side.ALONE:  # nobody on this host gets further, so the others need no lock
            raise HostBusy(
                f"no folder of this host can hold a lock for all users (of {', '.join(map(str, PLACES))}).",
                slug="host-lock-unusable",
                hint="Name one, the same for all: --gate-lock DIR, GATE_LOCK or the ini key gate_lock.",
            )

    def _say(self, line: str) -> None:
        """Show a line: an xdist worker has no terminal, but its standard error is the controller's."""
        terminal = self._config.pluginmanager.get_plugin("terminalreporter")
        if terminal is None or self._in_worker:
            print(f"gates: {line}", file=sys.stderr, flush=True)
        else:
            terminal.ensure_newline()
            terminal.write_line(f"gates: {line}")
