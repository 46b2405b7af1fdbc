"""Findings, known findings and policy to one test record: outcome, sentence, counts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from release_gates.model.evidence import TestRecord
from release_gates.model.measurement import Attachment, Measurement
from release_gates.model.outcome import Outcome, worst
from release_gates.model.severity import Severity
from release_gates.probes.sarif.findings import Finding
from release_gates.probes.sarif.known import Dated, KnownFinding, dated
from release_gates.probes.sarif.settings import FindingsSettings

NAMED = 3
"""So many findings stand in a sentence before "and N more"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One finding with what policy does with it, and why."""

    finding: Finding
    known: date | None
    outcome: Outcome
    because: str


def record_id(tool: str, file: str) -> str:
    """Return the id under which the findings of one tool in one file stand in the evidence."""
    return f"sarif:{tool}::{file}"


def judge_findings(
    findings: Sequence[Finding],
    known: Iterable[KnownFinding],
    settings: FindingsSettings,
    *,
    today: date,
) -> tuple[Judged, ...]:
    """Return every finding with what becomes of it, worst severity first.

    Under ``block`` a new finding is FAIL and a known one is WARN for as long as policy accepts it; under
    ``block after N days`` one is WARN until then, and INCONCLUSIVE while nobody recorded its first day.
    """
    accepted = [finding for finding in findings if is_suppressed(finding, settings)]
    open_ = [finding for finding in findings if not is_suppressed(finding, settings)]
    judged = [_judged(entry, settings, today) for entry in dated(open_, known)]
    suppressed = [
        Judged(finding=f, known=None, outcome=Outcome.WARN, because="suppressed with a reason")
        for f in accepted
    ]
    return (*judged, *suppressed)


def to_record(
    identity: str,
    gate: str,
    judged: Sequence[Judged],
    *,
    settings: FindingsSettings,
    attachment: Attachment,
    finished: datetime,
) -> TestRecord:
    """Return the record of one tool's findings in one file."""
    outcome = worst([Outcome.PASS, *(each.outcome for each in judged)])
    return TestRecord(
        id=identity,
        gate=gate,
        outcome=outcome,
        last=outcome,
        because=sentence(judged, outcome),
        phases=("setup", "call", "teardown"),
        measurements=tuple(_measurements(judged, settings)),
        attachments=(attachment,),
        finished=finished,
    )


def sentence(judged: Sequence[Judged], outcome: Outcome) -> str:
    """Return what stands against the candidate, or is to be known: the worst findings with their remedies."""
    if outcome is Outcome.PASS:
        return ""
    chosen = [each for each in judged if each.outcome is outcome]
    what = {Outcome.FAIL: "blocks", Outcome.INCONCLUSIVE: "is undecided"}.get(outcome, "is tolerated")
    verb = what if len(chosen) == 1 else {"blocks": "block"}.get(what, what.replace("is", "are", 1))
    noun = "finding" if len(chosen) == 1 else "findings"
    more = f"; and {len(chosen) - NAMED} more" if len(chosen) > NAMED else ""
    return f"{len(chosen)} {noun} {verb}: {'; '.join(described(each) for each in chosen[:NAMED])}{more}"


def described(judged: Judged) -> str:
    """Return one finding in words: severity, rule, place, why, message, remedy."""
    finding = judged.finding
    remedy = f" (remedy: {finding.remedy.rstrip('.')})" if finding.remedy else ""
    return (
        f"{finding.severity} {finding.rule} at {finding.place}, {judged.because}: "
        f"{finding.text.rstrip('.')}{remedy}"
    )


def _judged(entry: Dated, settings: FindingsSettings, today: date) -> Judged:
    outcome, because = _decided(entry, settings, today)
    if entry.finding.suppression:
        because += ", its suppression is not accepted"
    return Judged(finding=entry.finding, known=entry.known, outcome=outcome, because=because)


def _decided(entry: Dated, settings: FindingsSettings, today: date) -> tuple[Outcome, str]:
    finding, action = entry.finding, settings.action(entry.finding.severity)
    state = "new" if entry.known is None else f"known since {entry.known}"
    if action.kind == "note":
        return Outcome.PASS, state
    if action.kind == "warn":
        return Outcome.WARN, state
    if finding.undecided and entry.known is None:
        return Outcome.INCONCLUSIVE, f"{state}, and the tool leaves it to a person"
    if action.after_days is None:
        return _blocked(entry.known, settings.accept_days, state, today)
    since = min(entry.known or today, finding.detected or today)
    outcome, because = _blocked(since, action.after_days, f"first seen {since}", today)
    if entry.known is None and outcome is not Outcome.FAIL:
        return Outcome.INCONCLUSIVE, f"{state}, and no first day is recorded (`--accept-known`)"
    return outcome, because


def _blocked(since: date | None, days: int, state: str, today: date) -> tuple[Outcome, str]:
    if since is None:
        return Outcome.FAIL, state
    over = (today - since).days > days
    return (Outcome.FAIL if over else Outcome.WARN), f"{state}, tolerated for {days} days"


def _measurements(judged: Sequence[Judged], settings: FindingsSettings) -> Iterator[Measurement]:
    suppressed = [each for each in judged if is_suppressed(each.finding, settings)]
    open_ = [each for each in judged if each not in suppressed]
    for state, is_known in (("new", False), ("known", True)):
        chosen = [each for each in open_ if (each.known is not None) == is_known]
        for severity in Severity:
            number = sum(each.finding.severity is severity for each in chosen)
            yield _count(f"{state}_{severity}", number)
    yield _count("undecided", sum(each.finding.undecided for each in open_))
    yield _count("suppressed", len(suppressed))
    yield _count("suppressed_not_accepted", sum(bool(each.finding.suppression) for each in open_))
    yield _count("total", len(judged))


def _count(name: str, number: int) -> Measurement:
    return Measurement(name=f"findings.{name}", value=float(number), unit="count")


def is_suppressed(finding: Finding, settings: FindingsSettings) -> bool:
    """Return whether policy accepts that a finding is suppressed in the file."""
    return finding.suppression == "justified" and settings.suppressions == "justified"
