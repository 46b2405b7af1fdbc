"""In the process that decides: begin the run, keep its evidence, end it with a verdict and an exit status."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from release_gates.errors import GateError
from release_gates.ledger.evidence import EvidenceWriter
from release_gates.model.evidence import TestRecord
from release_gates.model.gate import EnvironmentPolicy
from release_gates.model.outcome import Outcome, Severity
from release_gates.model.verdict import Verdict
from release_gates.session.briefing import Briefing
from release_gates.session.ending import Ending
from release_gates.session.missing import missing_reports
from release_gates.session.recording import Recording
from release_gates.session.run import Run

BROKEN, NOT_PROVEN = 1, 10
"""Exit statuses of HOLD; 0 is PROMOTE, and pytest's own from 2 on stay."""


class Deciding:
    """One run: ``run_started``, the evidence as tests finish, the verdict, the exit status."""

    def __init__(self, config: pytest.Config, briefing: Briefing, environment: EnvironmentPolicy, run: Run) -> None:
        self._config = config
        self._briefing = briefing
        self._environment = environment
        self._run = run
        self._ending = Ending()
        self._failed: set[str] = set()
        self._ran: set[str] = set()
        self._status: int | None = None
        self._writer: EvidenceWriter | None = None
        self._session: pytest.Session | None = None
        names = frozenset(gate.name for gate in environment.gates)
        expected = {
            test: gate for gate, tests in briefing.policy.expected.items() if gate in names for test in tests
        }
        self.recording = Recording(names, expected, self._keep)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Take up the candidate before anything is collected: from here on, only a verdict promotes."""
        self._session = session
        try:
            self._writer = self._run.begin()
        except GateError as error:
            raise pytest.UsageError(str(error)) from error

    # -- while it runs ----------------------------------------------------------------------------

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        """After the last test, report each expected one that never came, as a failure."""
        result = yield
        self.recording.close()
        if not session.shouldstop and not session.shouldfail:
            for report in missing_reports(self._environment, self._briefing.policy.expected, self._ran):
                self.recording.counted += 1
                self._config.hook.pytest_runtest_logreport(report=report)
        return result

    def _keep(self, record: TestRecord, limit_broken: bool) -> None:
        self._ran.add(record.id)
        if self._writer is not None:
            self._writer.write(record)
        self._config.hook.pytest_gate_recorded(config=self._config, record=record)
        spec = self._environment.gate(record.gate)
        if spec and spec.severity is Severity.BLOCKING and record.gate not in self._failed:
            if self._run.failed(spec, record, limit_broken):
                self._failed.add(record.gate)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note what could not be collected."""
        self._ending.collected(report)

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Note an interrupt, or an exit that somebody asked for."""
        self._ending.interrupted(excinfo)

    def pytest_internalerror(self, excrepr: object) -> None:
        """Note that pytest or a plugin broke."""
        self._ending.broke(excrepr)

    # -- the end ----------------------------------------------------------------------------------

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, object, object]:
        """Decide after everybody else has finished; print after everybody else has printed."""
        try:
            result = yield
        except BaseException as error:
            self._ending.raised(error)
            self._decide(session)
            raise
        self._decide(session)
        return result

    def _decide(self, session: pytest.Session) -> None:
        if self._writer is None:
            return
        self.recording.close()
        self._ending.counted(session, self.recording.counted)
        verdict = self._run.conclude(self._writer, self._ending.problems)
        session.exitstatus = self._status = exit_status(int(session.exitstatus), verdict)
        self._config.hook.pytest_gate_decided(config=self._config, verdict=verdict, head=self._run.head)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_unconfigure(self) -> Generator[None, object, object]:
        """Have the last word: whatever changed the exit status after the verdict takes a PROMOTE back."""
        result = yield
        session, decided = self._session, self._status
        if session is not None and decided is not None and int(session.exitstatus) != decided:
            self._run.take_back(f"after the verdict the exit status went from {decided} to {session.exitstatus}")
            session.exitstatus = max(int(session.exitstatus), decided) or NOT_PROVEN
        return result


def exit_status(pytest_status: int, verdict: Verdict) -> int:
    """Return what CI sees: 0 only on PROMOTE; HOLD is 1 (broken) or 10 (not proven); 2 and up stay pytest's."""
    if pytest_status > 1:
        return pytest_status
    if verdict.promotes:
        return 0
    return BROKEN if verdict.kind == "broken" else NOT_PROVEN
