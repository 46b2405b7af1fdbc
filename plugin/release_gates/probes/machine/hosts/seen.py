"""The hosts that policy names: read now, or as somebody recorded them."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from release_gates.errors import GateError
from release_gates.probes.machine.hosts.facts import Facts, garbled, read_facts, same_machine, stale
from release_gates.probes.machine.hosts.profile import Profile
from release_gates.probes.machine.hosts.settings import HostGroup, HostSettings
from release_gates.probes.machine.hosts.transport import Look, check_host, read_hosts


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One host of a group: what it is called, its facts or what went wrong, and what is expected of it."""

    group: str
    name: str
    facts: Facts | GateError
    profile: Profile


@dataclass(frozen=True, slots=True, kw_only=True)
class Absent:
    """Facts that policy asks for and that nobody recorded, or too long ago."""

    because: str


class Hosts:
    """What was read in this session, once, by what policy says."""

    def __init__(self, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """Read nothing yet; ``clock`` tells how old recorded facts are."""
        self._clock = clock
        self._kept: dict[bytes, tuple[Seen | Absent, ...]] = {}

    def seen(self, settings: HostSettings, root: Path) -> tuple[Seen | Absent, ...]:
        """Return every host that the settings name, read at the first call."""
        key = msgspec.json.encode((settings, str(root)))
        if key not in self._kept:
            now = self._clock()
            everything = (*_living(settings, now), *_recorded(settings, root, now))
            self._kept[key] = tuple(_distinct(everything))
        return self._kept[key]


def _living(settings: HostSettings, now: datetime) -> Iterator[Seen]:
    asked = [
        (name, group, check_host(host)) for name, group in settings.group.items() for host in group.hosts
    ]
    looks = [_look(settings, group, host, group.expected(now.date())) for _, group, host in asked]
    wanted = [
        name for group in settings.group.values() for name in group.hostnames or [""] * len(group.hosts)
    ]
    read = read_hosts(looks, most=settings.parallel)
    for (name, group, host), hostname, facts in zip(asked, wanted, read, strict=True):
        yield Seen(
            group=name,
            name=f"{name} ({host})",
            facts=_of_host(facts, host, hostname),
            profile=group.expected(now.date()),
        )


def _of_host(facts: Facts | GateError, host: str, hostname: str) -> Facts | GateError:
    """Return the facts, or an error where another host answered than the one of that name ("": any)."""
    if isinstance(facts, Facts) and hostname and facts.hostname != hostname:
        return garbled(host, f"it is {facts.hostname}, and policy asks for {hostname}")
    return facts


def _look(settings: HostSettings, group: HostGroup, host: str, profile: Profile) -> Look:
    return Look(
        host=host,
        engine=group.engine,
        nics=profile.nics,
        watch_ms=settings.watch_ms,
        timeout_s=settings.timeout_s,
        slow=not {"HL21", "HL30"} <= profile.off.keys(),
    )


def _recorded(settings: HostSettings, root: Path, now: datetime) -> Iterator[Seen | Absent]:
    for name, group in settings.group.items():
        for hostname, path in group.facts.items():
            file = root / path
            if not file.exists():
                yield Absent(
                    because=f"there are no facts of {hostname}: {path} is absent. {_how(group, path)}"
                )
                continue
            facts = _believed(file, path, hostname, group)
            max_age = timedelta(hours=settings.facts_hours)
            if isinstance(facts, Facts) and (because := stale(facts, now=now, max_age=max_age)):
                yield Absent(because=f"{path}: {because}. {_how(group, path)}")
                continue
            expected = group.expected(now.date())
            yield Seen(group=name, name=f"{name} ({hostname})", facts=facts, profile=expected)


def _distinct(everything: Iterable[Seen | Absent]) -> Iterator[Seen | Absent]:
    """Yield all, with an error for a machine that is there already under another name of its group."""
    known: dict[tuple[str, str, str], str] = {}
    for each in everything:
        if isinstance(each, Seen) and isinstance(each.facts, Facts):
            first = known.setdefault((each.group, each.facts.hostname, each.facts.boot), each.name)
            if first != each.name:
                yield replace(each, facts=same_machine(each.name, first, each.facts.hostname))
                continue
        yield each


def _how(group: HostGroup, path: str) -> str:
    """Return what somebody types on the host, so that the file is there."""
    engine = f" --engine {shlex.quote(group.engine)}" if group.engine else ""
    nics = "".join(f" --nic {nic}" for nic in group.nics or ())
    return f"On the host: release-gates host facts local{engine}{nics} > facts.json; bring it here as {path}"


def _believed(file: Path, path: str, hostname: str, group: HostGroup) -> Facts | GateError:
    """Return the facts in a file if they are about the host and the process that policy names."""
    try:
        facts = read_facts(file)
    except GateError as error:
        return error
    if facts.hostname != hostname:
        return garbled(path, f"it is about {facts.hostname}, and policy asks for {hostname}")
    if group.engine and facts.engine != group.engine:
        looked = facts.engine or "no process"
        return garbled(path, f"it looked at {looked}, and policy asks for {group.engine} (--engine)")
    return facts
