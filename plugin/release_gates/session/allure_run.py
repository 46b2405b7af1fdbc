"""In the process that decides: what Allure is told of a run as a whole. The verdict stands by then."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from msgspec import json

from release_gates.errors import GateError
from release_gates.host.facts import host_facts
from release_gates.ledger.history import runs
from release_gates.ledger.opening import open_ledger
from release_gates.model.evidence import TestRecord
from release_gates.model.verdict import Verdict
from release_gates.policy.selection import expected_in
from release_gates.report.allure_run import (
    attached,
    environment_properties,
    executor,
    lost_result,
    milliseconds,
    missing_result,
    performance,
    variables,
    verdict_result,
)
from release_gates.report.page import page
from release_gates.session.briefing import Briefing
from release_gates.session.release import release_of
from release_gates.session.settings import setting

PHASES = frozenset({"setup", "call", "teardown"})
MOST_MISSING = 1000
"""So many missing tests get a result each; the verdict counts them all."""


class AllureRun:
    """Writes the verdict, the missing tests, measured values, environment, executor and the release page."""

    def __init__(self, config: pytest.Config, briefing: Briefing) -> None:
        self._config = config
        self._briefing = briefing
        self._folder = Path(config.getoption("allure_report_dir")).absolute()
        self._ran: set[str] = set()
        self._measured: list[TestRecord] = []
        self._lost: list[TestRecord] = []
        """Tests whose process died: it never wrote what Allure had of them."""
        self._uuid = str(uuid4())
        """Of the verdict and the page, so that what is told later takes the place of what was told before."""
        self._older = 0
        self._began = datetime.now(UTC)

    def pytest_sessionstart(self) -> None:
        """Count what an earlier run left there."""
        self._older = sum(1 for _ in self._folder.glob("*-result.json"))

    def pytest_gate_recorded(self, record: TestRecord) -> None:
        """Note what ran, and what it measured."""
        self._ran.add(record.id)
        if not PHASES.issuperset(record.phases):
            self._lost.append(record)
        if record.measurements:
            self._measured.append(record)

    @pytest.hookimpl(tryfirst=True)
    def pytest_gate_decided(self, verdict: Verdict, head: str) -> None:
        """Tell of the run. What cannot be written is said, and changes no verdict."""
        try:
            self._write(verdict, head)
            self._write_tests(verdict)
        except (OSError, GateError) as error:
            self._say(f"Allure was not told everything: {error}")
        if self._older:
            self._say(_stale(self._folder, self._older))

    @pytest.hookimpl(tryfirst=True)
    def pytest_gate_taken_back(self, verdict: Verdict, head: str) -> None:
        """Put how the verdict reads now in the place of everything that was told of it."""
        try:
            self._write(verdict, head)
        except (OSError, GateError) as error:
            self._say(f"Allure may still show what was decided before: {error}")

    def _write(self, verdict: Verdict, head: str) -> None:
        began = milliseconds(self._began)  # results are shown in the order of their beginning
        notes = [_stale(self._folder, self._older)] if self._older else []
        self._result(verdict_result(verdict, head, self._uuid, began, notes))
        self._text("environment.properties", environment_properties(verdict, host_facts(), head))
        if (found := executor(os.environ)) is not None:
            self._json("executor.json", {**found, "reportName": f"{verdict.title}: {verdict.environment}"})
        told = {"title": verdict.title, "run": verdict.run, "variables": variables(verdict)}
        self._json("release-gates.json", told)
        self._page(verdict, head)

    def _write_tests(self, verdict: Verdict) -> None:
        for result in self._unheard(milliseconds(verdict.decided)):
            self._result(result)
        environment = self._briefing.deciding
        if environment is not None:
            self._json(f"{verdict.run}-perf.json", list(performance(self._measured, environment)))

    def _unheard(self, at: int) -> Iterator[dict[str, Any]]:
        environment = self._briefing.deciding
        if environment is None:
            return
        expected = expected_in(self._briefing.policy, environment)
        absent = [
            (test, gate)
            for gate in environment.gates
            for test in expected.get(gate.name, ())
            if test not in self._ran
        ]
        for test, gate in absent[:MOST_MISSING]:
            yield missing_result(test, gate, environment.name, str(uuid4()), at)
        for record in self._lost[:MOST_MISSING]:
            if (spec := environment.gate(record.gate)) is not None:
                because = f"{record.outcome}: {record.because}"
                yield lost_result(record.id, because, spec, environment.name, str(uuid4()), at)

    def _page(self, verdict: Verdict, head: str) -> None:
        text, base = setting(self._config, "ledger")
        events = tuple(open_ledger(text, base=base, state=self._briefing.state).events())
        for view in runs(events):
            if view.started.run == verdict.run:
                stands = f"This run was invalidated: {view.invalidated}" if view.invalidated else ""
                release = release_of(
                    events,
                    view,
                    root=self._config.rootpath,
                    made=datetime.now(UTC),
                    head=head,
                    stands=stands,
                )
                name = f"{self._uuid}-attachment.html"
                self._text(name, page(release))
                self._json(f"{self._uuid}-globals.json", attached(name, milliseconds(verdict.decided)))

    def _result(self, result: dict[str, Any]) -> None:
        self._json(f"{result['uuid']}-result.json", result)

    def _json(self, name: str, document: object) -> None:
        self._text(name, json.encode(document).decode())

    def _text(self, name: str, text: str) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        part = self._folder / f"{name}.tmp"
        part.write_text(text, encoding="utf-8")
        part.replace(self._folder / name)

    def _say(self, sentence: str) -> None:
        terminal = self._config.pluginmanager.get_plugin("terminalreporter")
        if terminal is not None:
            terminal.ensure_newline()
            terminal.write_line(sentence)


def _stale(folder: Path, number: int) -> str:
    return (
        f"{folder} held {number} Allure results of earlier runs before this one: "
        "they will be shown beside it. --clean-alluredir removes them."
    )
