"""How much requests that were counted over time are worth: those of one stall are not independent.

The samples of a run are counted in blocks of time. If k of n broke a limit one by one, their number differs
from block to block as binomial counts do; if a stall broke them, it differs far more. The ratio of both
variances is the design effect (Kish, Survey Sampling, 1965): n samples are worth n / effect independent
ones. It is taken at several lengths of a block, because one stall may reach over many, and the largest
counts.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

FEWEST = 10
"""So many blocks are needed before their spread says anything."""
STALL_S = 0.2
"""A stall that nobody has seen is taken to be so long: what fewer blocks cannot tell, they are worth."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Samples, and how many of them broke a limit, in consecutive blocks of ``length_s`` seconds."""

    length_s: float
    samples: tuple[int, ...]
    over: tuple[int, ...]

    @property
    def total(self) -> int:
        """All samples."""
        return sum(self.samples)

    @property
    def broken(self) -> int:
        """Those that broke the limit."""
        return sum(self.over)

    @property
    def share(self) -> float:
        """The part that broke it."""
        return self.broken / self.total

    @property
    def seconds(self) -> float:
        """How long there was anything to see."""
        return self.length_s * sum(count > 0 for count in self.samples)

    def mirrored(self) -> Counts:
        """Return the same samples, with those counted that kept the limit."""
        kept = tuple(all_ - over for all_, over in zip(self.samples, self.over, strict=True))
        return Counts(self.length_s, self.samples, kept)

    def stretch(self, first: int, last: int) -> Counts:
        """Return some of the blocks."""
        return Counts(self.length_s, self.samples[first:last], self.over[first:last])

    def grouped(self, size: int) -> Counts:
        """Return the same samples in blocks that are ``size`` times as long; the last may be shorter."""
        return Counts(self.length_s * size, _sums(self.samples, size), _sums(self.over, size))


def flaw(counts: Counts) -> str:
    """Return why these are no counts, "" for some."""
    if not (math.isfinite(counts.length_s) and counts.length_s > 0):
        return f"blocks of {counts.length_s} s are none"
    if len(counts.samples) != len(counts.over):
        return f"{len(counts.samples)} blocks of samples and {len(counts.over)} of those that broke the limit"
    for samples, over in zip(counts.samples, counts.over, strict=True):
        if not 0 <= over <= samples:
            return f"{over} of {samples} samples in a block is no count"
    return ""


def effective(counts: Counts) -> float:
    """Return how many independent samples these are worth, between 0 and their number."""
    seen = Counts(counts.length_s, *_seen(counts))
    if counts.broken == 0:
        return float(counts.total)
    worth = counts.total / max(1.0, *effects(seen))
    few = len(seen.samples) < FEWEST or counts.broken == counts.total
    return min(worth, counts.seconds / STALL_S) if few else worth


def effects(counts: Counts) -> Iterator[float]:
    """Yield the design effect at each length of a block of which there are enough."""
    yield 1.0
    share = counts.share
    if not 0 < share < 1:
        return
    size = 1
    while len(counts.samples) >= FEWEST * size:
        yield _effect(counts.grouped(size), share)
        size *= 2


def _effect(counts: Counts, share: float) -> float:
    number = len(counts.samples)
    squares = sum((over - share * n) ** 2 for n, over in zip(counts.samples, counts.over, strict=True))
    return squares * number / (number - 1) / (counts.total * share * (1 - share))


def _seen(counts: Counts) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the blocks that have any sample."""
    pairs = [pair for pair in zip(counts.samples, counts.over, strict=True) if pair[0]]
    return tuple(pair[0] for pair in pairs), tuple(pair[1] for pair in pairs)


def _sums(values: Sequence[int], size: int) -> tuple[int, ...]:
    return tuple(sum(values[first : first + size]) for first in range(0, len(values), size))
