"""Does a value drift over a run: memory, threads, descriptors?

The first third is dropped, because every process warms up. Whether the rest has a trend says the test of
Mann and Kendall, corrected for values that depend on those before (Hamed and Rao, A modified Mann-Kendall
trend test for autocorrelated data, 1998); how steep it is, the median of all slopes (Theil 1950, Sen 1968)
with Sen's interval.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import NormalDist, fmean, median

from release_gates.model.series import Series

SURE = 0.01
"""A trend is one if chance alone makes such a one more seldom."""
MOST = 400
"""Longer series are thinned to the means of so many stretches: all pairs are compared."""
FEWEST = 30
"""Fewer values tell no trend from chance."""
_NORMAL = NormalDist()
_CORRELATED = 1.96
_MOST_ALIKE = 0.98


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """The trend of the values behind the first third, in the series' unit for a second.

    ``chance`` is that of such a one without any drift; ``low`` and ``high`` are the ends of the slope (99 %).
    ``level`` is the line's value at the end, ``middle`` the median of the values, ``seconds`` their span.
    """

    slope: float
    low: float
    high: float
    chance: float
    level: float
    middle: float
    seconds: float

    @property
    def is_sure(self) -> bool:
        """Whether there is a trend at all."""
        return self.chance < SURE

    def ahead(self, slope: float, seconds: float) -> float:
        """Return the value that the line reaches so many seconds behind its end, with one of the slopes."""
        return self.level + slope * seconds


def flaw_of_series(series: Series) -> str:
    """Return why these cannot be values over time; "" for sound ones."""
    if len(series.at_s) != len(series.values):
        return f"{len(series.values)} values at {len(series.at_s)} moments"
    if not series.values:
        return "a series without a value"
    if not all(map(math.isfinite, (*series.at_s, *series.values))):
        return "a moment or value that is no finite number"
    if any(later <= earlier for earlier, later in zip(series.at_s, series.at_s[1:], strict=False)):
        return "its moments do not rise"
    horizon = series.horizon_s
    if horizon is not None and not (math.isfinite(horizon) and horizon > 0):
        return f"a horizon of {horizon} s is none"
    return ""


def trend_of(series: Series) -> Trend | None:
    """Return the trend of a sound series; None if there are too few values behind its first third."""
    start = series.at_s[0] + (series.at_s[-1] - series.at_s[0]) / 3
    first = bisect_left(series.at_s, start)
    at_s, values = series.at_s[first:], series.values[first:]
    if len(values) < FEWEST:
        return None
    at_s, values = _thinned(at_s), _thinned(values)
    slopes = sorted((b - a) / (t - s) for (s, a), (t, b) in combinations(zip(at_s, values, strict=True), 2))
    slope = median(slopes)
    variance = _variance(values) * _correlated(at_s, values, slope)
    low, high = _interval(slopes, variance)
    return Trend(
        slope=slope,
        low=low,
        high=high,
        chance=_chance(slopes, variance),
        level=median(value - slope * at for at, value in zip(at_s, values, strict=True)) + slope * at_s[-1],
        middle=median(values),
        seconds=at_s[-1] - at_s[0],
    )


def _thinned(values: Sequence[float]) -> tuple[float, ...]:
    size = math.ceil(len(values) / MOST)
    return tuple(fmean(values[first : first + size]) for first in range(0, len(values), size))


def _chance(slopes: Sequence[float], variance: float) -> float:
    """Return the chance of so many rises more than falls (or the reverse) without a trend."""
    score = sum((slope > 0) - (slope < 0) for slope in slopes)
    if score == 0 or variance <= 0:
        return 1.0
    return 2 * (1 - _NORMAL.cdf((abs(score) - 1) / math.sqrt(variance)))


def _variance(values: Sequence[float]) -> float:
    """Return the variance of Kendall's score for independent values, with the correction for equal ones."""
    ties = Counter(values).values()
    return (_spread(len(values)) - sum(map(_spread, ties))) / 18


def _spread(number: int) -> float:
    return number * (number - 1) * (2 * number + 5)


def _correlated(at_s: Sequence[float], values: Sequence[float], slope: float) -> float:
    """Return by how much the variance grows because neighbours are alike: Hamed and Rao's n / n*, >= 1.

    A short series underestimates that, so it is at least what its first correlation alone would come to.
    """
    number = len(values)
    ranks = _ranks([value - slope * at for at, value in zip(at_s, values, strict=True)])
    total = sum(rank * rank for rank in ranks)
    if total == 0:
        return 1.0
    grown, first = 0.0, 0.0
    for lag in range(1, number // 2):
        alike = sum(a * b for a, b in zip(ranks, ranks[lag:], strict=False)) / total
        if abs(alike) > _CORRELATED / math.sqrt(number):
            grown += (number - lag) * (number - lag - 1) * (number - lag - 2) * alike
            first = min(alike, _MOST_ALIKE) if lag == 1 else first
    return max(1.0, 1 + 2 * grown / (number * (number - 1) * (number - 2)), (1 + first) / (1 - first))


def _ranks(values: Sequence[float]) -> list[float]:
    """Return the ranks around their mean; equal values share one."""
    ordered = sorted(values)
    counts = Counter(values)
    middle = (len(values) - 1) / 2
    return [bisect_left(ordered, value) + (counts[value] - 1) / 2 - middle for value in values]


def _interval(slopes: Sequence[float], variance: float) -> tuple[float, float]:
    """Return Sen's interval of the slope."""
    reach = _NORMAL.inv_cdf(1 - SURE / 2) * math.sqrt(max(variance, 0.0))
    low = math.floor((len(slopes) - reach) / 2)
    high = math.ceil((len(slopes) + reach) / 2)
    return slopes[max(low, 0)], slopes[min(high, len(slopes) - 1)]
