"""What stands behind a value: by which facts a limit on it is judged, and whether they can be any."""

from __future__ import annotations

from collections.abc import Iterator

from release_gates.judge.counted import flaw_of_share, flaw_of_tail, judge_blocks, judge_share
from release_gates.judge.drift import flaw_of_series
from release_gates.judge.intervals import flaw_of_interval, judge_interval
from release_gates.judge.series import judge_series
from release_gates.judge.tails import judge_tail
from release_gates.judge.turns import flaw_of_windows
from release_gates.model.figures import beside
from release_gates.model.limit import Limit
from release_gates.model.measurement import Measurement
from release_gates.model.outcome import Outcome

Finding = tuple[Outcome, str]
_ROUNDING = 1e-9


def flaw_of(measurement: Measurement) -> str:
    """Return why the facts behind a value cannot have been measured; "" for sound ones, and for none."""
    tail, share = measurement.tail, measurement.share
    found = (
        flaw_of_tail(tail, tail.blocks) if tail and tail.blocks else "",
        flaw_of_share(measurement.value or 0.0, measurement.unit, share) if share else "",
        flaw_of_series(measurement.series) if measurement.series else "",
        flaw_of_interval(measurement.interval) if measurement.interval else "",
        flaw_of_windows(measurement.windows) if measurement.windows else "",
    )
    return next(filter(None, found), "") or _flaw_between(measurement)


def _flaw_between(measurement: Measurement) -> str:
    """Return why a value is not the one that its facts are about; "" where it can be."""
    value, series, interval = measurement.value, measurement.series, measurement.interval
    if value is None or measurement.absent:
        return ""
    if series is not None and not _is_between(value, min(series.values), max(series.values)):
        return f"{value} is not among its values over time"
    if interval is not None and not _is_between(value, *interval):
        return f"{value} is not in its interval, {interval[0]} to {interval[1]}"
    counted = (measurement.tail and measurement.tail.samples, measurement.share and sum(measurement.share.of))
    if measurement.samples is not None and any(count not in (None, measurement.samples) for count in counted):
        return f"it rests on {measurement.samples} samples, and another number was counted"
    return ""


def _is_between(value: float, low: float, high: float | None) -> bool:
    """Tell it as exactly as a mean of floats allows."""
    slack = _ROUNDING * max(abs(value), abs(low))
    return low - slack <= value and (high is None or value <= high + slack)


def judge_facts(measurement: Measurement, limit: Limit) -> Finding | None:
    """Judge sound facts by one limit, the worst of what they say; None where the value is all there is."""
    return max(_findings(measurement, limit), key=lambda finding: finding[0].rank, default=None)


def _findings(measurement: Measurement, limit: Limit) -> Iterator[Finding]:
    tail, share = measurement.tail, measurement.share
    if limit.window_s is not None and not (share or (tail and tail.blocks)):
        yield Outcome.INCONCLUSIVE, f"{measurement.name} was not counted over time, as {limit.text} asks for"
    if tail is not None and tail.blocks is not None:
        yield from judge_blocks(measurement, tail, tail.blocks, limit)
    elif tail is not None:
        shown = beside(measurement.value or 0.0, measurement.unit, limit.bounds[0])
        yield judge_tail(measurement.name, tail, limit, shown)
    if share is not None:
        yield from judge_share(measurement, share, limit)
    if measurement.series is not None:
        yield judge_series(measurement, measurement.series, limit)
    if measurement.interval is not None:
        yield judge_interval(measurement, measurement.interval, limit)
