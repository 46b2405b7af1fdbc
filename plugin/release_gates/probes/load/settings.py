"""What policy may say to the load probe, as ``[gate.load.load]``."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

import msgspec

from release_gates.host.surroundings import check_variables
from release_gates.probes.load.plan import LONGEST_S, SCHEMES, Phase

UNJUDGED = ("warmup", "ramp")
"""Phases that are shown and not judged."""
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(s|min|h)")
_SECONDS = {"s": 1, "min": 60, "h": 3600}


class Steps(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a stress profile looks for the knee: rates in requests per second, ``seconds`` for each.

    From ``lowest`` each step is ``factor`` times the one before, until one breaks a limit or ``highest`` was
    kept; then the middle of what is open, until it is within ``precision`` of the rate.
    """

    lowest: float
    highest: float
    seconds: float = 10.0
    factor: float = 1.5
    precision: float = 0.05

    def __post_init__(self) -> None:
        if not 0 < self.lowest < self.highest <= 1_000_000:
            raise ValueError(f"lowest = {self.lowest}, highest = {self.highest}: must rise, up to 1000000")
        if not (1 < self.factor <= 10 and 0.001 <= self.precision < 1):
            raise ValueError(f"factor = {self.factor} is above 1, precision = {self.precision} below 1")
        if not 1 <= self.seconds <= LONGEST_S:
            raise ValueError(f"seconds = {self.seconds}: must be 1 to {LONGEST_S:g}")


class Turns(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How candidate and live build are compared: ``pairs`` of turns of ``seconds`` each, in changing order.

    ``rate`` is in requests per second; 0: each connection sends its next request when the last was answered.
    """

    pairs: int = 8
    seconds: float = 3.0
    rate: float = 0.0

    def __post_init__(self) -> None:
        if not 4 <= self.pairs <= 1000:
            raise ValueError(f"pairs = {self.pairs}: must be 4 to 1000; fewer decide nothing")
        if not 1 <= self.seconds <= 3600 or not 0 <= self.rate <= 1_000_000:
            raise ValueError(f"seconds = {self.seconds} must be 1 to 3600, rate = {self.rate} 0 to 1000000")


class Profile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One way to load a target. It has one of ``phases``, ``steps`` (stress) and ``turns`` (comparison).

    ``connections`` are kept open by the open driver. A request takes at most ``timeout_s`` seconds, and at
    most ``backlog`` arrivals wait for a connection. ``horizon`` ("24 h") is how far ahead drifts of the
    target's resources are projected, where it is given. A run in which the generator was not fit is
    repeated up to ``attempts`` runs in all; ``processes`` is locust's.
    """

    phases: tuple[Phase, ...] = ()
    steps: Steps | None = None
    turns: Turns | None = None
    connections: int = 50
    timeout_s: float = 10.0
    backlog: int = 10_000
    attempts: int = 2
    horizon: str = ""
    processes: int = 1

    def __post_init__(self) -> None:
        if sum(map(bool, (self.phases, self.steps, self.turns))) != 1:
            raise ValueError("a profile has exactly one of phases, steps and turns")
        if self.phases and not any(phase.tag not in UNJUDGED for phase in self.phases):
            raise ValueError(f"phases: all are {' or '.join(UNJUDGED)}, so nothing would be judged")
        tags = [phase.tag for phase in self.phases]
        if len(set(tags)) < len(tags):
            raise ValueError(f"phases: {tags} has a tag twice; a phase is told by its tag")
        if not 1 <= self.connections <= 100_000 or not 1 <= self.backlog <= 10_000_000:
            raise ValueError(
                f"connections = {self.connections}, backlog = {self.backlog}: must be at least 1"
            )
        if not 0 < self.timeout_s <= 600:
            raise ValueError(f"timeout_s = {self.timeout_s}: must be above 0 and at most 600")
        if not 1 <= self.attempts <= 10 or not 1 <= self.processes <= 1000:
            raise ValueError("attempts must be 1 to 10, processes 1 to 1000")
        if self.horizon and self.horizon_s is None:
            raise ValueError(f"horizon = {self.horizon!r}: must be a duration such as '24 h'")

    @property
    def horizon_s(self) -> float | None:
        """How far ahead drifts are projected, in seconds."""
        found = _DURATION.fullmatch(self.horizon.strip())
        return float(found[1]) * _SECONDS[found[2]] if found else None


class LoadSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What may be loaded, and how.

    ``targets`` names what a test may load (``gateway = "https://gateway.staging.example"``); ``production``
    are hosts (with ``*``), addresses and networks that no run ever touches. ``ca_file`` (from the project's
    root) is trusted by TLS beside the system's. ``locust`` are options of locust itself, such as
    ``master_host`` of a distributed run. ``variables`` of our environment are passed on to the generator
    besides PATH, LANG, TZ, HOME and VIRTUAL_ENV. Raises ValueError for what names no target.
    """

    targets: dict[str, str] = {}
    production: tuple[str, ...] = ()
    profile: dict[str, Profile] = {}
    ca_file: str = ""
    locust: dict[str, str] = {}
    variables: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_variables(self.variables)
        for name, url in self.targets.items():
            if not is_target(url):
                raise ValueError(f"targets.{name} = {url!r}: must be http://…, https://… or tcp://HOST:PORT")
        for entry in self.production:
            if "/" in entry:
                ipaddress.ip_network(entry, strict=False)
            elif not entry.strip():
                raise ValueError("production: an empty entry protects nothing")
            elif ":" in entry:
                _check_address(entry)


def _check_address(entry: str) -> None:
    try:
        ipaddress.ip_address(entry)
    except ValueError:
        raise ValueError(f"production: {entry!r} protects nothing; write a host without a port") from None


def is_target(url: str) -> bool:
    """Tell whether a text is an address that can be loaded."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    return parts.scheme in SCHEMES and bool(parts.hostname) and (parts.scheme != "tcp" or port is not None)
