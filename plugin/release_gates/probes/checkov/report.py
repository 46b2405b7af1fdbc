"""A report of checkov, as ``--output json`` writes it, held against itself: it has to add up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec

from release_gates.model.foreign import plain
from release_gates.probes.checkov.faults import not_whole, unreadable

Count = Annotated[int, msgspec.Meta(ge=0)]


class _Object(msgspec.Struct, frozen=True, kw_only=True):
    """Base of all objects of the form; keys that are not read are left alone."""


class Result(_Object, frozen=True):
    """What one check came to; ``suppress_comment`` is what the sources say where they switch it off."""

    result: Literal["PASSED", "FAILED", "SKIPPED"]
    suppress_comment: str = ""


class Check(_Object, frozen=True):
    """One check of one resource; ``severity`` is there with an account of its makers only."""

    check_id: str
    check_name: str
    check_result: Result
    file_path: str
    resource: str
    file_line_range: tuple[int, int] = (0, 0)
    severity: str | None = None


class Results(_Object, frozen=True):
    """Every check of every resource."""

    passed_checks: tuple[Check, ...]
    failed_checks: tuple[Check, ...]
    skipped_checks: tuple[Check, ...]
    parsing_errors: tuple[str, ...]


class Summary(_Object, frozen=True):
    """How much there is."""

    passed: Count
    failed: Count
    skipped: Count
    parsing_errors: Count
    resource_count: Count
    checkov_version: str


class Report(_Object, frozen=True):
    """One report about one framework."""

    check_type: str
    results: Results
    summary: Summary

    @property
    def files(self) -> frozenset[str]:
        """Every file that a check is about."""
        results = self.results
        everything = (*results.passed_checks, *results.failed_checks, *results.skipped_checks)
        return frozenset(one.file_path for one in everything)


class Empty(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What checkov writes where it looked at nothing."""

    passed: Count
    failed: Count
    skipped: Count
    parsing_errors: Count
    resource_count: Count
    checkov_version: str


def read_report(content: bytes, *, framework: str, place: str, status: int) -> Report:
    """Return the report on a scan that ended with a status; ``place`` is what was scanned.

    Raises MeasurementError: ``checkov-report`` for what is no whole report of that framework or contradicts
    itself, ``checkov-not-whole`` where nothing was looked at, or a file could not be parsed.
    """
    report = _decoded(content, place)
    if isinstance(report, Empty):
        raise not_whole(place, "checkov looked at nothing there")
    results, summary = report.results, report.summary
    if report.check_type != framework:
        raise unreadable(place, f"the report is about {plain(report.check_type)}, not {framework}")
    if results.parsing_errors or summary.parsing_errors:
        files = ", ".join(results.parsing_errors) or f"{summary.parsing_errors} files"
        raise not_whole(place, f"checkov could not parse {plain(files, 200)}")
    _check_counts(results, summary, place)
    if (status == 0) != (not results.failed_checks):
        found = len(results.failed_checks)
        raise unreadable(place, f"checkov ended with status {status}, and its report has {found} findings")
    if not summary.resource_count:
        raise not_whole(place, "checkov saw no resource there")
    return report


def _decoded(content: bytes, place: str) -> Report | Empty:
    try:
        return msgspec.json.decode(content, type=Report)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError) as problem:
        try:
            return msgspec.json.decode(content, type=Empty)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError):
            raise unreadable(place, f"it is no report of checkov: {plain(problem, 200)}") from None


def _check_counts(results: Results, summary: Summary, place: str) -> None:
    groups: Sequence[tuple[str, tuple[Check, ...], int]] = (
        ("PASSED", results.passed_checks, summary.passed),
        ("FAILED", results.failed_checks, summary.failed),
        ("SKIPPED", results.skipped_checks, summary.skipped),
    )
    for word, checks, count in groups:
        if len(checks) != count:
            raise unreadable(place, f"the summary counts {count} {word}, and the report has {len(checks)}")
        if any(one.check_result.result != word for one in checks):
            raise unreadable(place, f"a check among the {word} has another result")
    if not sum(count for *_, count in groups):
        raise not_whole(place, "checkov asked no check there")
