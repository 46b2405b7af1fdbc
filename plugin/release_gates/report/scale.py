"""From values to pixels: linear scales, round ticks, short coordinates."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scale:
    """A linear scale from ``low``..``high`` to ``left``..``right``; what lies outside is put on the edge."""

    low: float
    high: float
    left: float
    right: float

    def __call__(self, value: float) -> float:
        """Return the coordinate of a value."""
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return self.left + share * (self.right - self.left)

    def cuts(self, value: float) -> bool:
        """Whether a value lies outside and is drawn on the edge."""
        return not self.low <= value <= self.high


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Return round values (1, 2 or 5 times a power of ten) within ``low``..``high``, at most ``most``."""
    span = high - low
    if not (math.isfinite(span) and span > 0):
        return [low]
    step = 10.0 ** math.floor(math.log10(span / most))
    while span / step > most - 1:
        step *= 2 if _first(step) != 2 else 2.5
    first = math.ceil(low / step - 1e-9)
    return [
        round(number * step, 12 - math.floor(math.log10(step)))
        for number in range(first, math.floor(high / step + 1e-9) + 1)
    ]


def short(coordinate: float) -> str:
    """Return a coordinate with one digit behind the point, and none that says nothing."""
    return f"{coordinate + 0.0:.1f}".removesuffix(".0") if abs(coordinate) >= 0.05 else "0"


def _first(step: float) -> int:
    """Return the first digit of a step: 1, 2 or 5."""
    return round(step / 10.0 ** math.floor(math.log10(step) + 1e-9))
