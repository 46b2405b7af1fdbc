"""Who may connect: what is half the internet or more, and whether policy approves it for some ports."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from typing import Any

from release_gates.model.foreign import plain
from release_gates.probes.terraform.plan import Resource
from release_gates.probes.terraform.rule import Doubt, Fault
from release_gates.probes.terraform.settings import TerraformSettings, fits

WIDEST = {4: 8, 6: 16}
"""Networks with a shorter prefix are half the internet or more, whoever wrote them in pieces."""
ALL_PORTS = (0, 65535)
Ports = tuple[Any, Any, Any]
"""Protocol, first and last port; what is no text or no number is approved by nobody."""


def entries(
    each: Resource, place: str, network: Any, reached: Iterable[Ports], settings: TerraformSettings
) -> Iterator[Fault | Doubt]:
    """Yield what lets the world in: a network, and what can be reached from it."""
    try:
        parsed = ipaddress.ip_network(str(network), strict=False)
    except ValueError:
        yield Doubt(each.address, place, f"{plain(repr(network))} is no network")
        return
    if parsed.prefixlen < WIDEST[parsed.version]:
        yield from world(each, place, str(parsed), reached, settings)


def world(
    each: Resource, place: str, who: str, reached: Iterable[Ports], settings: TerraformSettings
) -> Iterator[Fault]:
    """Yield what everybody can reach without the approval of policy."""
    for protocol, first, last in reached:
        if not _approved(each, protocol, first, last, settings):
            ports = f"{protocol} from port {first} to {last}"
            yield Fault(each.address, place, f"{plain(who)} for {plain(ports)}", "networks that are named")


def port_range(text: Any) -> tuple[Any, Any]:
    """Return first and last of a text such as ``80`` or ``8000-9000``; all of them for anything else."""
    first, _, last = str(text).partition("-")
    numbers = [part.strip() for part in (first, last or first)]
    if all(part.isascii() and part.isdecimal() and len(part) <= 5 for part in numbers):
        return int(numbers[0]), int(numbers[1])
    return ALL_PORTS


def _approved(each: Resource, protocol: Any, first: Any, last: Any, settings: TerraformSettings) -> bool:
    named = [ports for one, ports in settings.open_ports.items() if fits(one, each.address)]
    allowed = {port for ports in named for port in ports}
    if str(protocol).lower() not in {"tcp", "udp", "6", "17"}:
        return False
    if not (type(first) is int and type(last) is int):
        return False
    return 0 < first <= last < first + len(allowed) and set(range(first, last + 1)) <= allowed
