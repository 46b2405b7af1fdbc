"""What a test asks of checkov: the fixture ``gate_checkov`` without its pytest."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol, TypeVar

import msgspec
import pytest

from release_gates.errors import GateError
from release_gates.model.foreign import plain
from release_gates.model.severity import Severity
from release_gates.probes.checkov.faults import failed, not_whole
from release_gates.probes.checkov.judging import Judgement, judge_reports
from release_gates.probes.checkov.program import find_program, run_program
from release_gates.probes.checkov.report import Report, read_report
from release_gates.probes.checkov.settings import CheckovSettings, Framework, Scan
from release_gates.probes.checkov.targets import (
    Laid,
    lay_out_manifests,
    lay_out_plan,
    lay_out_terraform,
)

Settings = TypeVar("Settings", bound=msgspec.Struct)
SHOWN = 10
"""So many findings stand in one sentence before "and N more"."""
COUNTS = (*(severity.value for severity in Severity), "accepted", "off", "resources")


class Build(Protocol):
    """What this probe needs of a candidate."""

    def artifact(self, name: str) -> Path:
        """Return an artifact in the store, hashed again; raises GateError."""
        ...


class Gate(Protocol):
    """The fixture ``gate``, as far as checkov needs it."""

    @property
    def candidate(self) -> Build:
        """The candidate."""
        ...

    @property
    def rootdir(self) -> Path:
        """The folder that holds ``gates/``."""
        ...

    def settings(self, kind: type[Settings]) -> Settings:
        """Return the settings of a probe."""
        ...

    def measure(self, name: str, value: float, unit: str, *, samples: int | None = None) -> None:
        """Record one observed value."""
        ...

    def missing(self, name: str, because: str) -> None:
        """Say why a value could not be had."""
        ...


LAY_OUT: Mapping[Framework, Callable[[Path, str, Path], Laid]] = {
    "terraform": lay_out_terraform,
    "terraform_plan": lay_out_plan,
    "kubernetes": lay_out_manifests,
}
Scanned = tuple[tuple[Scan, Report], ...]


class Scans:
    """What checkov said in this session, once for each candidate and policy."""

    def __init__(self, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """Scan nothing yet; ``clock`` tells which acceptances are over."""
        self.clock = clock
        self._kept: dict[bytes, Scanned | GateError] = {}

    def scanned(self, gate: Gate, settings: CheckovSettings, program: Path, work: Path) -> Scanned:
        """Return the reports on what the settings name; an error is kept, and raised each time."""
        sources = [_source(gate, scan) for scan in settings.scans]
        key = msgspec.json.encode((settings, str(program), [str(one) for one in sources]))
        if key not in self._kept:
            try:
                pairs = zip(settings.scans, sources, strict=True)
                self._kept[key] = tuple(_scanned(*pair, settings, program, work) for pair in pairs)
            except GateError as error:
                self._kept[key] = error
        found = self._kept[key]
        if isinstance(found, GateError):
            raise found
        return found


class GateCheckov:
    """checkov on what a gate's policy names."""

    def __init__(self, gate: Gate, scans: Scans, work: Path) -> None:
        """Judge by the settings of ``gate``; lay out what is scanned below ``work``."""
        self._gate, self._scans, self._work = gate, scans, work
        self.settings = gate.settings(CheckovSettings)

    def check(self) -> None:
        """Fail if checkov finds something that policy does not accept, from ``fails_from`` on.

        Without the program it is INCONCLUSIVE here and MISSING in what ``measure`` counts; a checkov that
        crashes, complains, takes too long, or leaves something out is an error.
        """
        found = self._judged()
        if found is None:
            raise pytest.skip.Exception(self._absent)
        failing = [one.sentence for one in found.findings if self._fails(one.severity)]
        if failing:
            more = len(failing) - SHOWN
            raise AssertionError("\n".join([*failing[:SHOWN], *([f"and {more} more"] if more > 0 else [])]))

    def measure(self) -> None:
        """Measure ``checkov.critical``, ``.high``, ``.medium``, ``.low``, ``.accepted``, ``.off`` and
        ``.resources``, in "count"; all are MISSING without the program.
        """
        found = self._judged()
        if found is None:
            for name in COUNTS:
                self._gate.missing(f"checkov.{name}", self._absent)
            return
        by_severity = [sum(one.severity is each for one in found.findings) for each in Severity]
        counts = (*by_severity, len(found.accepted), len(self.settings.off), found.resources)
        for name, count in zip(COUNTS, counts, strict=True):
            self._gate.measure(f"checkov.{name}", count, "count", samples=found.resources)

    def _judged(self) -> Judgement | None:
        program = find_program(self.settings.program, self._gate.rootdir)
        if program is None:
            return None
        scanned = self._scans.scanned(self._gate, self.settings, program, self._work)
        return judge_reports(scanned, self.settings, self._scans.clock().astimezone(UTC).date())

    @property
    def _absent(self) -> str:
        version = f"=={self.settings.version}" if self.settings.version else ""
        return (
            f"policy asks for {self.settings.program}, and there is no such program: "
            f"python -m venv build/checkov && build/checkov/bin/pip install checkov{version}"
        )

    def _fails(self, severity: Severity) -> bool:
        return severity.rank <= self.settings.fails_from.rank


def _source(gate: Gate, scan: Scan) -> Path:
    return gate.candidate.artifact(scan.artifact) if scan.artifact else gate.rootdir / scan.folder


def _scanned(
    scan: Scan, source: Path, settings: CheckovSettings, program: Path, work: Path
) -> tuple[Scan, Report]:
    target = work / f"{scan.framework}-{settings.scans.index(scan)}"
    target.mkdir(parents=True)
    laid = LAY_OUT[scan.framework](source, scan.place, target)
    ended = run_program(program, scan.framework, target, timeout_s=settings.timeout_s)
    report = read_report(ended.output, framework=scan.framework, place=scan.place, status=ended.status)
    version, seen = report.summary.checkov_version, report.summary.resource_count
    if settings.version and version != settings.version:
        raise failed(program.name, f"it is {plain(version)}, and policy asks for {settings.version}")
    if seen < laid.resources:
        raise not_whole(scan.place, f"checkov saw {seen} of at least {laid.resources} resources")
    if unseen := sorted(laid.named - report.files):
        raise not_whole(scan.place, f"checkov says nothing of {plain(', '.join(unseen), 200)}")
    return scan, report
