"""What checkov found, with our severities: findings, what policy accepts, what the sources switched off."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from release_gates.model.foreign import plain
from release_gates.model.severity import Severity
from release_gates.probes.checkov.faults import unreadable, unused
from release_gates.probes.checkov.report import Check, Report
from release_gates.probes.checkov.settings import Acceptance, CheckovSettings, Scan
from release_gates.probes.checkov.severities import OURS, THEIRS


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One check that a resource does not pass, or that its sources switched off."""

    severity: Severity
    check: str
    resource: str
    place: str
    text: str

    @property
    def sentence(self) -> str:
        """Check, severity, resource, where, and what is wrong."""
        return f"{self.check} ({self.severity}) {self.resource} in {self.place}: {self.text}"


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is wrong, what policy accepts, and how much was looked at."""

    findings: tuple[Finding, ...]
    accepted: tuple[Finding, ...]
    resources: int


def judge_reports(
    reports: Sequence[tuple[Scan, Report]], settings: CheckovSettings, today: date
) -> Judgement:
    """Return what reports say, each with what was scanned, on a day (for what is accepted). Pure.

    What a comment or an annotation switched off is a finding: policy alone accepts. Raises MeasurementError
    (``checkov-unused-policy``) for an acceptance that is about no finding.
    """
    found = tuple(dict.fromkeys(one for scan, report in reports for one in _found(report, scan, settings)))
    asked = [one for one in found if one.check not in settings.off]
    accepted = frozenset(_accepted(asked, settings.accepted, today))
    left = sorted((one for one in asked if one not in accepted), key=lambda one: (one.severity.rank, one))
    resources = sum(report.summary.resource_count for _, report in reports)
    return Judgement(tuple(left), tuple(one for one in asked if one in accepted), resources)


def severity_of(check: str, said: str | None, settings: CheckovSettings, place: str) -> Severity:
    """Return what a check weighs: by policy, by our own rule, by checkov, else as policy says of the rest."""
    if check in settings.severity:
        return settings.severity[check]
    if ours := OURS.get(check):
        return ours
    if said is None:
        return settings.otherwise
    if said.upper() not in THEIRS:
        raise unreadable(place, f"{check} has the severity {plain(said)}, which nobody knows")
    return THEIRS[said.upper()]


def _found(report: Report, scan: Scan, settings: CheckovSettings) -> Iterator[Finding]:
    for one in (*report.results.failed_checks, *report.results.skipped_checks):
        place = f"{scan.folder}{one.file_path}" if scan.folder else scan.artifact
        yield Finding(
            severity=severity_of(one.check_id, one.severity, settings, place),
            check=plain(one.check_id),
            resource=plain(one.resource, 200),
            place=plain(_place(one, place), 200),
            text=_text(one),
        )


def _place(one: Check, place: str) -> str:
    first, last = one.file_line_range
    return f"{place}:{first}-{last}" if place.endswith(".tf") and first else place


def _text(one: Check) -> str:
    name = plain(one.check_name, 160)
    if one.check_result.result == "SKIPPED":
        why = plain(one.check_result.suppress_comment) or "no reason"
        return f"{name}: switched off beside it ({why}), and only policy accepts"
    return name


def _accepted(found: Iterable[Finding], accepted: Sequence[Acceptance], today: date) -> Iterator[Finding]:
    everything = tuple(found)
    for one in accepted:
        mine = [each for each in everything if one.covers(each.check, each.resource)]
        if not mine:
            raise unused(
                f"the acceptance of {one.check} for {one.resource} ({one.owner})", "covers no finding"
            )
        if today <= one.until:
            yield from mine
