"""Headers against test cases: a header decides nothing, but one that disagrees gives a damaged file away."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from xml.etree.ElementTree import Element

from release_gates.probes.junit.document import place_of
from release_gates.probes.junit.facts import Case
from release_gates.probes.junit.faults import contradiction, shown, unreadable


def check_counts(file: str, element: Element, cases: Sequence[Case]) -> None:
    """Compare ``tests``, ``failures``, ``errors``, ``skipped``, ``disabled`` of a suite with its cases.

    Tools count in their own ways where tests fail: pytest counts a test and its broken teardown as two,
    GoogleTest a case with two failures as one, gotestsum leaves out a package that was not built. Accepted
    is what some tool writes for exactly these cases. Raises MeasurementError.
    """
    _check(file, element, "tests", _tests(cases), len(cases))
    failing = [case for case in cases if case.failures]
    failures = _between(
        sum(not (case.outside or case.errors or case.skips) for case in failing),
        sum(case.failures for case in failing),
    )
    erring = [case for case in cases if case.errors]
    errors = _between(
        sum(not (case.outside or case.failures or case.skips) for case in erring),
        sum(case.errors for case in erring),
    )
    _check(file, element, "failures", failures, len(failing))
    _check(file, element, "errors", errors, len(erring))
    skipped = [case for case in cases if case.skips]
    skips = _between(sum(case.is_skipped for case in skipped), len(skipped))
    disabled = _number(file, element, "disabled") or 0
    declared = _number(file, element, "skipped")
    if declared is not None and declared not in skips and declared + disabled not in skips:
        raise contradiction(file, place_of(element), "skipped", declared=declared, counted=len(skipped))
    if disabled > len(skipped):
        raise contradiction(file, place_of(element), "disabled", declared=disabled, counted=len(skipped))


def _tests(cases: Sequence[Case]) -> Collection[int]:
    """Return how many tests may be declared: exactly these where all is well, a little else where not."""
    broken = [case for case in cases if case.failures or case.errors]
    outside = sum(case.outside for case in cases)
    distinct = len({case.id for case in cases})
    least = min(distinct, len(cases) - outside) if broken else distinct
    teardowns = sum(case.errors > 0 for case in cases)
    return {len(cases), distinct, *_between(least, len(cases) + teardowns if broken else least)}


def _check(file: str, element: Element, name: str, allowed: Collection[int], counted: int) -> None:
    declared = _number(file, element, name)
    if declared is not None and declared not in allowed:
        raise contradiction(file, place_of(element), name, declared=declared, counted=counted)


def _number(file: str, element: Element, name: str) -> int | None:
    text = element.get(name)
    if text is None or not text.strip():
        return None
    if re.fullmatch(r"[0-9]{1,9}", text.strip()) is None:
        raise unreadable(file, place_of(element), f"{name}={shown(text)} is no whole number from 0 on")
    return int(text)


def _between(least: int, most: int) -> range:
    return range(least, most + 1)
