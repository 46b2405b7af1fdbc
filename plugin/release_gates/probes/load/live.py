"""What a person sees while a target is under load: one line that changes, or one every ten seconds in CI."""

from __future__ import annotations

from collections.abc import Callable

from release_gates.model.figures import figure
from release_gates.probes.load.buckets import quantile
from release_gates.probes.load.plan import BLOCK_S, Plan, phase_of_block
from release_gates.probes.load.recording import Recording, Tally

Say = Callable[[str], None]

RECENT_S = 5.0
"""Rate and quantile are those of so many seconds."""


class LiveLine:
    """Says how a run is getting on, every ``every_s`` seconds of it."""

    def __init__(self, say: Say, plan: Plan, *, every_s: float) -> None:
        self._say = say
        self._plan = plan
        self._every_s = every_s
        self._next_s = every_s

    def tick(self, recording: Recording, at_s: float) -> None:
        """Say something if it is time."""
        if at_s < self._next_s:
            return
        self._next_s = at_s + self._every_s
        self._say(line(recording, self._plan, at_s))


def line(recording: Recording, plan: Plan, at_s: float) -> str:
    """Return one line of at most 79 characters: phase, rate, p99, failed requests, time that is left."""
    last = int(at_s / BLOCK_S)
    recent = _sum(recording, range(max(last - int(RECENT_S / BLOCK_S), 0), last))
    seconds = min(RECENT_S, max(last * BLOCK_S, BLOCK_S))
    phase = phase_of_block(plan.phases, last)
    p99_s = quantile(recent.buckets, 0.99)
    parts = (
        f"load {phase.tag if phase else 'end'}",
        f"{recent.requests / seconds:,.0f} req/s",
        f"p99 {'-' if p99_s is None else figure(p99_s * 1000, 'ms')}",
        f"{recording.failed:,} failed",
        f"{max(plan.seconds - at_s, 0):.0f} s left",
    )
    return ", ".join(parts)[:79]


def _sum(recording: Recording, blocks: range) -> Tally:
    total = Tally()
    for endpoint in recording.endpoints:
        total.add(recording.tally(endpoint, blocks))
    return total
