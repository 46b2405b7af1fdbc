"""Rules applied to the facts of a host: findings, what could not be decided, what does not apply."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import add

from release_gates.model.rule import Rule, Undecided
from release_gates.model.severity import Severity
from release_gates.probes.machine.hosts import (
    clock_rules,
    cpu_rules,
    engine_rules,
    kernel_rules,
    network_rules,
)
from release_gates.probes.machine.hosts.catalogue import CATALOGUE, ids
from release_gates.probes.machine.hosts.facts import Facts
from release_gates.probes.machine.hosts.kernel_rules import Check
from release_gates.probes.machine.hosts.profile import Profile
from release_gates.probes.machine.hosts.rule import Fault, Finding, NotThere, Remark

_FAMILIES = (kernel_rules, cpu_rules, network_rules, engine_rules, clock_rules)
CHECKS: Mapping[str, tuple[Check, ...]] = {
    identity: family.CHECKS[identity]
    for identity in CATALOGUE
    for family in _FAMILIES
    if identity in family.CHECKS
}
"""Every rule's parts, in the catalogue's order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What the rules say; ``decided`` counts the rules, on each host, that were decided in every part."""

    findings: tuple[Finding, ...] = ()
    doubts: tuple[Remark, ...] = ()
    inapplicable: tuple[Remark, ...] = ()
    off: tuple[Remark, ...] = ()
    decided: int = 0

    def __add__(self, other: Report) -> Report:
        return Report(
            findings=self.findings + other.findings,
            doubts=self.doubts + other.doubts,
            inapplicable=self.inapplicable + other.inapplicable,
            off=self.off + other.off,
            decided=self.decided + other.decided,
        )


@dataclass(slots=True)
class _Asked:
    """What the parts of one rule said of one host."""

    faults: list[Fault] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)
    decided: int = 0


def judge_host(
    facts: Facts,
    profile: Profile,
    *,
    name: str = "",
    rules: Sequence[str] = ids(),
    severities: Mapping[str, Severity] | None = None,
) -> Report:
    """Return what rules (all of them) say of one host, by that name in sentences. Pure."""
    host = name or facts.hostname
    reports = (_judge(CATALOGUE[each], facts, profile, host, (severities or {}).get(each)) for each in rules)
    return reduce(add, reports, Report())


def _judge(rule: Rule, facts: Facts, profile: Profile, host: str, severity: Severity | None) -> Report:
    if reason := profile.off.get(rule.id):
        return Report(off=(Remark(rule=rule, host=host, because=reason),))
    asked = _ask(CHECKS[rule.id], facts, profile)
    reason = profile.absent.get(rule.id, "")
    if not reason:
        missing = [Fault(place=each, found="not there", expected="there to be read") for each in asked.absent]
        asked.faults.extend(missing)
    inapplicable = reason and asked.absent and not (asked.faults or asked.doubts or asked.decided)
    return Report(
        findings=tuple(
            Finding(rule=rule, host=host, severity=severity or rule.severity, fault=fault)
            for fault in asked.faults
        ),
        doubts=tuple(
            Remark(rule=rule, host=host, because=f"cannot be decided: {doubt}")
            for doubt in dict.fromkeys(asked.doubts)
        ),
        inapplicable=(
            (
                Remark(
                    rule=rule, host=host, because=f"{reason} ({', '.join(asked.absent)[:200]} is not there)"
                ),
            )
            if inapplicable
            else ()
        ),
        decided=0 if inapplicable or asked.doubts else 1,
    )


def _ask(checks: tuple[Check, ...], facts: Facts, profile: Profile) -> _Asked:
    """Ask each part by itself: one that cannot be decided hides nothing that another finds."""
    asked = _Asked()
    for check in checks:
        try:
            for fault in check(facts, profile):
                asked.faults.append(fault)
            asked.decided += 1
        except NotThere as error:
            asked.absent.append(str(error))
        except Undecided as error:
            asked.doubts.append(str(error))
    return asked
