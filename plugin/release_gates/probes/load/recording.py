"""In the parent: the sum of all frames, by endpoint and block of intended time."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from release_gates.probes.load.frames import BlockHealth, Cell, Progress
from release_gates.probes.load.plan import BLOCK_S, Phase

MOST_BLOCKS = int(25 * 3600 / BLOCK_S)
STRETCH = round(60 / BLOCK_S)
"""So many blocks of one phase have one histogram, once they are older than that: hours fit in memory."""


@dataclass(slots=True)
class Tally:
    """What one endpoint did in some blocks; latencies in seconds, of answered requests."""

    answered: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    over: list[int] = field(default_factory=list)
    buckets: Counter[int] = field(default_factory=Counter)
    sum_s: float = 0.0
    max_s: float = 0.0
    reconnects: int = 0

    @property
    def requests(self) -> int:
        """Answered and failed."""
        return self.answered + self.failures.total()

    def add(self, other: Cell | Tally) -> None:
        """Take in what another saw."""
        self.answered += other.answered
        self.failures.update(other.failures)
        if other.over:  # a tally of nothing has no counts
            before = self.over or [0] * len(other.over)
            self.over = [mine + theirs for mine, theirs in zip(before, other.over, strict=True)]
        self.buckets.update(other.buckets)
        self.sum_s += other.sum_s
        self.max_s = max(self.max_s, other.max_s)
        self.reconnects += other.reconnects


@dataclass(slots=True)
class Health:
    """How the generator itself did in some blocks; see `frames.BlockHealth`."""

    asked: int = 0
    offered: int = 0
    lag: Counter[int] = field(default_factory=Counter)
    cpu_s: float = 0.0
    wall_s: float = 0.0

    def add(self, other: BlockHealth | Health) -> None:
        """Take in what was seen elsewhere."""
        self.asked += other.asked
        self.offered += other.offered
        self.lag.update(other.lag)
        self.cpu_s += other.cpu_s
        self.wall_s += other.wall_s


class Recording:
    """All samples of one run; ``failed`` are its requests without a good answer.

    Counts stay in their blocks. The histograms of a phase's older blocks are put together in the first block
    of each minute, so that they are right for a whole phase.
    """

    def __init__(self, phases: Sequence[Phase] = ()) -> None:
        """Begin; without ``phases`` all histograms stay where they are."""
        self.at_s = 0.0
        self.failed = 0
        self._firsts = tuple(_firsts(phases))
        self._folded = 0
        self.tallies: dict[str, dict[int, Tally]] = defaultdict(lambda: defaultdict(Tally))
        self.health: dict[int, Health] = defaultdict(Health)

    def add(self, frame: Progress) -> None:
        """Take in a frame; ValueError for a block that no run has, or another number of thresholds."""
        for cell in frame.cells:
            self.tallies[cell.endpoint][_block(cell.block)].add(cell)
            self.failed += sum(cell.failures.values())
        for health in frame.health:
            self.health[_block(health.block)].add(health)
        self.at_s = max(self.at_s, frame.at_s)
        self._fold(int(self.at_s / BLOCK_S) - STRETCH)

    def _fold(self, end: int) -> None:
        """Put the histograms of all blocks before ``end`` together."""
        while self._folded < min(end, len(self._firsts)):
            block, first = self._folded, self._firsts[self._folded]
            self._folded += 1
            if block == first:
                continue
            for tallies in self.tallies.values():
                if block in tallies:
                    _move(tallies[block].buckets, tallies[first].buckets)
            if block in self.health:
                _move(self.health[block].lag, self.health[first].lag)

    def plain(self) -> dict[str, object]:
        """Return everything as plain data, blocks by number: what a person keeps with the evidence."""
        return {
            "block_s": BLOCK_S,
            "endpoints": {
                endpoint: {str(block): tally for block, tally in sorted(tallies.items())}
                for endpoint, tallies in sorted(self.tallies.items())
            },
            "generator": {str(block): health for block, health in sorted(self.health.items())},
        }

    @property
    def endpoints(self) -> tuple[str, ...]:
        """Every endpoint that was asked, sorted."""
        return tuple(sorted(self.tallies))

    def tally(self, endpoint: str, blocks: Iterable[int]) -> Tally:
        """Return the sum of an endpoint's blocks."""
        total = Tally()
        mine = self.tallies.get(endpoint, {})
        for block in blocks:
            if block in mine:
                total.add(mine[block])
        return total

    def condition(self, blocks: Iterable[int]) -> Health:
        """Return how the generator did in some blocks."""
        total = Health()
        for block in blocks:
            if block in self.health:
                total.add(self.health[block])
        return total


def _firsts(phases: Sequence[Phase]) -> Iterator[int]:
    """Yield for each block of a plan the one that gets its histogram."""
    begin = 0
    for phase in phases:
        blocks = range(begin, begin + round(phase.seconds / BLOCK_S))
        yield from (begin + (block - begin) // STRETCH * STRETCH for block in blocks)
        begin = blocks.stop


def _move(counts: Counter[int], to: Counter[int]) -> None:
    to.update(counts)
    counts.clear()


def _block(number: int) -> int:
    if not 0 <= number < MOST_BLOCKS:
        raise ValueError(f"block {number}: a run has {MOST_BLOCKS} at most")
    return number
