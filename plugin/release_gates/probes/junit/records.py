"""Test cases of one or more files to test records, as if pytest had run them."""

from __future__ import annotations

from collections.abc import Sequence

from release_gates.model.evidence import TestRecord
from release_gates.model.outcome import Outcome, worst
from release_gates.probes.junit.facts import Case, Report

PHASES = ("setup", "call", "teardown")
"""A test case in a file has come to its end, so that all of its phases were reported."""

RERUN = "an earlier attempt did not pass, and the report does not say why"


def in_cell(test: str, cell: str) -> str:
    """Return a test's id in one cell of a gate's matrix."""
    return f"{test}[{cell}]" if cell else test


def to_records(reports: Sequence[Report], *, gate: str, cell: str) -> tuple[TestRecord, ...]:
    """Return one record a test, sorted by id.

    The same id twice is an ERROR (or skipped, if it is skipped each time), unless its tool writes reruns
    like that: then all but the last are attempts that did not pass.
    """
    groups: dict[str, list[tuple[Report, Case]]] = {}
    for report in reports:
        for case in report.cases:
            groups.setdefault(in_cell(case.id, cell), []).append((report, case))
    return tuple(_record(test, groups[test], gate=gate, cell=cell) for test in sorted(groups))


def _record(test: str, group: Sequence[tuple[Report, Case]], *, gate: str, cell: str) -> TestRecord:
    cases = [case for _, case in group]
    last = cases[-1]
    earlier = [finding for case in cases for finding in case.earlier]
    final = list(last.findings)
    if len(cases) > 1 and _are_reruns(group):
        earlier.extend(
            finding for case in cases[:-1] for finding in case.findings or [(Outcome.ERROR, RERUN)]
        )
    elif len(cases) > 1:
        final = [finding for case in cases for finding in case.findings]
        if not all(case.is_skipped for case in cases):
            final.append((Outcome.ERROR, _twice(group)))
    outcome = worst([Outcome.PASS, *(found for found, _ in (*final, *earlier))])
    return TestRecord(
        id=test,
        gate=gate,
        outcome=outcome,
        because=next((because for found, because in (*final, *earlier) if found is outcome), ""),
        phases=PHASES,
        attempts=1 + len(earlier),
        last=worst([Outcome.PASS, *(found for found, _ in final)]),
        cell=cell,
        finished=min(case.taken or report.taken for report, case in group),
        duration_s=sum(case.duration_s for case in cases),
    )


def _are_reruns(group: Sequence[tuple[Report, Case]]) -> bool:
    """Whether these are attempts as pytest-rerunfailures leaves them: without a result, but for the last."""
    one_file = len({id(report) for report, _ in group}) == 1
    return one_file and group[0][0].repeats and not any(case.findings for _, case in group[:-1])


def _twice(group: Sequence[tuple[Report, Case]]) -> str:
    files = sorted({report.file for report, _ in group})
    return f"stands {len(group)} times in {' and '.join(files)}, so nobody knows which result is this test's"
