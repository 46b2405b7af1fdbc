"""Read gcovr's JSON: https://gcovr.com/en/stable/output/json.html, "JSON Format Reference"."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec

from release_gates.probes.coverage.facts import ReportDraft, SourceDraft
from release_gates.probes.coverage.faults import MAX_LINE, shown, unreadable

VERSIONS = frozenset({"0.6", "0.10", "0.11", "0.14", "0.15"})
"""Format versions tried with recorded samples.

They are those of gcovr 7.0 to 7.2 (0.6), 8.0 to 8.2 (0.10), 8.3 (0.11), 8.4 to 8.6 (0.14) and 8.8 (0.15).
"""

Count = Annotated[int, msgspec.Meta(ge=0)]
Line = Annotated[int, msgspec.Meta(ge=1, le=MAX_LINE)]


class _Branch(msgspec.Struct, frozen=True, gc=False):
    count: Count
    branchno: int | None = None
    source_block_id: int | None = None
    destination_block_id: int | None = None
    destination_blockno: int | None = None
    excluded: bool = msgspec.field(name="gcovr/excluded", default=False)

    def key(self, line: int, index: int) -> tuple[int | None, ...]:
        """Identify the branch as gcovr does, so that the instances of a template are merged."""
        number = index if self.branchno is None else self.branchno
        return (line, number, self.source_block_id, self.destination_block_id, self.destination_blockno)


class _Line(msgspec.Struct, frozen=True):
    line_number: Line
    count: Count
    branches: tuple[_Branch, ...]
    excluded: bool = msgspec.field(name="gcovr/excluded", default=False)


class _Function(msgspec.Struct, frozen=True, gc=False):
    lineno: Count
    name: str | None = None
    demangled_name: str | None = None
    execution_count: Count = 0
    excluded: bool = msgspec.field(name="gcovr/excluded", default=False)


class _File(msgspec.Struct, frozen=True):
    file: str
    lines: tuple[_Line, ...]
    functions: tuple[_Function, ...]


class _Document(msgspec.Struct, frozen=True):
    version: str = msgspec.field(name="gcovr/format_version")
    files: tuple[_File, ...]


def read_gcovr(file: Path, content: bytes, draft: ReportDraft) -> None:
    """Read the report into ``draft``; template instances are merged by line, excluded entries left out.

    Raises MeasurementError for a version that was never tried, and msgspec.ValidationError, with the path
    inside of the JSON, for values of the wrong type or range.
    """
    document = msgspec.json.decode(content, type=_Document)
    if document.version not in VERSIONS:
        known = ", ".join(sorted(VERSIONS, key=lambda version: int(version.partition(".")[2])))
        problem = f"gcovr/format_version {shown(document.version)} is not one of {known}"
        raise unreadable(
            file, "gcovr/format_version", problem, "Write the report with a gcovr of these formats."
        )
    for index, entry in enumerate(document.files):
        source = draft.source(entry.file, file=file, place=f"files[{index}]")
        for line in entry.lines:
            _take_line(source, line)
        for function in entry.functions:
            _take_function(source, function)


def _take_line(source: SourceDraft, line: _Line) -> None:
    if line.excluded:
        return
    source.lines[line.line_number] = line.count > 0 or source.lines.get(line.line_number, False)
    for index, branch in enumerate(line.branches):
        if not branch.excluded:
            key = branch.key(line.line_number, index)
            source.branches[key] = branch.count > 0 or source.branches.get(key, False)


def _take_function(source: SourceDraft, function: _Function) -> None:
    if not function.excluded:
        key = (function.name or function.demangled_name, function.lineno)
        source.functions[key] = function.execution_count > 0 or source.functions.get(key, False)
