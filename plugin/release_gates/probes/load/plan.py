"""What a generator process is told: where to, what, how much, and what to count."""

from __future__ import annotations

import math
from urllib.parse import urlsplit

import msgspec

BLOCK_S = 0.25
"""Samples are counted in blocks of so many seconds of intended time since the run's start."""
LONGEST_S = 24 * 3600.0
SCHEMES = ("http", "https", "tcp")


class Threshold(msgspec.Struct, frozen=True, kw_only=True):
    """An edge at which samples are counted: a latency above it breaks it, one at it too where ``strict``."""

    edge_s: float
    strict: bool = False


class Phase(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A stretch of a run with one tag; load changes linearly from its start to its end.

    ``seconds`` is a multiple of 0.25. ``rate`` is in requests per second (open driver), to ``rate_end`` where
    it is given; ``users`` are closed-loop users or connections. A rate of 0 with users means: each sends its
    next request when the last was answered. Raises ValueError for what no run can keep.
    """

    tag: str
    seconds: float
    rate: float = 0.0
    rate_end: float | None = None
    users: int = 0
    users_end: int | None = None

    def __post_init__(self) -> None:
        if not self.tag.replace("_", "").isalnum():
            raise ValueError(f"tag {self.tag!r}: must be letters, digits and _")
        if not BLOCK_S <= self.seconds <= LONGEST_S or not (self.seconds / BLOCK_S).is_integer():
            raise ValueError(f"seconds = {self.seconds}: must be a multiple of {BLOCK_S} up to {LONGEST_S:g}")
        rates = (self.rate, self.rate if self.rate_end is None else self.rate_end)
        if not all(math.isfinite(rate) and 0 <= rate <= 1_000_000 for rate in rates):
            raise ValueError(f"rate = {self.rate}, rate_end = {self.rate_end}: must be 0 to 1000000 req/s")
        users = (self.users, self.users if self.users_end is None else self.users_end)
        if not all(0 <= each <= 100_000 for each in users):
            raise ValueError(f"users = {self.users}, users_end = {self.users_end}: must be 0 to 100000")
        if not (any(rates) or any(users)):
            raise ValueError(f"phase {self.tag}: has neither rate nor users, so nothing would be sent")


class Plan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that a generator process needs; it goes to it as JSON.

    ``target`` is ``http://…``, ``https://…`` or ``tcp://HOST:PORT``. ``traffic`` ("module:function") says
    what the open driver sends, ``codec`` ("module:Class") how it is framed on plain TCP; ``locustfile`` and
    ``user_classes`` what locust does. ``root`` is put first on ``sys.path``. ``thresholds`` are counted for
    every endpoint. Times in seconds. ``ca_file`` is what TLS trusts beside the system's certificates.
    ``addresses`` are the target's as the parent has looked them up; empty: the open driver does it.
    """

    target: str
    addresses: tuple[str, ...] = ()
    root: str
    phases: tuple[Phase, ...]
    thresholds: tuple[Threshold, ...] = ()
    traffic: str = ""
    codec: str = ""
    locustfile: str = ""
    user_classes: tuple[str, ...] = ()
    connections: int = 50
    timeout_s: float = 10.0
    backlog: int = 10_000
    seed: int = 0
    ca_file: str = ""
    processes: int = 1
    options: dict[str, str] = {}

    def __post_init__(self) -> None:
        parts = urlsplit(self.target)
        if parts.scheme not in SCHEMES or not parts.hostname:
            raise ValueError(f"target {self.target!r}: must be http://…, https://… or tcp://HOST:PORT")
        if not self.phases:
            raise ValueError("phases: there is none, so nothing would be sent")

    @property
    def seconds(self) -> float:
        """How long all phases take together."""
        return sum(phase.seconds for phase in self.phases)


def phase_of_block(phases: tuple[Phase, ...], block: int) -> Phase | None:
    """Return the phase that a block of intended time belongs to; None behind the last."""
    end = 0.0
    for phase in phases:
        end += phase.seconds
        if (block + 0.5) * BLOCK_S < end:
            return phase
    return None
