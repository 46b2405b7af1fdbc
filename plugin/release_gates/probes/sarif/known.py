"""Findings that a reviewer knows: ``gates/findings/<gate>.json``, who is on it, and since when."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Annotated, NamedTuple

import msgspec

from release_gates.errors import PolicyError
from release_gates.model.record import SCHEMA, Record
from release_gates.model.severity import Severity
from release_gates.probes.sarif.findings import Finding

FOLDER = "findings"
"""Below the folder of the policy, so that its digest covers what is accepted."""


class KnownFinding(Record, frozen=True, kw_only=True):
    """``count`` findings of one identity, first seen on one day; ``test`` is the id of the record."""

    test: str
    id: str
    rule: str
    path: str
    severity: Severity
    first_seen: date
    count: Annotated[int, msgspec.Meta(ge=1)] = 1
    text: str = ""


class KnownFindings(Record, frozen=True, kw_only=True):
    """The whole file."""

    schema: int = SCHEMA
    findings: tuple[KnownFinding, ...] = ()


class Dated(NamedTuple):
    """A finding, and the day since which it is known; None for a new one."""

    finding: Finding
    known: date | None


def read_known(name: str, text: str, *, today: date) -> tuple[KnownFinding, ...]:
    """Return what a file of known findings holds; PolicyError (``findings-known``) if it cannot be used.

    A day in the future would keep a finding young for ever, and is refused too.
    """
    try:
        known = msgspec.json.decode(text, type=KnownFindings)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as problem:
        raise _unusable(name, str(problem)) from problem
    if known.schema != SCHEMA:
        raise _unusable(name, f"has schema {known.schema}, and this version reads {SCHEMA}")
    late = next((each for each in known.findings if each.first_seen > today), None)
    if late is not None:
        raise _unusable(
            name, f"{late.rule} at {late.path} was first seen on {late.first_seen}, in the future"
        )
    return known.findings


def render_known(findings: Iterable[KnownFinding]) -> str:
    """Return the text of the file, sorted, one finding a line: a review sees what is accepted."""
    ordered = sorted(findings, key=lambda each: (each.test, each.path, each.rule, each.id, each.first_seen))
    lines = (json.dumps(msgspec.to_builtins(each), ensure_ascii=False) for each in ordered)
    body = ",\n".join(f"  {line}" for line in lines)
    return f'{{"schema": {SCHEMA}, "findings": [\n{body}\n]}}\n' if body else f'{{"schema": {SCHEMA}}}\n'


def dated(findings: Sequence[Finding], known: Iterable[KnownFinding]) -> list[Dated]:
    """Return each finding with its day, worst first.

    An entry covers as many findings as it counts, the oldest entry first, and none that is worse than what
    was accepted: a copy of a known finding is new, and so is one whose rule became critical.
    """
    left: dict[str, list[tuple[KnownFinding, int]]] = defaultdict(list)
    for entry in sorted(known, key=lambda each: each.first_seen):
        left[entry.id].append((entry, entry.count))
    ordered = sorted(findings, key=lambda each: (each.severity.rank, each.path, each.line, each.rule))
    return [Dated(finding, _taken(finding, left[finding.identity])) for finding in ordered]


def known_after(
    known: Iterable[KnownFinding], found: Mapping[str, Sequence[Finding]], *, today: date
) -> tuple[KnownFinding, ...]:
    """Return what is known once all of ``found`` (by record id) is accepted.

    Days stay as they were; what is not found any more is dropped; records that were not read stay.
    """
    before = tuple(known)
    kept = [entry for entry in before if entry.test not in found]
    for test, findings in found.items():
        of_test = [entry for entry in before if entry.test == test]
        counted: dict[tuple[str, date], list[Finding]] = defaultdict(list)
        for finding, day in dated(findings, of_test):
            counted[finding.identity, day or min(today, finding.detected or today)].append(finding)
        kept += [_entry(test, day, group) for (_, day), group in counted.items()]
    return tuple(kept)


def _entry(test: str, day: date, group: Sequence[Finding]) -> KnownFinding:
    first = group[0]
    return KnownFinding(
        test=test,
        id=first.identity,
        rule=first.rule,
        path=first.path,
        severity=first.severity,
        first_seen=day,
        count=len(group),
        text=first.text,
    )


def _taken(finding: Finding, entries: list[tuple[KnownFinding, int]]) -> date | None:
    for index, (entry, count) in enumerate(entries):
        if count and entry.severity.rank <= finding.severity.rank:
            entries[index] = (entry, count - 1)
            return entry.first_seen
    return None


def _unusable(name: str, problem: str) -> PolicyError:
    return PolicyError(
        f"{name}: {problem}.",
        slug="findings-known",
        hint="Let `release-gates import sarif … --accept-known` write it, and review the difference.",
    )
