"""Rules on what a plan would do: destroy, what changed outside, checks, types that nobody judges."""

from __future__ import annotations

from collections.abc import Iterator

from release_gates.model.foreign import plain
from release_gates.probes.terraform import (
    access_rules,
    attributes,
    azure_rules,
    google_rules,
    network_rules,
)
from release_gates.probes.terraform.kinds import NEUTRAL, STATEFUL
from release_gates.probes.terraform.plan import Plan, Resource, modules
from release_gates.probes.terraform.rule import Doubt, Fault
from release_gates.probes.terraform.settings import TerraformSettings, fits


def destroyed(plan: Plan, settings: TerraformSettings) -> Iterator[Fault | Doubt]:
    """TF01: yield what holds state, or is protected by policy, and would be deleted or forgotten."""
    for each in plan.managed:
        if {"delete", "forget"} & set(each.change.actions) and _kept(each, settings):
            why = f", {each.action_reason}" if each.action_reason else ""
            old = f" (deposed {plain(each.deposed, 20)})" if each.deposed else ""
            does = "replaced" if len(each.change.actions) > 1 else f"to {each.change.actions[0]}"
            yield Fault(each.address, old.strip(), f"{does}{plain(why)}", "kept")


def drifted(plan: Plan, _settings: TerraformSettings) -> Iterator[Fault | Doubt]:
    """TF10: yield what is not as the state says, because somebody changed it."""
    for each in plan.resource_drift:
        if each.change.actions != ("no-op",):
            yield Fault(each.address, "", f"{_difference(each)} by somebody else", "as it was applied")


def checked(plan: Plan, _settings: TerraformSettings) -> Iterator[Fault | Doubt]:
    """TF11: yield checks, conditions and validations that failed, or that nobody can decide yet."""
    for each in plan.checks:
        name = plain(each.address.to_display) or "a check"
        if each.status in {"fail", "error"}:
            yield Fault(name, "", each.status, "pass")
        elif each.status == "unknown":
            yield Doubt(name, "", "its values are known after apply")


def unjudged(plan: Plan, settings: TerraformSettings) -> Iterator[Fault | Doubt]:
    """TF16: yield what is of a type that no rule knows, and that policy does not accept; also what goes."""
    judged = judged_kinds() | NEUTRAL
    for each in plan.managed:
        known = each.type in judged or (each.change.after is None and each.type in STATEFUL)
        if not known and not any(fits(pattern, each.type) for pattern in settings.kinds):
            does = "" if each.change.after is not None else f", to {each.change.actions[0]}"
            yield Fault(each.address, "", f"of the type {plain(each.type)}{does}", "a type that rules know")


def provisioned(plan: Plan, _settings: TerraformSettings) -> Iterator[Fault | Doubt]:
    """TF18: yield provisioners, actions and data of programs, which run what no plan tells."""
    for path, module in modules(plan):
        for each in module.resources:
            if (each.mode, each.type) == ("data", "external"):
                where = f"{path}.data.external.{each.name}".lstrip(".")
                yield Fault(where, "program", "a program that plan and apply run", "none")
            for provisioner in each.provisioners:
                kind = plain(provisioner.get("type", "provisioner"))
                address = f"{path}.{each.type}.{each.name}".lstrip(".")
                yield Fault(address, "provisioner", kind, "none")
    for number, _ in enumerate(plan.action_invocations):
        yield Fault("action_invocations", str(number), "an action that is run", "none")


def judged_kinds() -> frozenset[str]:
    """Return the types that some rule asks something of."""
    of_aws = network_rules.KINDS | access_rules.KINDS
    return attributes.kinds() | of_aws | google_rules.KINDS | azure_rules.KINDS


def _kept(each: Resource, settings: TerraformSettings) -> bool:
    names = {each.address, each.previous_address} - {""}
    named = any(fits(pattern, name) for pattern in settings.protected for name in names)
    return each.type in STATEFUL or named


def _difference(each: Resource) -> str:
    """Return which attributes differ; never their values."""
    before, after = each.change.before, each.change.after
    if not isinstance(before, dict) or not isinstance(after, dict):
        return "deleted" if after is None else "made"
    differ = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    return f"changed in {plain(', '.join(differ))}" if differ else "changed"
