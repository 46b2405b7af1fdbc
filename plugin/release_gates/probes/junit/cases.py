"""One ``testcase`` element to a Case: everything that speaks against it is a finding."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from xml.etree.ElementTree import Element

from release_gates.model.outcome import Outcome
from release_gates.probes.junit.document import missing_package, place_of
from release_gates.probes.junit.facts import Case, Finding
from release_gates.probes.junit.faults import shown, unreadable

_TIME = re.compile(r"(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.[0-9]*)?(?:[eE][+-]?[0-9]{1,3})?")
_PLACE = re.compile(r"\S+:[0-9]+")
_GOOD = frozenset({"run", "completed", "passed", "pass", "success", "successful", "ok", "executed"})
_SKIPPED = frozenset(
    {"notrun", "not_run", "skipped", "skip", "suppressed", "disabled", "ignored", "pending", "todo"}
)
_FAILED = frozenset({"failed", "failure", "fail", "broken"})
_ERROR = frozenset({"error", "errored", "aborted", "timeout", "timedout", "canceled", "cancelled", "killed"})
_WORDS = ("status", "result", "outcome", "state", "verdict")
_FLAGS = {
    # attribute: what its value means if it speaks against the case
    "success": (False, Outcome.FAIL),
    "passed": (False, Outcome.FAIL),
    "failed": (True, Outcome.FAIL),
    "executed": (False, Outcome.INCONCLUSIVE),
    "disabled": (True, Outcome.INCONCLUSIVE),
    "skipped": (True, Outcome.INCONCLUSIVE),
    "ignored": (True, Outcome.INCONCLUSIVE),
}
_TEXTS = {"failure": Outcome.FAIL, "error": Outcome.ERROR}
LONGEST_SENTENCE = 500


def read_case(file: str, element: Element, *, suite: str, taken: datetime | None) -> Case:
    """Return what a ``testcase`` says. MeasurementError for a word or a number that cannot be."""
    try:
        from junitparser.xunit2 import TestCase
    except ImportError:
        raise missing_package(file, "junitparser") from None
    kind: Any = TestCase  # its constructors have no types
    parsed = kind.fromelem(element)
    results = list(parsed.result)
    findings = (*map(_finding, results), *_said_by_attributes(file, element))
    earlier = tuple(_interim(each) for each in parsed.interim_result)
    broken = any(found in (Outcome.FAIL, Outcome.ERROR) for found, _ in findings)
    name = parsed.name or ""
    if not name and not broken:
        raise unreadable(file, place_of(element), "a test case without a name that did not fail")
    return Case(
        suite=suite,
        classname=parsed.classname or "",
        name=name,
        place=place_of(element),
        findings=findings,
        earlier=earlier,
        failures=sum(found is Outcome.FAIL for found, _ in findings),
        errors=sum(found is Outcome.ERROR for found, _ in findings),
        skips=sum(found is Outcome.INCONCLUSIVE for found, _ in findings),
        duration_s=seconds(file, element),
        taken=taken,
        outside=broken and name in ("", "TestMain"),
    )


def seconds(file: str, element: Element) -> float:
    """Return the attribute ``time``, 0 if there is none; thousands may have a comma."""
    text = element.get("time", "").strip()
    value = float(text.replace(",", "")) if _TIME.fullmatch(text) else 0.0
    if text and (not _TIME.fullmatch(text) or not math.isfinite(value)):
        raise unreadable(file, place_of(element), f"time={shown(text)} is no number of seconds from 0 on")
    return value


def moment(file: str, element: Element) -> datetime | None:
    """Return the attribute ``timestamp``; without a zone it is UTC or local, whichever is earlier."""
    text = element.get("timestamp", "").strip()
    if not text:
        return None
    try:
        read = datetime.fromisoformat(text)
        if read.tzinfo is not None:
            return read.astimezone(UTC)
        return min(read.replace(tzinfo=UTC), read.astimezone(UTC))
    except (ValueError, OverflowError, OSError):
        raise unreadable(file, place_of(element), f"timestamp={shown(text)} is no date and time") from None


def _finding(result: Any) -> Finding:
    """Return what a ``failure``, ``error`` or ``skipped`` element says."""
    tag = result._elem.tag
    message = _sentence(result.message or "") or _sentence(result.text or "")
    if tag == "skipped" and result.type == "pytest.xfail":
        return Outcome.INCONCLUSIVE, f"expected to fail ({message or 'no reason given'})"
    if tag == "skipped":
        return Outcome.INCONCLUSIVE, f"skipped: {message or 'no reason given'}"
    kind = _sentence(result.type or "")
    if tag == "failure":
        return Outcome.FAIL, message or kind or "failed"
    return Outcome.ERROR, ": ".join(part for part in (kind, message) if part) or "error"


def _interim(result: Any) -> Finding:
    tag = result._elem.tag
    message = _sentence(result.message or "") or _sentence(result.type or "") or "an earlier attempt failed"
    return (Outcome.FAIL if tag.endswith("Failure") else Outcome.ERROR), message


def _said_by_attributes(file: str, element: Element) -> Iterator[Finding]:
    """Return what some tools say by attributes alone, as GoogleTest does of a disabled test."""
    has = {child.tag for child in element}
    for name in _WORDS:
        if name in element.attrib:
            outcome = _outcome_of(file, element, name)
            if outcome is not None and not has & _ELEMENTS[outcome]:
                word = f"{name}={element.get(name)}"
                yield outcome, f"skipped: {word}" if outcome is Outcome.INCONCLUSIVE else word
                break
    for name, (bad, outcome) in _FLAGS.items():
        if name in element.attrib and _flag(file, element, name) is bad and not has & _ELEMENTS[outcome]:
            skipped = "skipped: " if outcome is Outcome.INCONCLUSIVE else ""
            yield outcome, f"{skipped}{name}={element.get(name)}"
    for name, outcome in _TEXTS.items():
        if name in element.attrib and not has & _ELEMENTS[outcome]:
            yield outcome, _sentence(element.attrib[name]) or name


_ELEMENTS = {
    Outcome.FAIL: {"failure", "error"},
    Outcome.ERROR: {"failure", "error"},
    Outcome.INCONCLUSIVE: {"skipped"},
}


def _outcome_of(file: str, element: Element, name: str) -> Outcome | None:
    word = element.attrib[name].strip().lower()
    if not word or word in _GOOD:
        return None
    for words, outcome in (
        (_SKIPPED, Outcome.INCONCLUSIVE),
        (_FAILED, Outcome.FAIL),
        (_ERROR, Outcome.ERROR),
    ):
        if word in words:
            return outcome
    raise unreadable(
        file,
        place_of(element),
        f"{name}={shown(element.attrib[name])} is a word that this reader does not know",
    )


def _flag(file: str, element: Element, name: str) -> bool:
    word = element.attrib[name].strip().lower()
    if word not in ("true", "false", "1", "0"):
        raise unreadable(
            file, place_of(element), f"{name}={shown(element.attrib[name])} is neither true nor false"
        )
    return word in ("true", "1")


def _sentence(text: str) -> str:
    """Return the first line of a text, with the next one if it only says where (``book.cc:12``)."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    first = " ".join(lines[:2]) if lines and _PLACE.fullmatch(lines[0]) else "".join(lines[:1])
    return first[:LONGEST_SENTENCE]
