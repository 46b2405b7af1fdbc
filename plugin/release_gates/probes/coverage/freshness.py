"""Refuse a report that does not belong to the sources on disk."""

from __future__ import annotations

import filecmp
from datetime import UTC, datetime
from pathlib import Path

from release_gates.errors import MeasurementError
from release_gates.probes.coverage.facts import CoverageReport
from release_gates.probes.coverage.faults import listed


def check_fresh(report: CoverageReport, root: Path, built: Path | None) -> None:
    """Refuse a report that names absent files, or is older than a source it covers.

    ``built`` is where the report was written, with its own modification time; the copy in the artifact store
    has another. Raises MeasurementError: ``coverage-source-missing``, ``coverage-report-stale``,
    ``coverage-report-age-unknown``.
    """
    _check_present(report, root)
    _check_length(report, root)
    _check_age(report, root, _written(report, built))


def _check_present(report: CoverageReport, root: Path) -> None:
    absent = [path for path in report.sources if not (root / path).is_file()]
    if absent:
        raise MeasurementError(
            f"{report.file}: of {len(report.sources)} sources {len(absent)} do not exist below {root}: "
            f"{listed(absent)}.",
            slug="coverage-source-missing",
            hint="Write it from this checkout, set `source_root`, or name generated files in `exclude`.",
        )


def _check_length(report: CoverageReport, root: Path) -> None:
    for path, source in report.sources.items():
        last, length = max(source.lines, default=0), _line_count(root / path)
        if last > length:
            raise _stale(f"{report.file}: it covers line {last} of {path}, which has {length} lines")


def _line_count(path: Path) -> int:
    content = path.read_bytes()
    return content.count(b"\n") + (not content.endswith(b"\n"))


def _written(report: CoverageReport, built: Path | None) -> float:
    if built is None or not built.is_file():
        raise _age_unknown(report, f"{built or 'the place where it was written'} is not there")
    if not filecmp.cmp(report.file, built, shallow=False):
        raise _age_unknown(report, f"{built} holds another report now")
    return built.stat().st_mtime


def _check_age(report: CoverageReport, root: Path, written: float) -> None:
    newer = [path for path in report.sources if not (root / path).stat().st_mtime <= written]
    if newer:
        first = (root / newer[0]).stat().st_mtime
        raise _stale(
            f"{report.file}: written {_moment(written)}, before {len(newer)} of its sources changed: "
            f"{listed(newer)} ({newer[0]} at {_moment(first)})"
        )


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def _stale(problem: str) -> MeasurementError:
    hint = "Build, run the tests and write the report again, then make the candidate anew."
    return MeasurementError(f"{problem}.", slug="coverage-report-stale", hint=hint)


def _age_unknown(report: CoverageReport, problem: str) -> MeasurementError:
    return MeasurementError(
        f"{report.file}: cannot tell whether it is older than its sources: {problem}.",
        slug="coverage-report-age-unknown",
        hint="Run the gate where the report was written, or copy both with their times (`cp -p`).",
    )
