"""While a long run runs: which gates are at work, since when, and how much time is left by earlier runs."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from release_gates.ledger.durations import Durations
from release_gates.model.evidence import TestRecord
from release_gates.report.tally import count
from release_gates.report.text import lasting, wrapped

SHORT_S = 10.0
"""A run that took less than this is over before anybody has read what it is doing."""
PAUSE_S = 30.0
"""So long at least between two lines about gates that are still at work."""


@dataclass(slots=True)
class _AtWork:
    """One gate that has begun."""

    since: datetime
    tests: int
    done: set[str] = field(default_factory=set)


class Progress:
    """Prints a line when a gate begins, and one every half minute while tests end; nothing in short runs.

    ``entry`` names it, ``expected`` are the tests of each of its gates. Plain lines only, as a CI log keeps
    them; there is no thread, because a test may fork.
    """

    def __init__(
        self,
        config: pytest.Config,
        entry: str,
        expected: Mapping[str, Sequence[str]],
        usual: Durations | None,
    ) -> None:
        self._config = config
        self._entry = entry
        self._expected = expected
        self._gates = {test: gate for gate, tests in expected.items() for test in tests}
        self._usual = usual
        self._at_work: dict[str, _AtWork] = {}
        self._done: set[str] = set()
        self._said = time.monotonic()

    @property
    def _wanted(self) -> bool:
        return self._usual is None or self._usual.whole_s >= SHORT_S

    def pytest_report_header(self) -> str:
        """Say what is expected, and how long it took before."""
        gates, tests = count(len(self._expected), "gate"), count(len(self._gates), "test")
        took = ""
        if self._usual is not None:
            runs = "run" if self._usual.of == 1 else f"{self._usual.of} runs"
            took = f"; the last {runs} took about {lasting(self._usual.whole_s)}"
        return f"gates: entry to {self._entry}, {gates}, {tests} expected{took}"

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Say that a gate begins, before the first of its tests is printed."""
        gate = self._gates.get(nodeid, "")
        if not gate or gate in self._at_work:
            return
        begun = _AtWork(since=datetime.now(UTC), tests=len(self._expected[gate]))
        self._at_work[gate] = begun
        if self._wanted:
            self._say(f"gate {gate}: {count(begun.tests, 'test')}, since {_clock(begun.since)}{self._left()}")

    def pytest_gate_recorded(self, record: TestRecord) -> None:
        """Say from time to time how far the gates are that have not ended."""
        self._done.add(record.id)
        begun = self._at_work.get(record.gate)
        if begun is not None:
            begun.done.add(record.id)
        if self._wanted and time.monotonic() - self._said >= PAUSE_S:
            busy = [
                f"{name} {len(each.done)} of {each.tests} since {_clock(each.since)}"
                for name, each in self._at_work.items()
                if len(each.done) < each.tests
            ]
            if busy:
                self._say(f"gates: {', '.join(busy)}{self._left()}")

    def _left(self) -> str:
        if self._usual is None:
            return ""
        left = self._usual.left_s(self._gates.keys(), self._done)
        return f"; about {lasting(left)} left by earlier runs"

    def _say(self, text: str) -> None:
        terminal = self._config.pluginmanager.get_plugin("terminalreporter")
        self._said = time.monotonic()
        if terminal is None:
            return
        terminal.ensure_newline()
        if terminal._tw.width_of_current_line:  # xdist's dots stand in no file's line
            terminal._tw.line()
        for line in wrapped(text, min(200, max(60, terminal._tw.fullwidth))):
            terminal.write_line(line)


def _clock(at: datetime) -> str:
    return f"{at:%H:%M:%S} UTC"
