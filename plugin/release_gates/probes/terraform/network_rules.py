"""Rules on networks: who may connect, what has a public address, and what speaks plain text."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Any

from release_gates.model.foreign import plain
from release_gates.probes.terraform.attributes import attribute_faults, unknown_value
from release_gates.probes.terraform.links import is_declared
from release_gates.probes.terraform.plan import Plan, Resource
from release_gates.probes.terraform.rule import Doubt, Fault
from release_gates.probes.terraform.settings import TerraformSettings, fits
from release_gates.probes.terraform.values import Not, at

GROUPS = ("aws_security_group", "aws_default_security_group")
RULE, INGRESS = "aws_security_group_rule", "aws_vpc_security_group_ingress_rule"
KINDS = frozenset({*GROUPS, RULE, INGRESS, "aws_eip", "aws_lb_listener"})
WIDEST = {4: 8, 6: 16}
"""Networks with a shorter prefix are half the internet or more, whoever wrote them in pieces."""
NETWORKS = ("cidr_blocks", "ipv6_cidr_blocks", "cidr_ipv4", "cidr_ipv6")
LISTS = ("prefix_list_ids", "prefix_list_id")
PORTS = (("protocol", "ip_protocol"), ("from_port",), ("to_port",))


def open_to_anybody(plan: Plan, settings: TerraformSettings) -> Iterator[Fault | Doubt]:
    """TF03: yield security groups that let the whole internet in, but for ports that policy approves."""
    for each in plan.planned:
        if each.type in GROUPS:
            yield from _group(plan, each, settings)
        elif each.type == INGRESS or (each.type == RULE and _incoming(each)):
            yield from _entry(each, "", settings)


def _group(plan: Plan, each: Resource, settings: TerraformSettings) -> Iterator[Fault | Doubt]:
    for entry in at(each, "ingress.*.protocol"):
        if entry.place != "ingress":
            yield from _entry(each, entry.place.removesuffix("protocol"), settings)
        elif is_declared(plan, each, "ingress"):  # else it will have none: rules come as resources
            yield unknown_value(each.address, entry.place)


def _incoming(each: Resource) -> bool:
    return all(one.value != "egress" for one in at(each, "type"))


def public(plan: Plan, settings: TerraformSettings) -> Iterator[Fault | Doubt]:
    """TF04: yield what has an address or endpoint that everybody can reach."""
    yield from attribute_faults("TF04", plan, settings)
    for each in plan.planned:
        if each.type == "aws_eip" and not any(fits(one, each.address) for one in settings.exposed):
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
    if network is None:
        return
    try:
        parsed = ipaddress.ip_network(str(network), strict=False)
    except ValueError:
        yield Doubt(each.address, place, f"{plain(repr(network))} is no network")
        return
    if parsed.prefixlen >= WIDEST[parsed.version]:
        return
    protocol, first, last = (_one(each, prefix, *names) for names in PORTS)
    if not _approved(each, protocol, first, last, settings):
        ports = f"{protocol} from port {first} to {last}"
        yield Fault(each.address, place, f"{parsed} for {plain(ports)}", "networks that are named")


def _one(each: Resource, prefix: str, *names: str) -> Any:
    """Return the first of some attributes that is there; "unknown" where it is known only after apply."""
    for name in names:
        for one in at(each, prefix + name):
            if one.value not in (None, Not.THERE):
                return "unknown" if one.value is Not.KNOWN else one.value
    return None


def _approved(each: Resource, protocol: Any, first: Any, last: Any, settings: TerraformSettings) -> bool:
    named = [ports for one, ports in settings.open_ports.items() if fits(one, each.address)]
    allowed = {port for ports in named for port in ports}
    if protocol not in {"tcp", "udp", "6", "17"} or not (type(first) is int and type(last) is int):
        return False
    return 0 < first <= last < first + len(allowed) and set(range(first, last + 1)) <= allowed
