"""Rules on networks: who may connect, what has a public address, and what speaks plain text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from release_gates.probes.terraform import azure_rules, google_rules
from release_gates.probes.terraform.attributes import attribute_faults, is_exposed, unknown_value
from release_gates.probes.terraform.links import is_declared
from release_gates.probes.terraform.plan import Plan, Resource
from release_gates.probes.terraform.reach import entries, world
from release_gates.probes.terraform.rule import Doubt, Fault
from release_gates.probes.terraform.settings import TerraformSettings
from release_gates.probes.terraform.values import Not, at

GROUPS = ("aws_security_group", "aws_default_security_group")
RULE, INGRESS = "aws_security_group_rule", "aws_vpc_security_group_ingress_rule"
NODES = "aws_eks_node_group"
KINDS = frozenset({*GROUPS, RULE, INGRESS, NODES, "aws_eip", "aws_lb_listener"})
NETWORKS = ("cidr_blocks", "ipv6_cidr_blocks", "cidr_ipv4", "cidr_ipv6")
LISTS = ("prefix_list_ids", "prefix_list_id")
PORTS = (("protocol", "ip_protocol"), ("from_port",), ("to_port",))


def open_to_anybody(plan: Plan, settings: TerraformSettings) -> Iterator[Fault | Doubt]:
    """TF03: yield what lets the whole internet in, but for ports that policy approves."""
    for each in plan.planned:
        yield from google_rules.open_to_anybody(plan, each, settings)
        yield from azure_rules.open_to_anybody(plan, each, settings)
        if each.type in GROUPS:
            yield from _group(plan, each, settings)
        elif each.type == NODES:
            yield from _nodes(each, settings)
        elif each.type == INGRESS or (each.type == RULE and _incoming(each)):
            yield from _entry(each, "", settings)


def _group(plan: Plan, each: Resource, settings: TerraformSettings) -> Iterator[Fault | Doubt]:
    for entry in at(each, "ingress.*.protocol"):
        if entry.place != "ingress":
            yield from _entry(each, entry.place.removesuffix("protocol"), settings)
        elif is_declared(plan, each, "ingress"):  # else it will have none: rules come as resources
            yield unknown_value(each.address, entry.place)


def _nodes(each: Resource, settings: TerraformSettings) -> Iterator[Fault | Doubt]:
    """Judge who may log in to the nodes of a cluster: with a key and without groups, AWS lets everybody."""
    for key in at(each, "remote_access.*.ec2_ssh_key"):
        if key.value in (None, "", Not.THERE):
            continue
        place = key.place.replace("ec2_ssh_key", "source_security_group_ids")
        groups = list(at(each, f"{place}.+"))
        if all(one.value is Not.THERE or one.value is None for one in groups):
            yield from world(each, place, "no group, which is everybody", [("tcp", 22, 22)], settings)


def _incoming(each: Resource) -> bool:
    return all(one.value != "egress" for one in at(each, "type"))


def public(plan: Plan, settings: TerraformSettings) -> Iterator[Fault | Doubt]:
    """TF04: yield what has an address or endpoint that everybody can reach."""
    yield from attribute_faults("TF04", plan, settings)
    for each in plan.planned:
        yield from google_rules.public(each, settings)
        yield from azure_rules.public(each, settings)
        if each.type == "aws_eip" and not is_exposed(each, settings):
            yield Fault(each.address, "", "a public address", "none")


def plain_text(plan: Plan, settings: TerraformSettings) -> Iterator[Fault | Doubt]:
    """TF07: yield what can be read on its way."""
    yield from attribute_faults("TF07", plan, settings)
    for each in plan.planned:
        if each.type == "aws_lb_listener":
            yield from _listener(each)


def _listener(each: Resource) -> Iterator[Fault | Doubt]:
    (protocol,) = at(each, "protocol")
    if isinstance(protocol.value, Not):
        yield unknown_value(each.address, protocol.place)
    elif protocol.value in {None, "HTTP"}:
        actions = list(at(each, "default_action.+.type"))
        targets = list(at(each, "default_action.*.redirect.*.protocol"))
        redirects = [one.value for one in actions] == ["redirect"]
        if not redirects or [one.value for one in targets] != ["HTTPS"]:
            yield Fault(each.address, "protocol", repr(protocol.value), '"HTTPS", or a redirect to it')


def _entry(each: Resource, prefix: str, settings: TerraformSettings) -> Iterator[Fault | Doubt]:
    """Judge one rule for incoming connections, of any of the three forms."""
    for name in LISTS:
        for one in at(each, prefix + name):
            if one.value not in ([], None, Not.THERE):
                yield Doubt(each.address, one.place, "nobody here knows what is in a list")
    found = [one for name in NETWORKS for one in at(each, prefix + name)]
    if all(one.value is Not.THERE for one in found):
        yield Doubt(each.address, prefix + NETWORKS[0], "it names no network in a way that is known here")
    for one in found:
        if one.value is Not.KNOWN:
            yield unknown_value(each.address, one.place)
        elif one.value is not Not.THERE:
            for network in one.value if isinstance(one.value, list) else [one.value]:
                yield from _network(each, prefix, one.place, network, settings)


def _network(
    each: Resource, prefix: str, place: str, network: Any, settings: TerraformSettings
) -> Iterator[Fault | Doubt]:
    if network is not None:
        protocol, first, last = (_one(each, prefix, *names) for names in PORTS)
        yield from entries(each, place, network, [(protocol, first, last)], settings)


def _one(each: Resource, prefix: str, *names: str) -> Any:
    """Return the first of some attributes that is there; "unknown" where it is known only after apply."""
    for name in names:
        for one in at(each, prefix + name):
            if one.value not in (None, Not.THERE):
                return "unknown" if one.value is Not.KNOWN else one.value
    return None
