"""In the process that decides: from pytest's reports to test records, written as tests finish."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from release_gates.model.evidence import TestRecord
from release_gates.model.outcome import Outcome, worst
from release_gates.model.quiet import Quiet
from release_gates.session.outcomes import GATE_PROPERTY, Attempt, attempts, quiet_of, report_sentence

Finding = tuple[Outcome, str]


@dataclass(slots=True)
class _Open:
    """A test whose teardown has not been reported yet; ``findings`` are those of the running attempt."""

    gate: str
    starts: int = 0
    phases: list[str] = field(default_factory=list)
    earlier: list[Finding] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    tries: list[Attempt] = field(default_factory=list)
    quiet: Quiet | None = None
    duration_s: float = 0.0


class Recording:
    """Turns reports of gate tests into ``TestRecord`` and hands each over when its teardown is reported.

    ``gates`` are the gates of the environment, ``expected`` maps node ids to gates (for the report of a
    crashed worker, which carries nothing). ``counted`` is how many failed reports belong to these gates.
    ``keep`` gets each record, and whether a limit of its last attempt is broken.
    """

    def __init__(
        self, gates: frozenset[str], expected: Mapping[str, str], keep: Callable[[TestRecord, bool], None]
    ) -> None:
        self._gates = gates
        self._expected = expected
        self._keep = keep
        self._open: dict[str, _Open] = {}
        self._closed = False
        self.counted = 0

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note one phase of one test."""
        if self._closed:
            return
        test = self._open.get(report.nodeid)
        if test is None:
            gate = self._gate(report)
            if gate is None:
                return
            test = self._open[report.nodeid] = _Open(gate, quiet=quiet_of(report.user_properties))
        self._note(test, report)
        if report.when not in ("setup", "call"):
            del self._open[report.nodeid]
            self._finish(report.nodeid, test)

    def close(self) -> None:
        """Record what never came to its end; later reports (those of missing tests) are nobody's evidence."""
        self._closed = True
        for nodeid, test in self._open.items():
            self._finish(nodeid, test)
        self._open.clear()

    def _gate(self, report: pytest.TestReport) -> str | None:
        for name, value in report.user_properties:
            if name == GATE_PROPERTY:
                return str(value) if value in self._gates else None
        return self._expected.get(report.nodeid)

    def _note(self, test: _Open, report: pytest.TestReport) -> None:
        when = str(report.when)
        if when == "setup":
            _start_attempt(test)
        elif when == "call":
            test.tries = attempts(report.user_properties)
        test.phases.append(when)
        test.duration_s += report.duration
        if report.outcome != "passed" or hasattr(report, "wasxfail"):
            self.counted += report.outcome == "failed" and not hasattr(report, "wasxfail")
            test.findings.extend(_findings(report, test.tries))

    def _finish(self, nodeid: str, test: _Open) -> None:
        if not (test.findings or test.earlier or test.tries or test.starts > 1):
            record = TestRecord(
                id=nodeid,
                gate=test.gate,
                outcome=Outcome.PASS,
                phases=tuple(test.phases),
                quiet=test.quiet,
                finished=datetime.now(UTC),
                duration_s=test.duration_s,
            )
            self._keep(record, False)
        else:
            self._finish_with_findings(nodeid, test)

    def _finish_with_findings(self, nodeid: str, test: _Open) -> None:
        tries = test.tries
        excused = any(because.startswith(EXPECTED_TO_FAIL) for _, because in test.findings)
        fingerprints = _fingerprints(test, excused=excused)
        if tries and not excused:
            test.findings.append((tries[-1].outcome, tries[-1].because))
        findings = [*test.findings, *test.earlier, *((past.judged, past.because) for past in tries[:-1])]
        outcome = worst([Outcome.PASS, *(found for found, _ in findings)])
        record = TestRecord(
            id=nodeid,
            gate=test.gate,
            outcome=outcome,
            because=next((because for found, because in findings if found is outcome), ""),
            phases=tuple(test.phases),
            measurements=tries[-1].measurements if tries else (),
            attachments=tries[-1].attachments if tries else (),
            attempts=max(test.starts, len(tries), 1),
            last=worst([Outcome.PASS, *(found for found, _ in test.findings)]),
            network_only=all(past.network for past in tries if past.outcome is not Outcome.PASS),
            fingerprints=fingerprints if outcome.rank else (),
            quiet=test.quiet,
            finished=datetime.now(UTC),
            duration_s=test.duration_s,
        )
        self._keep(record, bool(tries) and tries[-1].judged is Outcome.FAIL)


EXPECTED_TO_FAIL = "expected to fail"


def _fingerprints(test: _Open, *, excused: bool) -> tuple[str, ...]:
    """Return one for each failure of the test itself, "" for one that no waiver can name."""
    *past, last = test.tries or [Attempt()]
    found = ["" for _ in (*test.findings, *test.earlier)]
    found += ["" if each.broken else each.fingerprint for each in past if each.judged.rank]
    found += [last.fingerprint for _ in range(last.outcome is not Outcome.PASS and not excused)]
    return tuple(dict.fromkeys(found))


def _start_attempt(test: _Open) -> None:
    test.starts += 1
    test.phases.clear()
    test.earlier.extend(test.findings)
    test.findings.clear()
    test.tries = []


def _findings(report: pytest.TestReport, tries: list[Attempt]) -> Iterator[Finding]:
    because = report_sentence(report)
    if hasattr(report, "wasxfail") and report.when == "call" and tries and tries[-1].waived:
        return  # our own: what it did and measured is in the attempt, and `decide` judges it again
    if hasattr(report, "wasxfail"):
        yield Outcome.INCONCLUSIVE, f"{EXPECTED_TO_FAIL} ({report.wasxfail or 'no reason given'})"
    elif report.outcome == "skipped":
        yield Outcome.INCONCLUSIVE, f"skipped: {because.removeprefix('Skipped: ')}"
    elif report.when in ("setup", "teardown"):
        yield Outcome.ERROR, f"{report.when} failed: {because}"
    elif report.when != "call":
        yield Outcome.ERROR, f"the process that ran it died: {because}"
    elif not tries or tries[-1].judged in (Outcome.PASS, Outcome.WARN):
        yield Outcome.FAIL, because
