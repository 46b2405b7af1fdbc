"""The rules of other tools, on the same samples: what each of them would have said of two builds.

Each gets one time a process and side, the median of its slices, from interleaved processes: that is kinder to
them than their own use, where one build is measured after the other.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import NormalDist, fmean, median

Times = Sequence[float]
Rule = Callable[[Times, Times], bool]


def compare_py(before: Times, after: Times) -> bool:
    """Google Benchmark's ``tools/compare.py -u``: Mann-Whitney, p < 0.05, and slower."""
    return mann_whitney(before, after) < 0.05 and median(after) > median(before)


def pytest_benchmark(before: Times, after: Times) -> bool:
    """``--benchmark-compare-fail=mean:5%`` of pytest-benchmark."""
    return fmean(after) > 1.05 * fmean(before)


def asv(before: Times, after: Times) -> bool:
    """``asv continuous``: p < 0.002, and slower by the factor 1.1."""
    return mann_whitney(before, after) < 0.002 and median(after) > 1.1 * median(before)


RULES: dict[str, Rule] = {"compare.py": compare_py, "pytest-benchmark mean:5%": pytest_benchmark, "asv": asv}
PROCESSES = 10
"""Repetitions that each rule gets."""


def mann_whitney(before: Times, after: Times) -> float:
    """Return the two-sided p of the U test, by the normal approximation with continuity correction."""
    u = sum((b > a) + (b == a) / 2 for a in before for b in after)
    m, n = len(before), len(after)
    deviation = math.sqrt(m * n * (m + n + 1) / 12)
    z = max(abs(u - m * n / 2) - 0.5, 0.0) / deviation
    return 2 * (1 - NormalDist().cdf(z))
