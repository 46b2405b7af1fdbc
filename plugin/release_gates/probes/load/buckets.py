"""Log-linear buckets of durations: for curves and estimates. Verdicts rest on exact counts at each limit."""

from __future__ import annotations

import math
from collections.abc import Mapping

STEPS = 256
"""Buckets per factor of two: the middle of a bucket is within 0.2 % of every value in it."""
_LEAST_S = 1e-9


def bucket_of(seconds: float) -> int:
    """Return the bucket of a duration; what is below a nanosecond counts as one."""
    mantissa, exponent = math.frexp(max(seconds, _LEAST_S))
    return exponent * STEPS + int((mantissa - 0.5) * 2 * STEPS)


def seconds_of(bucket: int) -> float:
    """Return the middle of a bucket in seconds."""
    exponent, step = divmod(bucket, STEPS)
    return math.ldexp(0.5 + (step + 0.5) / (2 * STEPS), exponent)


def quantile(buckets: Mapping[int, int], share: float) -> float | None:
    """Return the duration in seconds that ``share`` of the samples do not exceed; None without any."""
    total = sum(buckets.values())
    if total == 0:
        return None
    rank, seen = max(math.ceil(share * total - 1e-9), 1), 0
    for bucket in sorted(buckets):
        seen += buckets[bucket]
        if seen >= rank:
            return seconds_of(bucket)
    raise AssertionError("the counts of a histogram changed while they were read")
