"""What policy may say about hosts, as ``[gate.host.host]``."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any, Literal

import msgspec

from release_gates.model.cpus import parse_list
from release_gates.model.rule import check_names, check_reasons
from release_gates.model.severity import Severity
from release_gates.probes.machine.hosts.catalogue import CATALOGUE
from release_gates.probes.machine.hosts.profile import PROFILES, Profile
from release_gates.probes.machine.hosts.script import check_engine, check_nic
from release_gates.probes.machine.hosts.transport import check_host

_VALUES = (
    *("node", "housekeeping", "kernel_arguments", "transparent_hugepages", "busy_read", "busy_poll"),
    *("tcp_fastopen", "swappiness", "governor", "clocksources", "clock", "clock_budget_us", "clock_age_s"),
    *("hugepages", "interrupts_per_s", "irqs_allowed", "locked", "nofile", "rtprio", "nics", "rmem_max"),
    *("wmem_max", "somaxconn", "smt", "kernels", "microcodes"),
)
"""Fields of a group that replace what its profile says, where policy gives them."""

_POSITIVE = (
    *("clock_budget_us", "clock_age_s", "interrupts_per_s", "nofile", "rtprio", "rmem_max", "wmem_max"),
    "somaxconn",
)
_MOST = 1 << 40


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of policy; a key that is not known is a mistake."""


class Approval(Part, frozen=True, kw_only=True):
    """Who accepts that mitigations are off, why, and until when (that day included)."""

    by: str
    because: str
    until: date

    def __post_init__(self) -> None:
        if not self.by.strip() or len(self.because.split()) < 2:
            raise ValueError("mitigations_off: by names a person, because says in words why")


class HostGroup(Part, frozen=True, kw_only=True):
    """Hosts of one kind: how they are reached, their profile, and what differs from it.

    ``hosts`` are reached by testinfra (``local``, ``ssh://user@name``, ``docker://name`` …); ``hostnames``
    says, one for each, what they have to call themselves, wherever the way leads. ``facts`` maps the name of
    a host to a file below the root that ``release-gates host facts`` wrote there. ``engine`` is a pid, a unit
    or a pid file. ``off`` maps a rule to why it is not asked, ``absent`` to why a missing file means that it
    does not apply; what the profile says there can be taken back with ``on``. The other fields
    are those of the profile.
    """

    profile: Literal["hft-engine", "gateway", "ci"]
    hosts: list[str] = []
    hostnames: list[str] = []
    facts: dict[str, str] = {}
    engine: str = ""
    isolated: str = ""
    off: dict[str, str] = {}
    absent: dict[str, str] = {}
    on: list[str] = []
    mitigations_off: Approval | None = None
    node: int | None = None
    housekeeping: list[str] | None = None
    kernel_arguments: list[str] | None = None
    transparent_hugepages: list[str] | None = None
    busy_read: int | None = None
    busy_poll: int | None = None
    tcp_fastopen: int | None = None
    swappiness: int | None = None
    governor: str | None = None
    clocksources: list[str] | None = None
    clock: Literal["chrony", "ptp4l", "adjtimex"] | None = None
    clock_budget_us: float | None = None
    clock_age_s: float | None = None
    hugepages: dict[str, int] | None = None
    interrupts_per_s: float | None = None
    irqs_allowed: list[str] | None = None
    locked: bool | None = None
    nofile: int | None = None
    rtprio: int | None = None
    nics: list[str] | None = None
    rmem_max: int | None = None
    wmem_max: int | None = None
    somaxconn: int | None = None
    smt: bool | None = None
    kernels: list[str] | None = None
    microcodes: list[str] | None = None

    def __post_init__(self) -> None:
        if not (self.hosts or self.facts):
            raise ValueError("a group needs hosts or facts: judging nothing is no pass")
        if len(set(map(check_host, self.hosts))) != len(self.hosts):
            raise ValueError("hosts: one is named twice")
        if self.hostnames and len(self.hostnames) != len(self.hosts):
            raise ValueError(f"hostnames: {len(self.hostnames)} for {len(self.hosts)} hosts: one for each")
        for name, path in self.facts.items():
            if not name or path.startswith("/") or ".." in path.split("/"):
                raise ValueError(f"facts.{name} = {path!r}: must lie below the root of the suite")
        if self.engine:
            check_engine(self.engine)
        for nic in self.nics or ():
            check_nic(nic)
        _check_list("isolated", self.isolated)
        self._check_rules()
        self._check_values()

    def _check_values(self) -> None:
        for where, pages in (self.hugepages or {}).items():
            node, _, size = where.partition("/")
            if not (node.removeprefix("node").isdecimal() and size.endswith("kB") and pages > 0):
                raise ValueError(f"hugepages: {where!r} = {pages} is not of the form node0/2048kB, above 0")
        for name in _POSITIVE:
            value = getattr(self, name)
            if value is not None and not 0 < value <= _MOST:
                raise ValueError(f"{name} = {value:g}: must be above 0, and a number that can be exceeded")

    def _check_rules(self) -> None:
        for key, rules in (("off", self.off), ("absent", self.absent), ("on", self.on)):
            check_names(CATALOGUE, key, rules)
        check_reasons("off", self.off)
        check_reasons("absent", self.absent)
        if both := set(self.on) & (set(self.off) | set(self.absent)):
            raise ValueError(f"on: {', '.join(sorted(both))} is off too")

    def expected(self, today: date) -> Profile:
        """Return the profile with what policy says on a day."""
        base = PROFILES[self.profile]
        said: dict[str, Any] = {name: getattr(self, name) for name in _VALUES}
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in said.items()
            if value is not None
        }
        approval = self.mitigations_off
        kept = {
            name: {rule: why for rule, why in getattr(base, name).items() if rule not in self.on}
            for name in ("off", "absent")
        }
        return replace(
            base,
            **values,
            isolated=parse_list(self.isolated) or base.isolated,
            mitigations=approval.by if approval and today <= approval.until else "",
            off={**kept["off"], **self.off},
            absent={**kept["absent"], **self.absent},
        )


class HostSettings(Part, frozen=True, kw_only=True):
    """Which hosts are judged, in groups, and how.

    ``fails_from`` is the mildest severity that fails; milder findings are counted as tolerated. Facts of a
    file count for ``facts_hours``. At most ``parallel`` hosts are read at a time, each for at most
    ``timeout_s``; counters are watched for ``watch_ms``. Raises ValueError for a rule that nobody knows or
    that is off without a reason, and for bad values.
    """

    group: dict[str, HostGroup]
    severity: dict[str, Severity] = {}
    fails_from: Severity = Severity.MEDIUM
    facts_hours: float = 24.0
    parallel: int = 8
    timeout_s: float = 30.0
    watch_ms: int = 50

    def __post_init__(self) -> None:
        if not self.group:
            raise ValueError("group: name at least one group of hosts")
        check_names(CATALOGUE, "severity", self.severity)
        for name, value, most in (
            ("facts_hours", self.facts_hours, 24 * 366),
            ("parallel", self.parallel, 64),
            ("timeout_s", self.timeout_s, 600),
        ):
            if not 0 < value <= most:
                raise ValueError(f"{name} = {value:g}: must be above 0 and at most {most}")
        if not 10 <= self.watch_ms <= 60_000:
            raise ValueError(f"watch_ms = {self.watch_ms}: must be from 10 to 60000")


def _check_list(name: str, text: str) -> None:
    try:
        parse_list(text)
    except ValueError as error:
        raise ValueError(f"{name} = {text!r}: {error}") from None
