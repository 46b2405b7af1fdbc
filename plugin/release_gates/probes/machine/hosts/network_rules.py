"""Rules about the network: sockets, devices, and on which node a device is."""

from __future__ import annotations

import re
from collections.abc import Iterator

from release_gates.model.rule import Undecided
from release_gates.probes.machine.hosts.facts import Facts, whole
from release_gates.probes.machine.hosts.kernel_rules import Check, at_least, by_profile
from release_gates.probes.machine.hosts.profile import Profile
from release_gates.probes.machine.hosts.rule import Fault
from release_gates.probes.machine.hosts.script import COUNTERS

NET = "/proc/sys/net"
QUIET = {"Adaptive RX": "off", "rx-usecs": "0"}
OFF = ("generic-receive-offload", "large-receive-offload")


def _nics(facts: Facts, profile: Profile) -> tuple[str, ...]:
    if not profile.nics:
        raise Undecided('policy names no network devices (nics = ["eth0"])')
    if not set(profile.nics) <= set(facts.nics):
        raise Undecided(
            f"the devices {', '.join(profile.nics)} were not recorded; record the host with --nic"
        )
    return profile.nics


def _settings(facts: Facts, name: str, nic: str) -> str:
    answer = facts.answer(f"{name}:{nic}")
    if answer.status != 0:
        raise Undecided(f"ethtool does not tell the {name} of {nic}: {' '.join(answer.text.split())[:120]}")
    return answer.text


def _field(text: str, name: str) -> list[str]:
    """Return what stands behind a name at the beginning of a line, up to the next blank."""
    return re.findall(rf"^[ \t]*{re.escape(name)}:[ \t]*(\S+)", text, re.MULTILINE)


def _coalescing(facts: Facts, profile: Profile) -> Iterator[Fault]:
    for nic in _nics(facts, profile):
        text = _settings(facts, "coalesce", nic)
        for name, wanted in QUIET.items():
            if (said := _field(text, name)) != [wanted]:
                yield Fault(place=f"{name} of {nic}", found=", ".join(said) or "not told", expected=wanted)


def _rings(facts: Facts, profile: Profile) -> Iterator[Fault]:
    for nic in _nics(facts, profile):
        most, found, current = _settings(facts, "ring", nic).partition("Current hardware settings:")
        if not found:
            raise Undecided(f"ethtool does not tell the current ring of {nic}")
        possible, actual = _field(most, "RX"), _field(current, "RX")
        if len(possible) != 1 or len(actual) != 1:
            raise Undecided(f"ethtool does not tell the receive ring of {nic} once")
        if whole(actual[0], f"ring of {nic}") < whole(possible[0], f"ring of {nic}"):
            yield Fault(place=f"receive ring of {nic}", found=actual[0], expected=possible[0])


def _offloads(facts: Facts, profile: Profile) -> Iterator[Fault]:
    for nic in _nics(facts, profile):
        text = _settings(facts, "features", nic)
        for name in OFF:
            if (said := _field(text, name)) != ["off"]:
                yield Fault(place=f"{name} of {nic}", found=", ".join(said) or "not told", expected="off")


def _drops(facts: Facts, profile: Profile) -> Iterator[Fault]:
    for nic in _nics(facts, profile):
        for name in COUNTERS:
            path = f"/sys/class/net/{nic}/statistics/{name}"
            if path not in facts.before:
                raise Undecided(f"{path} was not read twice")
            new = facts.number(path) - whole(facts.before[path], path)
            if new:
                found = f"{new} more after {facts.elapsed_s:.2f} s"
                yield Fault(place=path, found=found, expected="no more than before")


def _node(facts: Facts, profile: Profile) -> Iterator[Fault]:
    if profile.node is None:
        raise Undecided("policy does not say on which node the engine is (node = 0)")
    single = facts.cpus("/sys/devices/system/node/online") == {profile.node}
    for nic in _nics(facts, profile):
        path = f"/sys/class/net/{nic}/device/numa_node"
        value = facts.number(path)
        if value == -1 and not single:
            raise Undecided(f"{path} is -1 on a host with several nodes: the device tells none")
        if value not in {profile.node, -1}:
            yield Fault(place=path, found=str(value), expected=str(profile.node))


CHECKS: dict[str, tuple[Check, ...]] = {
    "HL06": (
        by_profile(f"{NET}/core/busy_read", "busy_read"),
        by_profile(f"{NET}/core/busy_poll", "busy_poll"),
    ),
    "HL07": (by_profile(f"{NET}/ipv4/tcp_fastopen", "tcp_fastopen"),),
    "HL25": (_coalescing, _rings, _offloads, _drops),
    "HL26": (_node,),
    "HL27": tuple(at_least(f"{NET}/core/{name}", name) for name in ("rmem_max", "wmem_max", "somaxconn")),
}
"""Rule -> its parts."""
