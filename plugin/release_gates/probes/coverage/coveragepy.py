"""Read what coverage.py writes: its JSON report (formats 2 and 3) and its data file ``.coverage``."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec

from release_gates.errors import ProbeUnavailable
from release_gates.host.surroundings import BUILDING, surroundings
from release_gates.probes.coverage.facts import ReportDraft, Share, SourceDraft, share_of
from release_gates.probes.coverage.faults import MAX_LINE, contradiction, unreadable

K = TypeVar("K")
FORMATS = (2, 3)
ANALYSIS_TIMEOUT_S = 300

Line = Annotated[int, msgspec.Meta(ge=1, le=MAX_LINE)]
Arc = tuple[
    Annotated[int, msgspec.Meta(ge=-MAX_LINE, le=MAX_LINE)], Annotated[int, msgspec.Meta(ge=-MAX_LINE)]
]


class _Summary(msgspec.Struct, frozen=True):
    covered_lines: int
    num_statements: int
    covered_branches: int | None = None
    num_branches: int | None = None


class _Region(msgspec.Struct, frozen=True):
    executed_lines: tuple[Line, ...]
    missing_lines: tuple[Line, ...]
    start_line: int = 0


class _File(msgspec.Struct, frozen=True):
    executed_lines: tuple[Line, ...]
    missing_lines: tuple[Line, ...]
    summary: _Summary
    executed_branches: tuple[Arc, ...] | None = None
    missing_branches: tuple[Arc, ...] | None = None
    functions: dict[str, _Region] = {}


class _Meta(msgspec.Struct, frozen=True):
    format: int
    branch_coverage: bool


class _Document(msgspec.Struct, frozen=True):
    meta: _Meta
    files: dict[str, _File]
    totals: _Summary


def read_coveragepy(file: Path, content: bytes, draft: ReportDraft) -> None:
    """Read the JSON report into ``draft``; percentages are ignored, totals are checked against the lists.

    Raises MeasurementError for another format number, a line both executed and missing, and totals that
    contradict the lists.
    """
    document = msgspec.json.decode(content, type=_Document)
    if document.meta.format not in FORMATS:
        problem = f"format {document.meta.format} of coverage.py's JSON is not one of {FORMATS}"
        raise unreadable(file, "meta.format", problem, "Write the report with coverage.py 7.6 or newer.")
    lines, branches = Share(), Share()
    for name, entry in document.files.items():
        found = _facts_of(file, name, entry, document.meta.branch_coverage)
        draft.source(name, file=file, place=f"files[{name!r}]").merge(found)
        lines, branches = lines + share_of(found.lines), branches + share_of(found.branches)
    _check(file, "totals", document.totals, lines, branches)


def read_data_file(file: Path, draft: ReportDraft) -> None:
    """Read a data file: coverage.py itself, in a process of its own, works out the lines from the sources.

    No configuration of the measured project is read, as it may name plugins, which are code of the candidate.
    Raises ProbeUnavailable without coverage.py and MeasurementError when it cannot report.
    """
    if find_spec("coverage") is None:
        raise ProbeUnavailable(
            f"{file}: reading a data file of coverage.py needs the package coverage.",
            slug="coverage-package-missing",
            hint="Run: pip install 'pytest-release-gates[coverage]'",
        )
    with tempfile.TemporaryDirectory(prefix="gate-coverage-") as scratch:
        copy, report = Path(scratch, "data"), Path(scratch, "report.json")
        shutil.copyfile(file, copy)
        _analyse(file, copy, report, draft.root.directory)
        read_coveragepy(file, report.read_bytes(), draft)


_ANALYSIS = """
import os, sys, coverage
data, report = sys.argv[1:]
stored = coverage.CoverageData(basename=data)
stored.read()
relative = {not os.path.isabs(name) for name in stored.measured_files()}
if len(relative) > 1:
    sys.exit("it mixes absolute and relative source paths")
measured = coverage.Coverage(data_file=data, config_file=False)
measured.set_option("run:relative_files", True in relative)
measured.load()
measured.json_report(outfile=report)
"""


def _analyse(file: Path, copy: Path, report: Path, root: Path) -> None:
    command = [sys.executable, "-I", "-c", _ANALYSIS, str(copy), str(report)]
    environment = surroundings(os.environ, known=BUILDING)
    try:
        done = subprocess.run(
            command,
            cwd=root,
            env=environment,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=ANALYSIS_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise unreadable(file, "", f"coverage.py did not finish in {ANALYSIS_TIMEOUT_S} s") from None
    if done.returncode != 0 or not report.is_file():
        said = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        hint = "Run `coverage json` where the tests ran, and give that report to the candidate."
        raise unreadable(file, "", f"coverage.py cannot report on this data file: {said}", hint)


def _facts_of(file: Path, name: str, entry: _File, has_branches: bool) -> SourceDraft:
    place = f"files[{name!r}]"
    found = SourceDraft()
    found.lines = _hits(entry.executed_lines, entry.missing_lines)
    if has_branches:
        if entry.executed_branches is None or entry.missing_branches is None:
            raise unreadable(file, place, "branches were measured, but are not listed")
        found.branches.update(_hits(entry.executed_branches, entry.missing_branches))
    for function, region in entry.functions.items():
        if function and (region.executed_lines or region.missing_lines):
            found.functions[(function, region.start_line)] = bool(region.executed_lines)
    listed = len(entry.executed_lines) + len(entry.missing_lines)
    if listed != len(found.lines):
        raise contradiction(file, place, "the list of lines", declared=listed, counted=len(found.lines))
    _check(file, place, entry.summary, share_of(found.lines), share_of(found.branches))
    return found


def _hits(executed: tuple[K, ...], missing: tuple[K, ...]) -> dict[K, bool]:
    return {**dict.fromkeys(executed, True), **dict.fromkeys(missing, False)}


def _check(file: Path, place: str, summary: _Summary, lines: Share, branches: Share) -> None:
    for name, declared, counted in (
        ("num_statements", summary.num_statements, lines.found),
        ("covered_lines", summary.covered_lines, lines.hit),
        ("num_branches", summary.num_branches, branches.found),
        ("covered_branches", summary.covered_branches, branches.hit),
    ):
        if declared is not None and declared != counted:
            raise contradiction(file, place, name, declared=declared, counted=counted)
