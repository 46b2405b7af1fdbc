"""A value of which an interval is known: where the knee of a stress run is, how long a recovery took."""

from __future__ import annotations

import math
from fractions import Fraction

from release_gates.judge.bounds import holds
from release_gates.model.figures import beside
from release_gates.model.limit import Bound, Limit
from release_gates.model.measurement import Measurement
from release_gates.model.outcome import Outcome
from release_gates.model.units import exact

Interval = tuple[float, float | None]


def flaw_of_interval(interval: Interval) -> str:
    """Return why two numbers are no interval; None as the upper one means that it has no end."""
    low, high = interval
    if not math.isfinite(low) or (high is not None and not (math.isfinite(high) and low <= high)):
        return f"{low} to {high} is no interval"
    return ""


def judge_interval(measurement: Measurement, interval: Interval, limit: Limit) -> tuple[Outcome, str]:
    """Judge what is known of a value: PASS if all of the interval keeps the limit, FAIL if none does."""
    findings = [_judge_bound(measurement, interval, bound, limit) for bound in limit.bounds]
    return max(findings, key=lambda finding: finding[0].rank)


def _judge_bound(
    measurement: Measurement, interval: Interval, bound: Bound, limit: Limit
) -> tuple[Outcome, str]:
    unit, edge = measurement.unit, Fraction(repr(bound.value))
    low = exact(interval[0], unit, bound.unit)
    high = None if interval[1] is None else exact(interval[1], unit, bound.unit)
    low_kept, high_kept = _keeps(low, bound), _keeps(high, bound)
    if low_kept and high_kept and (bound.operator != "==" or low == high):
        return Outcome.PASS, ""
    outside = not low_kept and not high_kept
    if outside and not (bound.operator == "==" and low < edge and (high is None or edge < high)):
        return (
            Outcome.FAIL,
            f"{measurement.name} is {shown(interval, unit, bound)}; the limit is {limit.text}",
        )
    return Outcome.INCONCLUSIVE, (
        f"{measurement.name} is {shown(interval, unit, bound)}, which does not decide the limit {limit.text}"
    )


def shown(interval: Interval, unit: str, bound: Bound) -> str:
    """Return an interval in the unit of a bound: ``between 1200 and 1260 req/s``, ``at least 30 s``."""
    low, high = interval
    if high is None:
        return f"at least {beside(low, unit, bound)}"
    if low == high:
        return beside(low, unit, bound)
    return f"between {beside(low, unit, bound)} and {beside(high, unit, bound)}"


def _keeps(value: Fraction | None, bound: Bound) -> bool:
    """Compare one end; None is beyond every number."""
    return bound.operator in (">=", ">") if value is None else holds(value, bound)
