"""In the process that decides: begin the run, keep its evidence, end it with a verdict and an exit status."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from release_gates.errors import GateError
from release_gates.ledger.evidence import EvidenceWriter, read_evidence
from release_gates.model.evidence import TestRecord
from release_gates.model.gate import EnvironmentPolicy, Policy
from release_gates.model.outcome import Outcome, Severity
from release_gates.model.verdict import Verdict, taken_back
from release_gates.policy.selection import expected_in
from release_gates.session.departures import Departures
from release_gates.session.ending import NOT_PROVEN, Ending, enough_failed
from release_gates.session.missing import missing_reports
from release_gates.session.outcomes import sentence
from release_gates.session.recording import Recording
from release_gates.session.run import Run

BROKEN = 1
"""Exit status of HOLD (broken); 0 is PROMOTE, and pytest's own from 2 on stay."""


class Deciding:
    """One run: ``run_started``, the evidence as tests finish, the verdict, the exit status.

    ``joined`` says that the run was begun already, by ``release-gates run``; ``part`` that only evidence
    is wanted, and no verdict.
    """

    def __init__(
        self,
        config: pytest.Config,
        policy: Policy,
        environment: EnvironmentPolicy,
        run: Run,
        evidence: Path,
        *,
        departures: Departures,
        joined: bool,
        part: bool,
    ) -> None:
        self.departures = departures
        self._config = config
        self._expected = expected_in(policy, environment)
        self._environment = environment
        self._run = run
        self._evidence = evidence
        self._joined = joined
        self._part = part
        self._ending = Ending()
        self._failed: set[str] = set()
        self._ran: set[str] = set()
        self._status: int | None = None
        self._verdict: Verdict | None = None
        self._enough = False
        self._writer: EvidenceWriter | None = None
        self._session: pytest.Session | None = None
        names = frozenset(gate.name for gate in environment.gates)
        gates = {test: gate for gate, tests in self._expected.items() if gate in names for test in tests}
        self.recording = Recording(names, gates, self._keep)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Take up the candidate before anything is collected: from here on, only a verdict promotes."""
        self._session = session
        try:
            if self._part:
                self._run.keep_inputs()
            elif not self._joined:
                self._run.begin([self._evidence])
            plugins = {
                f"{dist.project_name} {dist.version}"
                for _, dist in self._config.pluginmanager.list_plugin_distinfo()
            }
            header = self._run.header(self._config.invocation_params.args, sorted(plugins))
            self._writer = EvidenceWriter(self._evidence, header)
        except GateError as error:
            raise pytest.UsageError(str(error)) from error

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection(self) -> Generator[None, object, object]:
        """Note why the tests were refused."""
        try:
            return (yield)
        except pytest.UsageError as error:
            self._ending.refused(error)
            raise

    # -- while it runs ----------------------------------------------------------------------------

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        """After the last test, report each expected one that never came, as a failure.

        Not in a part: other parts have them, and who joins the parts sees what is missing.
        """
        try:
            result = yield
        except pytest.UsageError as error:  # of an xdist worker, which collects inside this loop
            self._ending.refused(error)
            raise
        self.recording.close()
        if not (self._part or session.shouldstop or session.shouldfail):
            for report in missing_reports(self._environment, self._expected, self._ran):
                self.recording.counted += 1
                self._config.hook.pytest_runtest_logreport(report=report)
        return result

    def _keep(self, record: TestRecord, limit_broken: bool) -> None:
        self._ran.add(record.id)
        if self._writer is not None:
            self._writer.write(record)
        hook = self._config.hook.pytest_gate_recorded
        if hook.get_hookimpls():
            hook(config=self._config, record=record)
        if limit_broken or record.outcome is Outcome.FAIL:
            self._note_failure(record, limit_broken)

    def _note_failure(self, record: TestRecord, limit_broken: bool) -> None:
        spec = self._environment.gate(record.gate)
        if self._part or spec is None or spec.severity is not Severity.BLOCKING or spec.name in self._failed:
            return
        if self._run.failed(spec, record, limit_broken=limit_broken):
            self._failed.add(spec.name)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note what could not be collected."""
        self._ending.collected(report)

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Note an interrupt, or an exit that somebody asked for."""
        self._enough = self._session is not None and enough_failed(self._session, excinfo.value)
        self._ending.interrupted(excinfo, enough=self._enough)

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
            _leave(session, error)
            raise
        self._decide(session)
        return result

    def _decide(self, session: pytest.Session) -> None:
        if self._writer is None:
            return
        self.recording.close()
        self._ending.counted(session, self.recording.counted)
        self._run.end_evidence(self._writer, (*self._ending.problems, *self.departures.sentences()))
        if self._part:
            self._config.hook.pytest_gate_part_measured(config=self._config, evidence=self._evidence)
            return
        verdict = self._run.conclude([read_evidence(self._evidence)])
        foreign = self._ending.strangers(session, self.recording.counted) > 0
        interrupted = self._enough and session.exitstatus == pytest.ExitCode.INTERRUPTED
        status = pytest.ExitCode.TESTS_FAILED if interrupted else session.exitstatus
        session.exitstatus = self._status = exit_status(int(status), verdict, foreign=foreign)
        self._verdict = verdict
        self._tell(session, verdict)

    def _tell(self, session: pytest.Session, verdict: Verdict) -> None:
        """Tell everybody; whoever breaks at it takes a PROMOTE back, and ends nothing else."""
        try:
            self._config.hook.pytest_gate_decided(config=self._config, verdict=verdict, head=self._run.head)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a report of anybody's, of any kind
            self._take_back(session, f"a plugin broke when it was told of the verdict: {sentence(error)}")
        except BaseException as error:
            self._take_back(session, f"interrupted while the verdict was told: {sentence(error)}")
            raise

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_unconfigure(self) -> Generator[None, object, object]:
        """Have the last word: whatever changed the exit status after the verdict takes a PROMOTE back."""
        session, decided = self._session, self._status
        try:
            result = yield
        except BaseException as error:
            if session is not None and decided is not None:
                self._take_back(session, f"a plugin broke after the verdict: {sentence(error)}")
                _leave(session, error)
            raise
        if session is not None and decided is not None and int(session.exitstatus) != self._status:
            self._take_back(
                session, f"after the verdict the exit status went from {decided} to {session.exitstatus}"
            )
        return result

    def _take_back(self, session: pytest.Session, reason: str) -> None:
        """Invalidate a run that could promote, and have every report follow. A HOLD stays as it is."""
        session.exitstatus = self._status = max(int(session.exitstatus), self._status or 0) or NOT_PROVEN
        verdict = self._verdict
        if verdict is None or not (verdict.promotes or verdict.is_observed):
            self._say(reason)
            return
        try:
            self._run.take_back(reason)
        except GateError as error:
            self._say(f"NOT taken back, as the ledger refused: {error}. {_by_hand(self._run.id, reason)}")
        try:
            now = taken_back(verdict, reason)
            hook, head = self._config.hook.pytest_gate_taken_back, self._run.head
            hook(config=self._config, verdict=now, reason=reason, head=head)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - as above
            self._say(f"The run was taken back, and a plugin broke when it was told: {sentence(error)}")

    def _say(self, text: str) -> None:
        terminal = self._config.pluginmanager.get_plugin("terminalreporter")
        if terminal is not None:
            terminal.ensure_newline()
            terminal.write_line(text)


def _leave(session: pytest.Session, error: BaseException) -> None:
    """Put our exit status in the place of one that somebody wants to leave with, such as ``sys.exit(0)``."""
    if isinstance(error, SystemExit):
        raise SystemExit(int(session.exitstatus)) from error


def _by_hand(run: str, reason: str) -> str:
    return f'Somebody has to: release-gates invalidate {run} --reason "{reason}"'


def exit_status(pytest_status: int, verdict: Verdict, *, foreign: bool = False) -> int:
    """Return what CI sees: 0 only on PROMOTE, 1 and 10 for HOLD; pytest's own statuses from 2 on stay.

    A verdict that is only observed stops nothing: 0, unless ``foreign`` says that something failed that is
    none of our gates' business (pytest-cov, another test): then pytest's own status stays.
    """
    if pytest_status > 1:
        return pytest_status
    if verdict.is_observed:
        return pytest_status if foreign else 0
    if verdict.promotes:
        return 0
    return BROKEN if verdict.kind == "broken" else NOT_PROVEN
