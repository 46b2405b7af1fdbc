"""Cut a report into the components that policy names, and find the sources that no report mentions."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from release_gates.probes.coverage.facts import CoverageReport, Share, SourceCoverage
from release_gates.probes.coverage.faults import listed
from release_gates.probes.coverage.patterns import literal_prefix, matches

COMPILED = frozenset({".c", ".cc", ".cpp", ".cxx", ".c++"})
"""Suffixes of C and C++ sources: a report that has any of them, or a header, is expected to have them all."""

HEADERS = frozenset({".h", ".hh", ".hpp", ".hxx", ".h++", ".inc", ".inl", ".ipp", ".tpp", ".txx"})
"""Suffixes of sources that may hold declarations only, and so may be absent from a complete report."""

OPTIONAL = HEADERS | {".pyi", ""}

CODE = {
    ".go": re.compile(rb"\bfunc\b"),
    ".java": re.compile(rb"\b(?:class|enum|record|default|static|private)\b|="),
}
"""What a source must contain to be compiled to code: Go and Java files of types only are in no report."""

NO_CODE = ("_test.go", "package-info.java", "module-info.java")
"""Ends of the names of files that no report mentions: Go measures no test, and the others declare only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """One named part of the sources; ``gap`` says why its shares cannot be trusted, "" when they can."""

    name: str
    line: Share
    branch: Share
    function: Share
    gap: str = ""

    def share(self, rate: str) -> Share:
        """Return the share of ``line``, ``branch`` or ``function``."""
        return {"line": self.line, "branch": self.branch, "function": self.function}[rate]


def total_of(name: str, sources: Iterable[SourceCoverage], gap: str = "") -> Component:
    """Return the sums over the sources."""
    line, branch, function = Share(), Share(), Share()
    for source in sources:
        line, branch = line + source.line_share, branch + source.branches
        function += source.functions
    return Component(name=name, line=line, branch=branch, function=function, gap=gap)


def components_of(report: CoverageReport, patterns: Mapping[str, list[str]]) -> tuple[Component, ...]:
    """Return the components in the order of policy.

    Each pattern must name a source of the report: one that names none is the gap of its component.
    """
    return tuple(_component(report, name, chosen) for name, chosen in patterns.items())


def _component(report: CoverageReport, name: str, patterns: list[str]) -> Component:
    gap = ""
    for pattern in patterns:
        if not any(matches(path, [pattern]) for path in report.sources):
            gap = gap or f"pattern {pattern!r} of component {name!r} names no source in {report.file}"
    chosen = [source for path, source in report.sources.items() if matches(path, patterns)]
    return total_of(name, chosen, gap)


def unmeasured(
    report: CoverageReport, root: Path, patterns: list[str], exclude: list[str], candidates: Iterable[str]
) -> list[str]:
    """Return which of the candidate paths match the patterns and should be in the report, but are not.

    Only kinds of file that belong into the report are looked for, and neither headers nor files without code.
    """
    kinds = _kinds(report)
    return sorted(
        path
        for path in candidates
        if PurePosixPath(path).suffix in kinds
        and path not in report.sources
        and matches(path, patterns)
        and not matches(path, exclude)
        and _has_code(root / path)
    )


def _kinds(report: CoverageReport) -> frozenset[str]:
    found = frozenset(PurePosixPath(path).suffix for path in report.sources)
    return (found | COMPILED if found & (COMPILED | HEADERS) else found) - OPTIONAL


def unmeasured_gap(report: CoverageReport, names: list[str]) -> str:
    """Return the sentence for sources that the report lacks; "" for none."""
    if not names:
        return ""
    verb = "is" if len(names) == 1 else "are"
    return (
        f"{listed(names)} {verb} not in {report.file}: build and run it with coverage, "
        "or name it in `exclude`"
    )


def files_below(root: Path, patterns: list[str]) -> list[str]:
    """Return the files that the patterns could name, relative to ``root``, without hidden directories."""
    found: set[str] = set()
    for prefix in {literal_prefix(pattern) for pattern in patterns}:
        for directory, below, files in os.walk(root / prefix, onerror=_refuse):
            below[:] = [name for name in below if not name.startswith(".")]
            found.update(Path(directory, name).relative_to(root).as_posix() for name in files)
    return sorted(found)


def _refuse(problem: OSError) -> None:
    """Raise what os.walk would swallow: a directory that cannot be read may hold sources."""
    if not isinstance(problem, FileNotFoundError):
        raise problem


def _has_code(path: Path) -> bool:
    if not path.is_file() or path.is_symlink() or path.stat().st_size == 0 or path.name.endswith(NO_CODE):
        return False
    code = CODE.get(path.suffix)
    return code is None or code.search(path.read_bytes()) is not None
