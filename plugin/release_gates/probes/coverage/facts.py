"""What a coverage report says, in one form for every format: sources, lines, branches, functions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from release_gates.probes.coverage.paths import SourceRoot

K = TypeVar("K")


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """How many of the things found were hit; ``0 <= hit <= found``."""

    hit: int = 0
    found: int = 0

    def __add__(self, other: Share) -> Share:
        return Share(hit=self.hit + other.hit, found=self.found + other.found)

    @property
    def ratio(self) -> float | None:
        """``hit / found`` in 0..1, or None when nothing was found: 0 of 0 is not a rate."""
        return self.hit / self.found if self.found else None


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceCoverage:
    """One source file: ``lines`` maps each executable line (from 1) to whether it was hit."""

    path: str
    lines: Mapping[int, bool]
    branches: Share
    functions: Share

    @property
    def line_share(self) -> Share:
        """Executable lines hit and found."""
        return Share(hit=sum(self.lines.values()), found=len(self.lines))


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverageReport:
    """One report: ``sources`` by their path relative to the source root, POSIX separators."""

    file: Path
    format: str
    sources: Mapping[str, SourceCoverage]


class SourceDraft:
    """One source while it is being read; the same source met again is merged, never counted twice.

    A line, branch or function is hit when any of the records for it says so.
    """

    __slots__ = ("branches", "functions", "lines")

    def __init__(self) -> None:
        self.lines: dict[int, bool] = {}
        self.branches: dict[object, bool] = {}
        self.functions: dict[object, bool] = {}

    def merge(self, other: SourceDraft) -> None:
        """Add what ``other`` says of the same source."""
        merge_hits(self.lines, other.lines)
        merge_hits(self.branches, other.branches)
        merge_hits(self.functions, other.functions)

    def freeze(self, path: str) -> SourceCoverage:
        """Return the finished facts."""
        return SourceCoverage(
            path=path,
            lines=MappingProxyType(self.lines),
            branches=share_of(self.branches),
            functions=share_of(self.functions),
        )


class ReportDraft:
    """A report while it is being read: its sources, those that policy excludes kept apart."""

    def __init__(self, root: SourceRoot) -> None:
        self.root = root
        self.sources: dict[str, SourceDraft] = {}
        self.excluded: dict[str, SourceDraft] = {}

    def source(self, name: str, *, file: Path, place: str, bases: tuple[str, ...] = ()) -> SourceDraft:
        """Return the draft of the source that the report calls ``name``.

        Raises MeasurementError for a path outside of the source root that no exclude pattern names.
        """
        path, excluded = self.root.locate(name, file=file, place=place, bases=bases)
        return (self.excluded if excluded else self.sources).setdefault(path, SourceDraft())

    def freeze(self, file: Path, format_name: str) -> CoverageReport:
        """Return the finished report, sources sorted by path."""
        sources = {path: draft.freeze(path) for path, draft in sorted(self.sources.items())}
        return CoverageReport(file=file, format=format_name, sources=MappingProxyType(sources))


def merge_hits(into: dict[K, bool], new: Mapping[K, bool]) -> None:
    """Merge ``new`` into ``into``: a key is hit when either says so."""
    for key, hit in new.items():
        into[key] = hit or into.get(key, False)


def share_of(hits: Mapping[K, bool]) -> Share:
    """Return how many of the keys are hit."""
    return Share(hit=sum(hits.values()), found=len(hits))
