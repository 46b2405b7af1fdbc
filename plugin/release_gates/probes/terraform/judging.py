"""Rules applied to a plan and its sources: findings, what cannot be decided, what is exempt or off."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial

from release_gates.probes.terraform import (
    access_rules,
    change_rules,
    network_rules,
    secret_rules,
    source_rules,
)
from release_gates.probes.terraform.attributes import attribute_faults
from release_gates.probes.terraform.catalogue import CATALOGUE, ids
from release_gates.probes.terraform.faults import unused
from release_gates.probes.terraform.plan import Plan
from release_gates.probes.terraform.rule import Doubt, Fault, Finding
from release_gates.probes.terraform.settings import TerraformSettings, fits
from release_gates.probes.terraform.sources import Sources

OfPlan = Callable[[Plan, TerraformSettings], Iterator[Fault | Doubt]]
OfSources = Callable[[Plan, Sources, TerraformSettings], Iterator[Fault | Doubt]]

PLANNED: Mapping[str, OfPlan] = {
    "TF01": change_rules.destroyed,
    "TF02": partial(attribute_faults, "TF02"),
    "TF03": network_rules.open_to_anybody,
    "TF04": network_rules.public,
    "TF05": access_rules.made_public,
    "TF06": partial(attribute_faults, "TF06"),
    "TF07": network_rules.plain_text,
    "TF08": access_rules.backed_up,
    "TF09": access_rules.too_many_rights,
    "TF10": change_rules.drifted,
    "TF11": change_rules.checked,
    "TF16": change_rules.unjudged,
    "TF17": partial(attribute_faults, "TF17"),
    "TF18": change_rules.provisioned,
}
DECLARED: Mapping[str, OfSources] = {
    "TF12": source_rules.unpinned_providers,
    "TF13": source_rules.unpinned_modules,
    "TF14": source_rules.unkept_state,
    "TF15": secret_rules.secrets,
}
"""Every rule is in one of the two; a test compares them with the catalogue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What the rules say: faults and doubts apart, each once; ``off`` maps rules to why."""

    findings: tuple[Finding, ...]
    doubts: tuple[Finding, ...]
    exempted: tuple[Finding, ...]
    off: Mapping[str, str]
    resources: int


def judge_plan(
    plan: Plan,
    sources: Sources,
    settings: TerraformSettings,
    today: date,
    *,
    rules: Sequence[str] = ids(),
) -> Report:
    """Return what rules (all of them) say of a plan, on a day (for exemptions). Pure.

    Raises MeasurementError (``terraform-unused-policy``) for a pattern of policy that is about nothing; an
    exemption is only compared with rules that are asked.
    """
    _check_patterns(plan, settings)
    asked = [rule for rule in rules if rule not in settings.off]
    found = [one for rule in asked for one in _found(rule, plan, sources, settings)]
    exempt = _exempt(found, settings, today, asked)
    kept = [one for one in found if one not in exempt]
    return Report(
        findings=tuple(one for one in kept if isinstance(one.about, Fault)),
        doubts=tuple(one for one in kept if isinstance(one.about, Doubt)),
        exempted=tuple(one for one in found if one in exempt),
        off={rule: why for rule, why in settings.off.items() if rule in rules},
        resources=len(plan.managed),
    )


def _found(rule: str, plan: Plan, sources: Sources, settings: TerraformSettings) -> Iterator[Finding]:
    severity = settings.severity.get(rule, CATALOGUE[rule].severity)
    about = PLANNED[rule](plan, settings) if rule in PLANNED else DECLARED[rule](plan, sources, settings)
    for one in dict.fromkeys(about):
        yield Finding(rule=CATALOGUE[rule], severity=severity, about=one)


def _exempt(
    found: Sequence[Finding], settings: TerraformSettings, today: date, asked: Sequence[str]
) -> frozenset[Finding]:
    covered: set[Finding] = set()
    for one in settings.exempt:
        mine = {each for each in found if one.covers(each.rule.id, each.about.address)}
        if not mine and one.rule in asked:
            raise unused(f"the exemption of {one.address} from {one.rule} ({one.owner})", "covers no finding")
        if today <= one.until:
            covered |= mine
    return frozenset(covered)


def _check_patterns(plan: Plan, settings: TerraformSettings) -> None:
    addresses = [name for each in plan.managed for name in (each.address, each.previous_address) if name]
    named = (
        ("protected", settings.protected),
        ("open_ports", settings.open_ports),
        ("exposed", settings.exposed),
    )
    for key, patterns in named:
        for pattern in patterns:
            if not any(fits(pattern, address) for address in addresses):
                raise unused(f'{key} = "{pattern}"', "is about no resource of the plan")
    for pattern in settings.kinds:
        if not any(fits(pattern, each.type) for each in plan.managed):
            raise unused(f'kinds = "{pattern}"', "is about no type in the plan")
