"""Rules about the engine's own process: huge pages, threads, memory, limits."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator
from dataclasses import dataclass

from release_gates.errors import MeasurementError
from release_gates.model.cpus import list_text
from release_gates.model.rule import Undecided
from release_gates.probes.machine.hosts.cpu_rules import status_cpus, status_field
from release_gates.probes.machine.hosts.facts import Facts, whole
from release_gates.probes.machine.hosts.kernel_rules import Check, isolated
from release_gates.probes.machine.hosts.profile import Profile
from release_gates.probes.machine.hosts.rule import Fault
from release_gates.probes.machine.numa_maps import parse_numa_maps, remote_kib

NODE = "/sys/devices/system/node"
REMOTE_SHARE = 0.01
"""Pages that were touched before the memory was bound: the loader's, the C library's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Thread:
    """A thread of the engine: ``place`` is its ``status`` file."""

    name: str
    cpus: frozenset[int]
    place: str


def _reserved(facts: Facts, profile: Profile) -> Iterator[Fault]:
    if not profile.hugepages:
        raise Undecided(
            'policy does not say how many huge pages are needed (hugepages = { "node0/2048kB" = 512 })'
        )
    for where, wanted in profile.hugepages.items():
        node, _, size = where.partition("/")
        folder = f"{NODE}/{node}/hugepages/hugepages-{size}"
        # Before the engine runs all of them have to be free; afterwards it holds them.
        for name in ("nr_hugepages", *([] if facts.engine else ["free_hugepages"])):
            if (value := facts.number(f"{folder}/{name}")) < wanted:
                yield Fault(place=f"{folder}/{name}", found=str(value), expected=f"at least {wanted}")


def _pids(facts: Facts) -> tuple[str, ...]:
    if not facts.engine:
        raise Undecided('no process was named as the engine (engine = "engine.service", or --engine)')
    answer = facts.answers.get("engine")
    found = tuple(dict.fromkeys(answer.text.split())) if answer else ()
    if answer is None or answer.status != 0 or not found or not all(each.isdecimal() for each in found):
        said = " ".join(answer.text.split())[:120] if answer else ""
        raise Undecided(f"the engine ({facts.engine}) does not run: {said or 'no process'}")
    return found


def _threads(facts: Facts, pid: str) -> tuple[Thread, ...]:
    """Return the threads of a process, as many as it says that it has."""
    pattern = re.compile(rf"/proc/{pid}/task/[0-9]+/status")
    places = sorted(path for path, text in facts.files.items() if pattern.fullmatch(path) and text.strip())
    if not places:
        raise Undecided(f"process {pid} of the engine ({facts.engine}) has ended, or is hidden")
    path = f"/proc/{pid}/status"
    if len(places) < (number := whole(status_field(facts, path, "Threads"), path)):
        raise Undecided(f"{len(places)} of {number} threads of process {pid} could be seen")
    return tuple(
        Thread(name=status_field(facts, path, "Name"), cpus=status_cpus(facts, path), place=path)
        for path in places
    )


def _affinity(facts: Facts, profile: Profile) -> Iterator[Fault]:
    wanted = isolated(profile)
    threads = [thread for pid in _pids(facts) for thread in _threads(facts, pid)]
    others = [each for each in threads if _housekeeping(each, profile)]
    own = [each for each in threads if each not in others]
    if not own:
        raise Undecided(
            f"no thread of the engine works on the isolated CPUs: all match {profile.housekeeping}"
        )
    for each in own:
        if not each.cpus <= wanted:
            expected = f"within {list_text(wanted)}"
            yield Fault(place=_described(each), found=list_text(each.cpus), expected=expected)
    for each in others:
        if each.cpus & wanted:
            expected = f"without {list_text(wanted)}"
            yield Fault(place=_described(each), found=list_text(each.cpus), expected=expected)


def _housekeeping(thread: Thread, profile: Profile) -> bool:
    return any(fnmatch.fnmatchcase(thread.name, pattern) for pattern in profile.housekeeping)


def _described(thread: Thread) -> str:
    return f"Cpus_allowed_list of thread '{thread.name}' ({thread.place})"


def _nodes(facts: Facts, profile: Profile) -> Iterator[Fault]:
    home = _home(facts, profile)
    allowed = facts.cpus(f"{NODE}/node{home}/cpulist")
    for pid in _pids(facts):
        for each in _threads(facts, pid):
            if not _housekeeping(each, profile) and not each.cpus <= allowed:
                expected = f"within node {home} ({list_text(allowed)})"
                yield Fault(place=_described(each), found=list_text(each.cpus), expected=expected)


def _memory(facts: Facts, profile: Profile) -> Iterator[Fault]:
    home = _home(facts, profile)
    for pid in _pids(facts):
        path = f"/proc/{pid}/numa_maps"
        try:
            own = [each for each in parse_numa_maps(facts.text(path), path) if each.is_memory]
        except MeasurementError as error:
            raise Undecided(str(error)) from None
        total, remote = sum(each.kib for each in own), sum(remote_kib(each, home) for each in own)
        if not total:
            raise Undecided(f"{path} tells no memory of the process's own")
        if remote > REMOTE_SHARE * total:
            found = f"{remote} of {total} KiB on other nodes"
            yield Fault(
                place=path, found=found, expected=f"at most {REMOTE_SHARE:.0%} outside of node {home}"
            )


def _home(facts: Facts, profile: Profile) -> int:
    if profile.node is None:
        raise Undecided("policy does not say on which node the engine is (node = 0)")
    if profile.node not in (online := facts.cpus(f"{NODE}/online")):
        raise Undecided(f"the host has no node {profile.node}, but {list_text(online)}")
    return profile.node


def _limit(facts: Facts, pid: str, name: str) -> tuple[str, str]:
    """Return where a limit stands and its soft value, which is the one in force."""
    path = f"/proc/{pid}/limits"
    found = re.findall(rf"^{name} +(\S+) +\S+", facts.text(path), re.MULTILINE)
    if len(found) != 1:
        raise Undecided(f"{path} does not tell '{name}' once")
    return f"{name} of {path}", found[0]


def _at_least(name: str, field: str) -> Check:
    def check(facts: Facts, profile: Profile) -> Iterator[Fault]:
        wanted = getattr(profile, field)
        for pid in _pids(facts) if wanted else ():
            place, value = _limit(facts, pid, name)
            if value != "unlimited" and whole(value, place) < wanted:
                yield Fault(place=place, found=value, expected=f"at least {wanted}")

    return check


def _locked(facts: Facts, profile: Profile) -> Iterator[Fault]:
    for pid in _pids(facts) if profile.locked else ():
        place, value = _limit(facts, pid, "Max locked memory")
        if value != "unlimited":
            yield Fault(place=place, found=value, expected="unlimited")
        path = f"/proc/{pid}/status"
        if whole(status_field(facts, path, "VmLck").removesuffix(" kB"), path) <= 0:
            yield Fault(place=f"VmLck of {path}", found="0 kB", expected="what the process has locked")


def _running(facts: Facts, _profile: Profile) -> Iterator[Fault]:
    """A host whose engine does not run keeps no rule about it."""
    for pid in _pids(facts):
        _threads(facts, pid)
    yield from ()


CHECKS: dict[str, tuple[Check, ...]] = {
    "HL22": (_reserved,),
    "HL23": (_affinity, _nodes, _memory),
    "HL24": (
        _running,
        _locked,
        _at_least("Max open files", "nofile"),
        _at_least("Max realtime priority", "rtprio"),
    ),
}
"""Rule -> its parts."""
