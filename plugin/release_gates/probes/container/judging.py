"""Rules applied to facts: findings, and what could not be decided."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from release_gates.model.rule import Undecided
from release_gates.model.severity import Severity
from release_gates.probes.container.catalogue import CATALOGUE
from release_gates.probes.container.profile import Profile
from release_gates.probes.container.rule import Doubt, Fault, Finding

Facts = TypeVar("Facts")

EXPLAINED = {
    "CR01": ("CR02", "CR06", "CR07", "CR15"),
    "CR08": ("CR09",),
    "DF02": ("DF03",),
}
"""A finding of the first rule explains what the others find in effect although it was declared well.

Only one that is as severe does: what policy tolerates hides nothing that fails."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which rules are asked, and how bad they are: ``off`` maps an id to the reason why it is not asked."""

    off: Mapping[str, str] = field(default_factory=dict)
    severities: Mapping[str, Severity] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What the rules say of one subject."""

    findings: tuple[Finding, ...] = ()
    doubts: tuple[Doubt, ...] = ()

    def of(self, rule: str) -> Report:
        """Return what one rule says."""
        return Report(
            findings=tuple(each for each in self.findings if each.rule.id == rule),
            doubts=tuple(each for each in self.doubts if each.rule.id == rule),
        )

    def __add__(self, other: Report) -> Report:
        return Report(findings=self.findings + other.findings, doubts=self.doubts + other.doubts)


def judge(
    facts: Facts,
    profile: Profile,
    checks: Mapping[str, Callable[[Facts, Profile], Iterable[Fault]]],
    *,
    subject: str,
    selection: Selection | None = None,
) -> Report:
    """Return what every rule that is on says of one subject, in the catalogue's order. Pure."""
    selection = selection or Selection()
    findings: list[Finding] = []
    doubts: list[Doubt] = []
    for identity, check in checks.items():
        if identity in selection.off:
            continue
        rule = CATALOGUE[identity]
        severity = selection.severities.get(identity, rule.severity)
        try:
            for fault in check(facts, profile):
                findings.append(Finding(rule=rule, subject=subject, severity=severity, fault=fault))
        except Undecided as error:
            doubts.append(Doubt(rule=rule, subject=subject, because=str(error)))
    return Report(findings=tuple(_unexplained(findings)), doubts=tuple(doubts))


def _unexplained(findings: list[Finding]) -> Iterator[Finding]:
    """Leave out what another finding explains: the same mistake is named once."""
    reasons = [(each, other) for each in findings for other in EXPLAINED.get(each.rule.id, ())]
    for finding in findings:
        explained = {other for each, other in reasons if each.severity.rank <= finding.severity.rank}
        always = finding.rule.id == "CR09"  # root without a group is root's group: one mistake
        if finding.rule.id not in explained or not (finding.fault.by_effect or always):
            yield finding
