"""Read Go coverprofiles (``go test -coverprofile``): the text format of cmd/cover and x/tools/cover.

Go records blocks of statements, not lines. A line is executable when a block with at least one statement
touches it, and hit when any block that touches it was executed: the line ``if late { return }`` is hit once
its condition was. Blank lines and comments inside of a block count as the block does, so that the rate
differs a little from the statement rate that ``go tool cover -func`` prints. There are no branches and no
functions in the format, and none are made up. It has no totals either: blocks that were cut off at the end
of a line do not show, only whole sources that are lacking do.
"""

from __future__ import annotations

import re
from pathlib import Path

from release_gates.errors import MeasurementError
from release_gates.probes.coverage.facts import ReportDraft, SourceDraft, merge_hits
from release_gates.probes.coverage.faults import MAX_LINE, shown, unreadable
from release_gates.probes.coverage.patterns import matches

MODES = (b"set", b"count", b"atomic")
MAX_LINE_BYTES = 1 << 16
MAX_BLOCK_LINES = 100_000
"""Most lines of one block that are believed: no function is longer."""

Position = tuple[int, int]
Block = tuple[bytes, Position, Position]

_BLOCK = re.compile(
    rb"(?P<name>.+):(?P<line>[^:.,\s]+)\.(?P<column>[^:.,\s]+),(?P<end_line>[^:.,\s]+)\.(?P<end_column>[^:.,\s]+)"
    rb" (?P<statements>\S+) (?P<count>\S+)"
)
_MODULE = re.compile(r"""^[ \t]*module[ \t]+["`]?([^\s"`()]+)["`]?[ \t]*(?://.*)?$""", re.MULTILINE)


def read_gocover(file: Path, draft: ReportDraft) -> None:
    """Read the profile into ``draft``.

    The same block met again (several test packages with -coverpkg, profiles joined by ``cat``) is merged:
    hit when any says so. Module paths become directories by the ``go.mod`` files in ``source_root`` and
    ``source_roots``, or by ``go_module``. Raises MeasurementError with the line of the profile for a second
    mode that differs, a torn last line, a number that is none, a range that ends before it begins, a block
    that is said to have several numbers of statements, and a package of no known module.
    """
    profile = _Profile(file, draft)
    with file.open("rb") as stream:
        while line := stream.readline(MAX_LINE_BYTES):
            profile.take(line)
    profile.finish()


class _Profile:
    """What was read so far."""

    def __init__(self, file: Path, draft: ReportDraft) -> None:
        self.file = file
        self.draft = draft
        self.number = 0
        self.mode = b""
        self.statements: dict[Block, int] = {}
        self.sources: dict[bytes, SourceDraft] = {}
        self.modules = _modules(draft)

    def take(self, line: bytes) -> None:
        """Take one line with its end."""
        self.number += 1
        if not line.endswith(b"\n"):
            raise self.fault(f"the file ends inside of {shown(line)}, without an end of line")
        text = line.rstrip(b"\r\n")
        if text.startswith(b"mode:"):
            self._take_mode(text.removeprefix(b"mode:").strip())
        elif not self.mode:
            raise self.fault(f"{shown(text)} stands before the mode")
        else:
            self._take_block(text)

    def finish(self) -> None:
        """Give each source its lines; only blocks that all agree on are left."""
        for name, source in self.sources.items():
            path = self._path(name)
            if path is not None:
                self.draft.source(path, file=self.file, place=f"source {shown(name)}").merge(source)

    def _take_mode(self, mode: bytes) -> None:
        if mode not in MODES:
            raise self.fault(f"mode {shown(mode)} is none of set, count, atomic")
        if self.mode not in (b"", mode):
            raise self.fault(
                f"mode {shown(mode)} after mode {shown(self.mode)}: profiles of two kinds were joined"
            )
        self.mode = mode

    def _take_block(self, text: bytes) -> None:
        found = _BLOCK.fullmatch(text)
        if found is None:
            raise self.fault(f"{shown(text)} is not path:line.column,line.column statements count")
        start, end = (
            (self._line(found[line]), self._whole(found[column], "column"))
            for line, column in (("line", "column"), ("end_line", "end_column"))
        )
        statements, count = (self._whole(found[name], name) for name in ("statements", "count"))
        if end < start or end[0] - start[0] > MAX_BLOCK_LINES:
            raise self.fault(f"the block {shown(text)} ends before it begins, or is longer than any function")
        if self.mode == b"set" and count > 1:
            raise self.fault(f"count {count} in mode set, which knows 0 and 1 only")
        self._check_again((found["name"], start, end), statements)
        if statements:
            lines = dict.fromkeys(range(start[0], end[0] + 1), count > 0)
            merge_hits(self.sources.setdefault(found["name"], SourceDraft()).lines, lines)

    def _check_again(self, block: Block, statements: int) -> None:
        before = self.statements.setdefault(block, statements)
        if before != statements:
            raise self.fault(
                f"this block of {shown(block[0])} has {statements} statements, but {before} further above"
            )

    def _path(self, name: bytes) -> str | None:
        """Return where a source lies, None for one that policy excludes."""
        try:
            text = name.decode()
        except UnicodeDecodeError:
            raise self._no_module(shown(name), "is not UTF-8") from None
        if text.startswith(("/", "./", "../")):
            return text
        for module, directory in self.modules:
            if text.startswith(f"{module}/"):
                return str(self.draft.root.directory / directory / text.removeprefix(f"{module}/"))
        if matches(text, self.draft.root.exclude):
            return None
        raise self._no_module(shown(text), "is of no known module")

    def _no_module(self, name: str, problem: str) -> MeasurementError:
        known = ", ".join(module for module, _ in self.modules) or "none"
        return unreadable(
            self.file,
            "",
            f"the source {name} {problem} (known: {known})",
            "Set `go_module`, name the folder of its go.mod in `source_roots`, or `exclude` the path.",
        )

    def _line(self, value: bytes) -> int:
        number = self._whole(value, "line number", MAX_LINE)
        if number == 0:
            raise self.fault("line number '0': lines count from 1")
        return number

    def _whole(self, value: bytes, what: str, most: int | None = None) -> int:
        """Return a whole number, refusing signs, fractions, exponents and anything above ``most``."""
        if value.isdigit() and len(value) < 20 and (most is None or int(value) <= most):
            return int(value)
        raise self.fault(
            f"{what} {shown(value)} is not a whole number from 0" + (f" to {most}" if most else "")
        )

    def fault(self, problem: str) -> MeasurementError:
        """Return the error for the current line."""
        return unreadable(self.file, f"line {self.number}", problem)


def _modules(draft: ReportDraft) -> list[tuple[str, str]]:
    """Return module path and directory of each module that is known, the longest path first."""
    root = draft.root
    found = {root.go_module: ""} if root.go_module else {}
    for directory in ("", *root.roots):
        file = root.directory / directory / "go.mod"
        text = file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""
        if declared := _MODULE.search(text):
            found.setdefault(declared[1], directory.strip("/"))
    return sorted(found.items(), key=lambda item: -len(item[0]))
