"""What master and workers tell each other, beside locust's own messages and on its connection."""

from __future__ import annotations

import msgspec

from release_gates.probes.load.plan import Plan

READY, BEGIN, NOTES, HALT = "gate_ready", "gate_begin", "gate_notes", "gate_halt"


class Ready(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A worker has imported the locustfile with this digest and waits."""

    sha256: str


class Begin(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The run starts at ``epoch_s`` of the clock that all hosts share."""

    plan: Plan
    epoch_s: float
    index: int


class Told(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a worker noted since the last time; ``number`` has no gaps, ``frame`` is a Progress.

    ``trouble`` ends the run; behind ``last`` nothing follows.
    """

    number: int
    frame: bytes
    trouble: str
    last: bool


class Halt(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """End your users within so many seconds."""

    grace_s: float


encode = msgspec.msgpack.encode
decode = msgspec.msgpack.decode
