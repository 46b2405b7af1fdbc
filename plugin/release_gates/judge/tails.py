"""Is a quantile within its limit? Decided by how many samples broke the limit, exactly.

The p99 keeps a limit if less than 1 % of all orders ever break it. So many of n samples did: the chance of
seeing so few (or so many) at exactly 1 % is binomial. PASS and FAIL are each wrong in at most ``WRONG`` of
the cases that lie on the limit; between them it is INCONCLUSIVE, and says how many samples would decide.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from release_gates.judge.binomial import at_least, at_most
from release_gates.model.limit import Bound, Limit
from release_gates.model.outcome import Outcome
from release_gates.model.tail import Tail, bound_key
from release_gates.model.units import convert, dimension

WRONG = 0.05
BEYOND = 100
"""So many samples have to lie beyond the quantile, else its estimate is an accident (p99.9: 100,000)."""
_SIGMAS = 1.645
_ROUNDING = 1e-9


def judge_tail(name: str, tail: Tail, limit: Limit, shown: str) -> tuple[Outcome, str]:
    """Judge one quantile by one limit; ``shown`` is its estimate as people read it. PASS has no sentence."""
    findings = [_judge_bound(name, tail, bound, limit, shown) for bound in limit.bounds]
    return max(findings, key=lambda finding: finding[0].rank)


def value_at(ordered: Sequence[float], quantile: float) -> float:
    """Return the smallest of the sorted samples that at least ``quantile`` of them do not exceed."""
    return ordered[max(math.ceil(quantile * len(ordered) - _ROUNDING), 1) - 1]


def tail_of(ordered: Sequence[float], unit: str, quantile: float, bounds: Sequence[Bound]) -> Tail:
    """Count how many of the sorted samples, in ``unit``, break each bound of the same dimension."""
    fitting = [bound for bound in bounds if dimension(bound.unit) == dimension(unit)]
    over = {bound_key(bound): _broken(ordered, unit, bound) for bound in fitting}
    return Tail(quantile=quantile, samples=len(ordered), over=over)


def _broken(ordered: Sequence[float], unit: str, bound: Bound) -> int:
    edge = convert(bound.value, bound.unit, unit)
    kept = bisect_left(ordered, edge) if bound.operator == "<" else bisect_right(ordered, edge)
    return len(ordered) - kept


def _judge_bound(name: str, tail: Tail, bound: Bound, limit: Limit, shown: str) -> tuple[Outcome, str]:
    if bound.operator not in ("<=", "<"):
        return Outcome.ERROR, f"{name}: a quantile of a latency has an upper limit, not '{limit.text}'"
    over = tail.over.get(bound_key(bound))
    if over is None:
        return Outcome.INCONCLUSIVE, f"{name}: nobody counted how many samples broke {limit.text}"
    if not _is_possible(tail, over):
        return (
            Outcome.ERROR,
            f"{name}: {over} of {tail.samples} samples at quantile {tail.quantile} is no count",
        )
    return _judge_count(name, tail, over, limit, shown)


def _is_possible(tail: Tail, over: int) -> bool:
    effective = tail.samples if tail.effective is None else tail.effective
    sound = math.isfinite(effective) and 0 < effective <= tail.samples
    return 0 < tail.quantile < 1 and sound and 0 <= over <= tail.samples


def _judge_count(name: str, tail: Tail, over: int, limit: Limit, shown: str) -> tuple[Outcome, str]:
    allowed = 1 - tail.quantile
    trials = math.floor(tail.samples if tail.effective is None else tail.effective)
    broken = over / tail.samples * trials
    rests = f"{over} of {tail.samples} samples ({over / tail.samples:.3g}) broke {limit.text}"
    if trials * allowed < BEYOND * (1 - 1e-9):
        needed = math.ceil(tail.samples * BEYOND / (trials * allowed)) if trials else 0
        return (
            Outcome.INCONCLUSIVE,
            f"{name} rests on {tail.samples} samples, worth {trials} independent ones; {needed} are needed, "
            f"so that {BEYOND} lie beyond it",
        )
    if at_most(math.ceil(broken), trials, allowed) < WRONG:
        return Outcome.PASS, ""
    if at_least(math.floor(broken), trials, allowed) < WRONG:
        return Outcome.FAIL, f"{name} is {shown}; the limit is {limit.text}: {rests}, {allowed:.3g} may"
    return Outcome.INCONCLUSIVE, (
        f"{name} is {shown}, too near to the limit {limit.text}: {rests}, {allowed:.3g} may. "
        f"{_needed(tail, over, trials, allowed)}"
    )


def _needed(tail: Tail, over: int, trials: int, allowed: float) -> str:
    """Say about how many samples would decide, if the share that was seen is the truth."""
    gap = abs(over / tail.samples - allowed)
    if gap < _ROUNDING:
        return "It lies exactly on the limit: no number of samples decides"
    wanted = allowed * (1 - allowed) * (2 * _SIGMAS / gap) ** 2 * tail.samples / trials
    return f"About {max(math.ceil(wanted) - tail.samples, 1)} more samples would decide"
