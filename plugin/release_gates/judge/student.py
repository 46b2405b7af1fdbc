"""Student's t distribution for whole degrees of freedom, in closed form.

Source: Abramowitz and Stegun, Handbook of Mathematical Functions, 26.7.3 and 26.7.4.
"""

from __future__ import annotations

import math
from functools import lru_cache

_PRECISION = 1e-10
_WIDEST = 1e9


def upper_tail(t: float, freedom: int) -> float:
    """Return P(T > t) for ``freedom`` >= 1 degrees of freedom; NaN for NaN."""
    if freedom < 1:
        raise ValueError(f"{freedom} degrees of freedom: at least 1 is needed")
    if math.isinf(t):
        return 0.0 if t > 0 else 1.0
    inside = _within(abs(t), freedom)
    return (1 - inside) / 2 if t >= 0 else (1 + inside) / 2


@lru_cache(maxsize=256)
def quantile(tail: float, freedom: int) -> float:
    """Return the t >= 0 with P(T > t) = ``tail``, for 0 < ``tail`` <= 0.5."""
    if not 0 < tail <= 0.5:
        raise ValueError(f"a tail of {tail} is not in (0, 0.5]")
    low, high = 0.0, 1.0
    while upper_tail(high, freedom) > tail and high < _WIDEST:
        high *= 2
    while high - low > _PRECISION * high:
        middle = (low + high) / 2
        low, high = (middle, high) if upper_tail(middle, freedom) > tail else (low, middle)
    return high


def _within(t: float, freedom: int) -> float:
    """Return P(|T| <= t)."""
    angle = math.atan(t / math.sqrt(freedom))
    sine, cosine = math.sin(angle), math.cos(angle)
    odd = freedom % 2
    term = cosine if odd else 1.0
    total = term if freedom > 1 else 0.0
    for k in range(2 + odd, freedom - 1, 2):
        term *= cosine * cosine * (k - 1) / k
        total += term
    return (angle + sine * total) * 2 / math.pi if odd else sine * total
