"""Findings of a tool that ran inside a gate test: judged by the same policy as imported ones."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Protocol

from release_gates.model.outcome import Outcome
from release_gates.probes.sarif.assessment import Judged, judge_findings, sentence
from release_gates.probes.sarif.checkout import Checkout
from release_gates.probes.sarif.completeness import check_run
from release_gates.probes.sarif.document import ToolRun, read_log
from release_gates.probes.sarif.faults import undecided, unreadable
from release_gates.probes.sarif.findings import findings_of
from release_gates.probes.sarif.known import FOLDER, KnownFinding, read_known
from release_gates.probes.sarif.places import Places
from release_gates.probes.sarif.settings import FindingsSettings

LARGEST_BYTES = 64 * 1024 * 1024


class Gate(Protocol):
    """What this probe needs of the fixture ``gate``."""

    @property
    def name(self) -> str:
        """Return the gate's name."""

    def settings(self, kind: type[FindingsSettings]) -> FindingsSettings:
        """Return the probe's settings from policy."""

    def policy_file(self, path: str) -> str | None:
        """Return the text of a file of the rules."""

    def measure(self, name: str, value: float, unit: str, *, samples: int | None = None) -> None:
        """Record a measurement."""

    def attach(self, name: str, path: Path) -> None:
        """Keep a file with the evidence."""


class GateFindings:
    """The findings of one gate's tools. Policy says what each does: ``[gate.NAME.findings]``."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._settings = gate.settings(FindingsSettings)

    def measure(self, file: Path, *, root: Path, looked_at: int) -> tuple[Judged, ...]:
        """Judge a SARIF file about the sources below ``root`` and return every finding.

        Measures, with ``looked_at`` files as samples and in ``count``, for each tool: ``TOOL.blocking`` and
        ``TOOL.tolerated``. Raises AssertionError (FAIL) that names what blocks, and MeasurementError where a
        person has to look first, and for a file that does not show that its tool ended well.
        """
        self._gate.attach(file.name, file)
        judged = [each for run in self._runs(file) for each in self._judged(run, file, root, looked_at)]
        outcomes = {each.outcome for each in judged}
        if Outcome.FAIL in outcomes:
            raise AssertionError(sentence(judged, Outcome.FAIL))
        if Outcome.INCONCLUSIVE in outcomes:
            raise undecided(file.name, sentence(judged, Outcome.INCONCLUSIVE))
        return tuple(judged)

    def _runs(self, file: Path) -> tuple[ToolRun, ...]:
        with file.open("rb") as opened:
            data = opened.read(LARGEST_BYTES + 1)
        if len(data) > LARGEST_BYTES:
            raise unreadable(file.name, "$", f"it is larger than {LARGEST_BYTES} bytes")
        return read_log(file.name, data).runs or ()

    def _judged(self, run: ToolRun, file: Path, root: Path, looked_at: int) -> tuple[Judged, ...]:
        tool = check_run(run, file=file.name, place="$.runs")
        places = Places(run, root.resolve().as_posix())
        lines_of = Checkout(root).lines_of
        found = findings_of(run, tool, places, lines_of, file=file.name, place="$.runs")
        judged = judge_findings(found, self._known(tool), self._settings, today=_today())
        for name, outcomes in (
            ("blocking", (Outcome.FAIL, Outcome.INCONCLUSIVE)),
            ("tolerated", (Outcome.WARN,)),
        ):
            number = sum(each.outcome in outcomes for each in judged)
            self._gate.measure(f"{tool}.{name}", number, "count", samples=looked_at)
        return judged

    def _known(self, tool: str) -> tuple[KnownFinding, ...]:
        """Return what is known of a tool, whatever file its findings were read from then."""
        path = f"{FOLDER}/{self._gate.name}.json"
        text = self._gate.policy_file(path)
        known = () if text is None else read_known(path, text, today=_today())
        return tuple(entry for entry in known if entry.test.startswith(f"sarif:{tool}::"))


def _today() -> date:
    return datetime.now(UTC).date()
