"""Measure the coverage of a candidate: by component, in total, of the changed lines, against the baseline."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from release_gates.errors import GateError, MeasurementError
from release_gates.probes.coverage.components import (
    Component,
    components_of,
    files_below,
    total_of,
    unmeasured,
    unmeasured_gap,
)
from release_gates.probes.coverage.diff import changed_lines, changed_share, tracked_paths
from release_gates.probes.coverage.facts import CoverageReport, Share
from release_gates.probes.coverage.freshness import check_fresh
from release_gates.probes.coverage.paths import SourceRoot
from release_gates.probes.coverage.reader import DATA_FILE, detect, read_report
from release_gates.probes.coverage.settings import CoverageSettings

UNIT = "ratio"
RATES = {"line": "executable lines", "branch": "branches", "function": "functions"}
"""What each rate counts."""


class Build(Protocol):
    """What this probe needs of a candidate or a baseline."""

    @property
    def version(self) -> str:
        """Return the version, for people."""

    @property
    def commit(self) -> str:
        """Return the id of the commit it was built from."""

    def artifact(self, name: str) -> Path:
        """Return the artifact from the store, hashed again; raises GateError."""

    def artifact_source(self, name: str) -> Path | None:
        """Return where the artifact was built, with its own times, or None when that is unknown."""


class Gate(Protocol):
    """What this probe needs of the fixture ``gate``."""

    @property
    def candidate(self) -> Build:
        """Return the candidate."""

    @property
    def baseline(self) -> Build | None:
        """Return the baseline, or None for a first release."""

    @property
    def rootdir(self) -> Path:
        """Return the root directory of the suite."""

    def settings(self, kind: type[CoverageSettings]) -> CoverageSettings:
        """Return the probe's settings from policy."""

    def measure(
        self, name: str, value: float, unit: str, *, samples: int | None = None, baseline: float | None = None
    ) -> None:
        """Record a measurement."""

    def missing(self, name: str, because: str) -> None:
        """Record that a measurement could not be taken."""

    def not_applicable(self, name: str, because: str) -> None:
        """Record that there is nothing to measure."""

    def attach(self, name: str, path: Path) -> None:
        """Keep a file with the evidence."""


class GateCoverage:
    """The coverage of one candidate, measured for one gate."""

    def __init__(self, gate: Gate) -> None:
        self.gate = gate
        self.settings = gate.settings(CoverageSettings)

    def measure(self) -> CoverageReport:
        """Measure every component, ``total`` and ``diff``, and return the candidate's report.

        Rates are in 0..1 with the number of lines, branches or functions as samples. What cannot be told is
        MISSING with its reason. Raises MeasurementError for a report that is unreadable, empty, contradictory
        or stale.
        """
        name = self.settings.report
        file = self.gate.candidate.artifact(name)
        self.gate.attach(name, file)
        root = self._source_root()
        report = read_report(file, root)
        check_fresh(report, root.directory, self.gate.candidate.artifact_source(name))
        before = self._baseline_components(root)
        components = self._components(report, root)
        for component in components:
            self._measure_component(component, before)
        if self.settings.diff:
            self._measure_diff(report, root, components[-1])
        return report

    def _source_root(self) -> SourceRoot:
        said = self.settings
        return SourceRoot(
            self.gate.rootdir / said.source_root,
            tuple(said.exclude),
            roots=tuple(said.source_roots),
            go_module=said.go_module,
        )

    def _components(self, report: CoverageReport, root: SourceRoot) -> list[Component]:
        """Return the components and the total; what a component lacks, the total lacks too."""
        found = []
        for component in components_of(report, self.settings.components):
            patterns = self.settings.components[component.name]
            below = files_below(root.directory, patterns)
            lacking = unmeasured(report, root.directory, patterns, self.settings.exclude, below)
            gap = component.gap or unmeasured_gap(report, lacking)
            found.append(_with_gap(component, gap))
        gap = next((component.gap for component in found if component.gap), "")
        return [*found, total_of("total", report.sources.values(), gap)]

    def _measure_component(self, component: Component, before: dict[str, Component] | None) -> None:
        for rate in RATES:
            name, share = f"{component.name}.{rate}_rate", component.share(rate)
            if component.gap:
                self.gate.missing(name, component.gap)
            elif share.ratio is None:
                self.gate.missing(name, self._nothing_found(component.name, rate))
            else:
                reference = None if before is None else self._reference(component.name, rate, before)
                self.gate.measure(name, share.ratio, UNIT, samples=share.found, baseline=reference)

    def _nothing_found(self, component: str, rate: str) -> str:
        return f"{self.settings.report} records no {RATES[rate]} for {component}, and 0 of 0 is not 100 %"

    def _reference(self, component: str, rate: str, before: dict[str, Component]) -> float | None:
        known = before.get(component)
        if known is None or known.share(rate).ratio is None:
            self.gate.not_applicable(
                f"baseline.report.{component}_{rate}",
                f"the baseline's report has no {rate} data for {component}",
            )
            return None
        return known.share(rate).ratio

    def _baseline_components(self, root: SourceRoot) -> dict[str, Component] | None:
        """Return the baseline's components, or None; why there are none is recorded."""
        baseline = self.gate.baseline
        if baseline is None:
            return None
        try:
            file = baseline.artifact(self.settings.report)
            if detect(file) == DATA_FILE:
                raise _needs_sources(file)
            report = read_report(file, root)
        except (GateError, OSError) as problem:
            self.gate.missing(
                "baseline.report", f"the report of baseline {baseline.version} is no use: {problem}"
            )
            return None
        found = [*components_of(report, self.settings.components), total_of("total", report.sources.values())]
        return {component.name: component for component in found}

    def _measure_diff(self, report: CoverageReport, root: SourceRoot, total: Component) -> None:
        """Measure the changed lines; without a baseline every line is new, so that none escapes."""
        name, baseline = "diff.line_rate", self.gate.baseline
        share = total.line if baseline is None else self._changed_share(report, root, baseline)
        if total.gap:
            self.gate.missing(name, total.gap)
        elif share.ratio is not None:
            self.gate.measure(name, share.ratio, UNIT, samples=share.found)
        elif baseline is not None:
            since = f"{baseline.version} ({baseline.commit[:12]})"
            self.gate.not_applicable(name, f"no executable line changed since {since}")

    def _changed_share(self, report: CoverageReport, root: SourceRoot, baseline: Build) -> Share:
        changed = changed_lines(root.directory, baseline.commit, self.gate.candidate.commit)
        return changed_share(report, changed, tracked_paths(root.directory))


def _with_gap(component: Component, gap: str) -> Component:
    return Component(
        name=component.name,
        line=component.line,
        branch=component.branch,
        function=component.function,
        gap=gap,
    )


def _needs_sources(file: Path) -> MeasurementError:
    return MeasurementError(
        f"{file}: a data file of coverage.py needs the sources of its own commit to be read.",
        slug="coverage-baseline-data-file",
        hint="Let the build keep `coverage json` as its artifact.",
    )
