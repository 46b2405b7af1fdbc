"""Users that stand for a rate: how many requests were due, and how many were sent."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from release_gates.probes.load.frames import BlockHealth, Progress
from release_gates.probes.load.plan import BLOCK_S, Phase, phase_of_block


class Demand:
    """Adds to frames what phases with a rate ask for, once a block is over, and what was sent of it.

    Closed-loop users that wait for a slow target send less; then the latencies that they saw are not those
    at this rate, so that such a run decides nothing.
    """

    def __init__(self, phases: Sequence[Phase]) -> None:
        self._phases = tuple(phases)
        self._next = 0

    def added(self, frame: Progress) -> Progress:
        """Return a frame with the blocks that were over by its time, and the requests in it."""
        due = range(self._next, max(int(frame.at_s / BLOCK_S), self._next))
        self._next = due.stop
        asked = [_health(block, asked=count) for block in due if (count := self.asked(block))]
        sent = [
            _health(cell.block, offered=cell.answered + sum(cell.failures.values()))
            for cell in frame.cells
            if self.asked(cell.block)
        ]
        return replace(frame, health=(*frame.health, *asked, *sent))

    def asked(self, block: int) -> int:
        """Return how many requests are due in a block."""
        phase, start_s = phase_of_block(self._phases, block), 0.0
        for each in self._phases:
            if each is phase:
                return round(_due(each, (block + 1) * BLOCK_S - start_s)) - round(
                    _due(each, block * BLOCK_S - start_s)
                )
            start_s += each.seconds
        return 0


def _due(phase: Phase, after_s: float) -> float:
    """Return how many requests are due within so many seconds of a phase: its rate is linear."""
    last = phase.rate if phase.rate_end is None else phase.rate_end
    return phase.rate * after_s + (last - phase.rate) * after_s * after_s / (2 * phase.seconds)


def _health(block: int, asked: int = 0, offered: int = 0) -> BlockHealth:
    return BlockHealth(block=block, asked=asked, offered=offered, lag={}, cpu_s=0.0, wall_s=0.0)
