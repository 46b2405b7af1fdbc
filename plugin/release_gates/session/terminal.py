"""What a person sees at the end of a pytest run."""

from __future__ import annotations

from pathlib import Path

import pytest

from release_gates.model.figures import figure
from release_gates.model.measurement import Measurement
from release_gates.model.verdict import Verdict
from release_gates.report.text import rule, taken_back_lines, verdict_lines
from release_gates.session.marks import LEFT_OUT
from release_gates.session.outcomes import attempts

MOST_SHOWN = 40


class VerdictBlock:
    """Prints the verdict after everything else."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_gate_decided(self, config: pytest.Config, verdict: Verdict, head: str) -> None:
        """Print what was decided and why, before anybody else can break."""
        if (terminal := _terminal(config)) is not None:
            _print(terminal, verdict_lines(verdict, head=head, width=_width(terminal)), go=verdict.promotes)

    @pytest.hookimpl(tryfirst=True)
    def pytest_gate_taken_back(self, config: pytest.Config, verdict: Verdict, head: str) -> None:
        """Print that what was decided counts no more."""
        if (terminal := _terminal(config)) is not None:
            _print(terminal, taken_back_lines(verdict, head=head, width=_width(terminal)), go=False)

    def pytest_gate_part_measured(self, config: pytest.Config, evidence: Path) -> None:
        """Say that this was a part."""
        if (terminal := _terminal(config)) is not None:
            terminal.ensure_newline()
            terminal.write_line(f"PART: evidence in {evidence}; nothing was decided.")


def _terminal(config: pytest.Config) -> pytest.TerminalReporter | None:
    found: pytest.TerminalReporter | None = config.pluginmanager.get_plugin("terminalreporter")
    return found


def _width(terminal: pytest.TerminalReporter) -> int:
    return min(200, max(60, terminal._tw.fullwidth))


def _print(terminal: pytest.TerminalReporter, lines: list[str], *, go: bool) -> None:
    terminal.ensure_newline()
    for number, line in enumerate(lines):
        terminal.write_line(line, bold=number == 0, green=number == 0 and go)


class Showing:
    """Without ``gate_<environment>`` in ``-m``: shows what was measured and decides nothing."""

    def __init__(self) -> None:
        self._seen: list[tuple[str, Measurement]] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Collect measurements."""
        if report.when == "call":
            for attempt in attempts(report.user_properties)[-1:]:
                self._seen.extend((report.nodeid, measurement) for measurement in attempt.measurements)

    def pytest_terminal_summary(
        self, terminalreporter: pytest.TerminalReporter, config: pytest.Config
    ) -> None:
        """Say which tests only a decision runs, and list what was measured."""
        for gate, count in config.stash.get(LEFT_OUT, {}).items():
            tests = "1 test" if count == 1 else f"{count} tests"
            said = "is exclusive or destructive: only `-m gate_<environment>` runs it"
            terminalreporter.write_line(f"gates: {tests} of gate {gate} left out, which {said}.")
        if not self._seen:
            return
        terminalreporter.write_line(rule("measured, nothing decided", 80))
        for nodeid, measurement in self._seen[:MOST_SHOWN]:
            value = (
                measurement.because
                if measurement.value is None
                else figure(measurement.value, measurement.unit)
            )
            terminalreporter.write_line(f"{measurement.name}  {value}   {nodeid}")
        if len(self._seen) > MOST_SHOWN:
            terminalreporter.write_line(f"and {len(self._seen) - MOST_SHOWN} more")
        terminalreporter.write_line("`-m gate_<environment>` decides an entry.")
