"""Rules on Azure's resources that no table can tell: security groups, firewalls, addresses and roles."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Any

from release_gates.model.foreign import plain
from release_gates.probes.terraform.attributes import is_exposed, unknown_value
from release_gates.probes.terraform.links import is_declared
from release_gates.probes.terraform.plan import Plan, Resource
from release_gates.probes.terraform.reach import Ports, entries, port_range, world
from release_gates.probes.terraform.rule import Doubt, Fault
from release_gates.probes.terraform.settings import TerraformSettings
from release_gates.probes.terraform.values import Not, at

GROUP, RULE = "azurerm_network_security_group", "azurerm_network_security_rule"
FIREWALLS = (
    *("azurerm_mssql_firewall_rule", "azurerm_mysql_flexible_server_firewall_rule"),
    *("azurerm_postgresql_flexible_server_firewall_rule", "azurerm_redis_firewall_rule"),
)
ADDRESS, INTERFACE = "azurerm_public_ip", "azurerm_network_interface"
ASSIGNMENT, DEFINITION = "azurerm_role_assignment", "azurerm_role_definition"
KINDS = frozenset({GROUP, RULE, *FIREWALLS, ADDRESS, INTERFACE, ASSIGNMENT, DEFINITION})
ANYBODY = frozenset({"*", "any", "internet", "<nw>/0", "/0"})
WITHIN = frozenset({"virtualnetwork", "azureloadbalancer"})
"""Service tags that stand for one's own network; all others are addresses that somebody else may have."""
WIDEST = 1 << 24
"""So many addresses are as many as a network of Azure's own customers."""
TOO_MUCH = {
    "owner": "8e3af657-a8ff-443c-a75c-2fe8c4bcb635",
    "contributor": "b24988ac-6180-42a0-ab88-20f7382dd24c",
    "user access administrator": "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9",
    "role based access control administrator": "f58310d9-a9f6-439a-9e8d-f62e7b41a168",
}
"""Built-in roles by name and id: https://learn.microsoft.com/azure/role-based-access-control/built-in-roles."""


def open_to_anybody(plan: Plan, each: Resource, settings: TerraformSettings) -> Iterator[Fault | Doubt]:
    """TF03: yield security rules that let the world in, and firewalls of databases that do."""
    if each.type == RULE:
        yield from _rule(each, "", settings)
    if each.type == GROUP:
        for one in at(each, "security_rule.*.direction"):
            if one.place != "security_rule":
                yield from _rule(each, one.place.removesuffix("direction"), settings)
            elif is_declared(plan, each, "security_rule"):  # else its rules are resources of their own
                yield unknown_value(each.address, one.place)
    if each.type in FIREWALLS and not is_exposed(each, settings):
        yield from _range(each)


def public(each: Resource, settings: TerraformSettings) -> Iterator[Fault | Doubt]:
    """TF04: yield public addresses; a network interface gets its own from such a resource."""
    if each.type == ADDRESS and not is_exposed(each, settings):
        yield Fault(each.address, "", "a public address", "none")
    for one in at(each, "ip_configuration.*.public_ip_address_id") if each.type == INTERFACE else ():
        if isinstance(one.value, str) and one.value and not is_exposed(each, settings):
            yield Fault(each.address, one.place, "a public address", "none")


def too_many_rights(each: Resource) -> Iterator[Fault | Doubt]:
    """TF09: yield assignments of roles that are nearly everything, and definitions of such roles."""
    if each.type == ASSIGNMENT:
        yield from _assigned(each)
    for one in at(each, "permissions.*.actions.*") if each.type == DEFINITION else ():
        if one.value is Not.KNOWN:
            yield unknown_value(each.address, one.place)
        elif str(one.value).lower() in {"*", "*/write", "microsoft.authorization/*"}:
            yield Fault(each.address, one.place, plain(one.value), "named actions")


def _assigned(each: Resource) -> Iterator[Fault | Doubt]:
    (name,), (identity,) = at(each, "role_definition_name"), at(each, "role_definition_id")
    if isinstance(name.value, str) and name.value:
        if name.value.lower() in TOO_MUCH:
            yield Fault(each.address, name.place, plain(name.value), "a role of few rights")
    elif isinstance(identity.value, str) and identity.value:
        if identity.value.lower().rpartition("/")[2] in TOO_MUCH.values():
            yield Fault(each.address, identity.place, "a role of nearly all rights", "a role of few rights")
    else:
        yield unknown_value(each.address, name.place)


def _rule(each: Resource, prefix: str, settings: TerraformSettings) -> Iterator[Fault | Doubt]:
    ways = [one.value for name in ("direction", "access") for one in at(each, prefix + name)]
    if "Outbound" in ways or "Deny" in ways:
        return
    reached = list(_reached(each, prefix))
    if any(one.value is Not.KNOWN for one in _places(each, prefix, "destination_port_range")):
        yield unknown_value(each.address, f"{prefix}destination_port_range")
    named = [
        *_places(each, prefix, "source_address_prefix", "source_address_prefixes"),
        *_places(each, prefix, "source_application_security_group_ids"),
    ]
    if not named:
        yield Doubt(each.address, f"{prefix}source_address_prefix", "it names no source")
    for one in named:
        if one.value is Not.KNOWN:
            if "application_security_group" not in one.place:
                yield unknown_value(each.address, one.place)
        elif "application_security_group" not in one.place:
            yield from _source(each, one.place, str(one.value), reached, settings)


def _source(
    each: Resource, place: str, source: str, reached: list[Ports], settings: TerraformSettings
) -> Iterator[Fault | Doubt]:
    if source.lower() in ANYBODY:
        yield from world(each, place, source, reached, settings)
    elif source[:1].isalpha() and ":" not in source:
        if source.lower() not in WITHIN:
            yield Doubt(each.address, place, f"nobody here knows whose addresses {plain(source)} are")
    else:
        yield from entries(each, place, source, reached, settings)


def _reached(each: Resource, prefix: str) -> Iterator[Ports]:
    (protocol,) = at(each, f"{prefix}protocol")
    for one in _places(each, prefix, "destination_port_range", "destination_port_ranges"):
        yield protocol.value, *port_range(one.value)


def _places(each: Resource, prefix: str, *names: str) -> list[Any]:
    """Return what is at some attributes, single or listed; neither nothing nor an empty list."""
    found = []
    for name in names:
        for one in at(each, prefix + name):
            if isinstance(one.value, list):
                found += list(at(each, f"{prefix}{name}.*"))
            elif one.value not in (None, "", Not.THERE):
                found.append(one)
    return found


def _range(each: Resource) -> Iterator[Fault | Doubt]:
    """Judge a firewall of a database; from 0.0.0.0 to 0.0.0.0 are all customers of Azure."""
    names = ("start_ip_address", "end_ip_address", "start_ip", "end_ip")
    found = [one for name in names for one in at(each, name) if one.value is not Not.THERE]
    if len(found) != 2 or any(one.value is Not.KNOWN for one in found):
        yield unknown_value(each.address, "start_ip_address")
        return
    try:
        first, last = (int(ipaddress.ip_address(str(one.value))) for one in found)
    except ValueError:
        yield Doubt(each.address, found[0].place, "it is no range of addresses")
        return
    if last - first >= WIDEST or (first, last) == (0, 0) or last < first:
        said = plain(f"{found[0].value} to {found[1].value}")
        yield Fault(each.address, found[0].place, said, "addresses that are yours")
