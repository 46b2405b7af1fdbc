"""Tails of the binomial distribution, summed term by term from the edge outward."""

from __future__ import annotations

import math
from collections.abc import Callable

_NEGLIGIBLE = 1e-17


def at_most(k: int, n: int, p: float) -> float:
    """Return P(X <= k) for X of ``n`` trials with a chance of ``p`` each, 0 < p < 1."""
    if k < 0:
        return 0.0
    if k >= n:
        return 1.0
    if k > n * p:
        return 1 - _sum(k + 1, n, p, _next)
    return _sum(k, n, p, _previous)


def at_least(k: int, n: int, p: float) -> float:
    """Return P(X >= k) for X of ``n`` trials with a chance of ``p`` each, 0 < p < 1."""
    if k <= 0:
        return 1.0
    if k > n:
        return 0.0
    if k < n * p:
        return 1 - _sum(k - 1, n, p, _previous)
    return _sum(k, n, p, _next)


def at_most_about(k: float, n: int, p: float) -> float:
    """Return P(X <= k) for a count that is no whole number: in proportion between its neighbours."""
    below = math.floor(k)
    least = at_most(below, n, p)
    return least + (k - below) * (at_most(below + 1, n, p) - least)


def at_least_about(k: float, n: int, p: float) -> float:
    """Return P(X >= k) for a count that is no whole number: in proportion between its neighbours."""
    below = math.floor(k)
    most = at_least(below, n, p)
    return most + (k - below) * (at_least(below + 1, n, p) - most)


def _sum(k: int, n: int, p: float, step: Callable[[int, int, float], tuple[int, float]]) -> float:
    """Sum the terms from k away from the mode: each is smaller than the one before."""
    term = _term(k, n, p)
    total = 0.0
    while 0 <= k <= n and term > total * _NEGLIGIBLE:
        total += term
        k, factor = step(k, n, p)
        term *= factor
    return min(total, 1.0)


def _term(k: int, n: int, p: float) -> float:
    choose = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
    return math.exp(choose + k * math.log(p) + (n - k) * math.log1p(-p))


def _previous(k: int, n: int, p: float) -> tuple[int, float]:
    return k - 1, k * (1 - p) / ((n - k + 1) * p)


def _next(k: int, n: int, p: float) -> tuple[int, float]:
    return k + 1, (n - k) * p / ((k + 1) * (1 - p))
