"""Is a limit broken so clearly that a run may end? An e-value: it may be looked at after every block.

On the limit, a block's share above it is ``allowed`` on average, whatever came before. Who bets on more, at
fair odds, multiplies a stake by 1 + bet * (share - allowed) with each block; the chance that a stake of 1
ever reaches ``ENOUGH`` is at most 1 / ``ENOUGH`` (Ville 1939; the bets are those of Waudby-Smith and
Ramdas, Estimating means of bounded random variables by betting, 2023). Only whole blocks are looked at, so
that requests of one block may depend on each other in any way. One stall reaches over several blocks,
though: of blocks in a row that are nearly all above the limit one a second is bet on, and the first stakes
are less than 1. `benchmarks/loading/judging.py` shows what that comes to.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

ENOUGH = 20.0
"""Stakes that grew so much end a run, and are FAIL: wrong in at most 5 % of the runs on the limit."""
UNIT_S = 0.25
"""Blocks that are shorter are put together."""
EVERY = 4
"""Of units in a row that look like one stall, the first is bet on, and then every fourth: one a second."""
_STAKES = ((0.72, 0.56), (0.1, 0.03), (0.03, 0.03))
"""Parts of the largest possible bet, and the first stake on each: large ones are fast, small ones last."""
_STALLED, _TIMES = 0.2, 15
"""A unit looks like a stall from this share on, and so many times what is allowed."""
_MOST = 1e300


class Stakes:
    """What has become of the stakes so far, block by block."""

    def __init__(self, allowed: float, length_s: float) -> None:
        """Begin to bet against a limit that ``allowed`` of all samples may break, in blocks so long."""
        self._allowed = allowed
        self._stalled = max(_STALLED, min(1.0, _TIMES * allowed))
        self._blocks = max(1, math.ceil(UNIT_S / length_s - 1e-9))
        self._stakes = [stake for _, stake in _STAKES]
        self._unit = [0, 0, 0]
        self._row = 0
        self._broken = False

    def add(self, samples: int, over: int) -> None:
        """Take in the next whole block."""
        unit = self._unit
        unit[0], unit[1], unit[2] = unit[0] + 1, unit[1] + samples, unit[2] + over
        if unit[0] == self._blocks:
            self._unit = [0, 0, 0]
            if unit[1] > 0:
                self._look(unit[2] / unit[1])

    @property
    def value(self) -> float:
        """The e-value; a limit that nothing may break has a boundless one once something did."""
        return _MOST if self._broken else min(sum(self._stakes), _MOST)

    def _look(self, share: float) -> None:
        self._row = self._row + 1 if share >= self._stalled else 0
        if self._allowed <= 0:
            self._broken = self._broken or share > 0
        elif self._allowed < 1 and (self._row <= 1 or self._row % EVERY == 0):
            self._bet(share / self._allowed - 1)

    def _bet(self, gain: float) -> None:
        grown = (stake * (1 + part * gain) for (part, _), stake in zip(_STAKES, self._stakes, strict=True))
        self._stakes = [min(stake, _MOST) for stake in grown]


def e_value(samples: Sequence[int], over: Sequence[int], length_s: float, allowed: float) -> float:
    """Return the largest e-value that ``Stakes`` ever had: what comes after the end takes nothing back."""
    stakes = Stakes(allowed, length_s)
    most = stakes.value
    for block in zip(samples, over, strict=True):
        stakes.add(*block)
        most = max(most, stakes.value)
    return most
