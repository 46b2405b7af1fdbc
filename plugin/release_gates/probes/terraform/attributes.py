"""What attributes of resources have to be: the tables of three providers, and the rules that come of them."""

from __future__ import annotations

from collections.abc import Iterator

from release_gates.probes.terraform import aws_rows, azure_rows, google_rows
from release_gates.probes.terraform.plan import Plan, Resource
from release_gates.probes.terraform.rule import Doubt, Fault
from release_gates.probes.terraform.settings import TerraformSettings, fits
from release_gates.probes.terraform.values import Not, at
from release_gates.probes.terraform.wants import Rows, Want

_TABLES = (aws_rows.ROWS, google_rows.ROWS, azure_rows.ROWS)
ROWS: Rows = {rule: tuple(row for table in _TABLES for row in table.get(rule, ())) for rule in aws_rows.ROWS}
"""Rule -> types, the place in them, and what has to be there."""


def attribute_faults(rule: str, plan: Plan, settings: TerraformSettings) -> Iterator[Fault | Doubt]:
    """Yield what the tables' rows of a rule find."""
    for types, path, want in ROWS.get(rule, ()):
        for resource in plan.planned:
            if resource.type in types and not (rule == "TF04" and is_exposed(resource, settings)):
                yield from _judged(resource, path, want, settings)


def kinds() -> frozenset[str]:
    """Return the types that the tables know."""
    return frozenset(one for rows in ROWS.values() for types, _, _ in rows for one in types)


def unknown_value(address: str, place: str) -> Doubt:
    """Return the doubt about a value that is known only once the plan was applied."""
    return Doubt(address, place, f"it is {Not.KNOWN.value}; write it into the sources")


def is_exposed(resource: Resource, settings: TerraformSettings) -> bool:
    """Tell whether policy approves that a resource has a public address or endpoint."""
    return any(fits(pattern, resource.address) for pattern in settings.exposed)


def _judged(
    resource: Resource, path: str, want: Want, settings: TerraformSettings
) -> Iterator[Fault | Doubt]:
    for found in at(resource, path):
        if found.value is Not.KNOWN:
            yield unknown_value(resource.address, found.place)
        elif found.value is Not.THERE and "." not in path:
            yield Doubt(resource.address, found.place, "this version of the provider has no such attribute")
        elif found.value is Not.THERE:
            yield Fault(resource.address, found.place, "not there", f"{path} = {want.text}")
        elif found.value is None and not want.unset:
            yield Fault(resource.address, found.place, "not set", want.text)
        elif found.value is not None and not want.holds(found.value, settings):
            yield Fault(resource.address, found.place, repr(found.value)[:40], want.text)
