"""A value over time against a limit: all of it, how far it drifts, and where that leads.

A limit in the value's own unit holds for every value, and for the horizon, if policy names one and there is
a drift. A limit in ``%`` bounds the drift itself: how much of its median the value gains while it is
judged.
"""

from __future__ import annotations

from release_gates.judge.bounds import holds
from release_gates.judge.drift import FEWEST, Trend, trend_of
from release_gates.judge.intervals import judge_interval
from release_gates.model.figures import beside, figure
from release_gates.model.limit import Bound, Limit
from release_gates.model.measurement import Measurement
from release_gates.model.outcome import Outcome
from release_gates.model.series import Series
from release_gates.model.units import dimension, exact

Finding = tuple[Outcome, str]


def bounds_drift(measurement: Measurement, bound: Bound) -> bool:
    """Tell whether a bound is one of the drift of a series: in ``%``, of a value that is no ratio itself."""
    is_series = measurement.series is not None and dimension(measurement.unit) != "ratio"
    return is_series and dimension(bound.unit) == "ratio"


def judge_series(measurement: Measurement, series: Series, limit: Limit) -> Finding:
    """Judge a sound series by one limit."""
    if bounds_drift(measurement, limit.bounds[0]):
        return _judge_drift(measurement, series, limit)
    for bound in limit.bounds:
        for value in (max(series.values), min(series.values)):
            if not holds(exact(value, measurement.unit, bound.unit), bound):
                reached = beside(value, measurement.unit, bound)
                return (
                    Outcome.FAIL,
                    f"{measurement.name} was {reached} during the run; the limit is {limit.text}",
                )
    if series.horizon_s is None:
        return Outcome.PASS, ""
    return _judge_horizon(measurement, series, series.horizon_s, limit)


def drift_shown(measurement: Measurement, trend: Trend) -> str:
    """Return a trend in words: ``drifts by 12.3 MB/h (+4.1 % in 20 min)``."""
    unit = measurement.unit
    change = f"{_part(trend, trend.slope) * 100:+.2g} % of its median in {trend.seconds:.0f} s"
    return f"drifts by {figure(trend.slope * 3600, unit)} per hour ({change})"


def _judge_horizon(measurement: Measurement, series: Series, horizon_s: float, limit: Limit) -> Finding:
    trend = trend_of(series)
    if trend is None:
        return _too_few(measurement, series, limit)
    if not trend.is_sure:
        return Outcome.PASS, ""
    ends = sorted(trend.ahead(slope, horizon_s) for slope in (trend.low, trend.high))
    outcome, _ = judge_interval(measurement, (ends[0], ends[1]), limit)
    if outcome is Outcome.PASS:
        return Outcome.PASS, ""
    low, high = (beside(end, measurement.unit, limit.bounds[0]) for end in ends)
    return outcome, (
        f"{measurement.name} {drift_shown(measurement, trend)} and is between {low} and {high} after "
        f"{horizon_s / 3600:g} h more; the limit is {limit.text}"
    )


def _judge_drift(measurement: Measurement, series: Series, limit: Limit) -> Finding:
    trend = trend_of(series)
    if trend is None:
        return _too_few(measurement, series, limit)
    if trend.middle == 0:
        if not trend.is_sure:
            return Outcome.PASS, ""
        return Outcome.FAIL, f"{measurement.name} drifts from a median of 0; the limit is {limit.text}"
    change = Measurement(name=measurement.name, value=_part(trend, trend.slope), unit="ratio")
    part = _part(trend, trend.slope)
    kept = judge_interval(change, (part, part), limit)[0] is Outcome.PASS
    if kept:
        return Outcome.PASS, ""
    sentence = f"{measurement.name} {drift_shown(measurement, trend)}; the limit is {limit.text}"
    if trend.is_sure:
        return Outcome.FAIL, sentence
    return Outcome.INCONCLUSIVE, f"{sentence}, and it may be chance ({trend.chance:.2g}): run it longer"


def _too_few(measurement: Measurement, series: Series, limit: Limit) -> Finding:
    return Outcome.INCONCLUSIVE, (
        f"{measurement.name} has {len(series.values)} values; {FEWEST} behind the first third are needed to "
        f"tell a drift, for the limit {limit.text}"
    )


def _part(trend: Trend, slope: float) -> float:
    return slope * trend.seconds / abs(trend.middle)
