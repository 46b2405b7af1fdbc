"""In the parent: the sum of all frames, by endpoint and block of intended time."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from release_gates.probes.load.frames import BlockHealth, Cell, Progress
from release_gates.probes.load.plan import BLOCK_S

MOST_BLOCKS = int(25 * 3600 / BLOCK_S)


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
    """All samples of one run."""

    def __init__(self) -> None:
        self.at_s = 0.0
        self.tallies: dict[str, dict[int, Tally]] = defaultdict(lambda: defaultdict(Tally))
        self.health: dict[int, Health] = defaultdict(Health)

    def add(self, frame: Progress) -> None:
        """Take in a frame; ValueError for a block that no run has, or another number of thresholds."""
        for cell in frame.cells:
            self.tallies[cell.endpoint][_block(cell.block)].add(cell)
        for health in frame.health:
            self.health[_block(health.block)].add(health)
        self.at_s = max(self.at_s, frame.at_s)

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


def _block(number: int) -> int:
    if not 0 <= number < MOST_BLOCKS:
        raise ValueError(f"block {number}: a run has {MOST_BLOCKS} at most")
    return number
