"""Read a coverage report of any known format; what the file contains says which, its name does not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from release_gates.errors import MeasurementError
from release_gates.probes.coverage.cobertura import read_cobertura
from release_gates.probes.coverage.coveragepy import read_coveragepy, read_data_file
from release_gates.probes.coverage.facts import CoverageReport, ReportDraft
from release_gates.probes.coverage.faults import empty, shown, unreadable
from release_gates.probes.coverage.gcovr_json import read_gcovr
from release_gates.probes.coverage.gocover import read_gocover
from release_gates.probes.coverage.jacoco import read_jacoco
from release_gates.probes.coverage.lcov import read_lcov
from release_gates.probes.coverage.markup import root_of
from release_gates.probes.coverage.paths import SourceRoot

FORMATS = "LCOV, Cobertura XML, JaCoCo XML, Go coverprofile, gcovr JSON, coverage.py JSON or data file"
DATA_FILE = "coverage.py data file"
_HEAD_BYTES = 4096


class _Keys(msgspec.Struct, frozen=True):
    """The keys that tell the JSON formats apart."""

    gcovr: msgspec.Raw = msgspec.field(name="gcovr/format_version", default_factory=msgspec.Raw)
    summary: msgspec.Raw = msgspec.field(name="gcovr/summary_format_version", default_factory=msgspec.Raw)
    meta: msgspec.Raw = msgspec.field(default_factory=msgspec.Raw)


def read_report(file: Path, root: SourceRoot) -> CoverageReport:
    """Return what the report says of the sources below ``root``.

    Raises MeasurementError (``coverage-report-unreadable``, ``coverage-report-contradiction``,
    ``coverage-report-empty``, ``coverage-path-outside``) and ProbeUnavailable; never returns a report without
    an executable line.
    """
    draft = ReportDraft(root)
    try:
        format_name = _read(file, draft)
    except OSError as problem:
        raise unreadable(file, "", f"cannot be read ({problem.strerror or problem})") from problem
    report = draft.freeze(file, format_name)
    if not any(source.lines for source in report.sources.values()):
        left = f" besides {len(draft.excluded)} excluded" if draft.excluded else ""
        raise empty(file, f"{len(report.sources)} sources{left} without an executable line")
    return report


def detect(file: Path) -> str:
    """Return the format that the first bytes show: its name, or JSON for one of two.

    Raises MeasurementError for an empty file and for an unknown format.
    """
    with file.open("rb") as stream:
        head = stream.read(_HEAD_BYTES)
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not text:
        raise empty(file, f"the file has {file.stat().st_size} bytes and no content")
    if head.startswith(b"SQLite format 3\0"):
        return DATA_FILE
    if text.startswith(b"<") and root_of(text) == b"report":
        return "JaCoCo XML"
    for start, name in (
        (b"<", "Cobertura XML"),
        (b"{", "JSON"),
        (b"mode:", "Go coverprofile"),
        (b"TN:", "LCOV"),
        (b"SF:", "LCOV"),
        (b"#", "LCOV"),
    ):
        if text.startswith(start):
            return name
    hint = "Decompress it first." if head.startswith(b"\x1f\x8b") else f"Give a report in {FORMATS}."
    raise unreadable(file, "line 1", f"unknown format, it starts with {shown(text[:20])}", hint)


def _read(file: Path, draft: ReportDraft) -> str:
    format_name = detect(file)
    read = _READERS.get(format_name)
    if read is None:
        return _read_json(file, draft)
    read(file, draft)
    return format_name


def _read_json(file: Path, draft: ReportDraft) -> str:
    content = file.read_bytes()
    try:
        keys = msgspec.json.decode(content, type=_Keys)
        if bytes(keys.gcovr):
            read_gcovr(file, content, draft)
            return "gcovr JSON"
        if bytes(keys.meta):
            read_coveragepy(file, content, draft)
            return "coverage.py JSON"
    except (msgspec.MsgspecError, ValueError, RecursionError) as problem:
        raise unreadable(file, "JSON", f"{problem}") from problem
    raise _not_a_report(file, keys)


def _not_a_report(file: Path, keys: _Keys) -> MeasurementError:
    if bytes(keys.summary):
        return unreadable(
            file, "JSON", "a gcovr summary has no lines", "Write it with `gcovr --json` instead."
        )
    problem = "neither gcovr/format_version nor meta stands in the JSON"
    return unreadable(file, "JSON", problem, f"Give a report in {FORMATS}.")


_READERS: dict[str, Callable[[Path, ReportDraft], None]] = {
    "LCOV": read_lcov,
    "Cobertura XML": read_cobertura,
    "JaCoCo XML": read_jacoco,
    "Go coverprofile": read_gocover,
    DATA_FILE: read_data_file,
}
