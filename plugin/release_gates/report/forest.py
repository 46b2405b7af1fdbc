"""A forest plot: what changed against the baseline, each measurement a line, on one scale."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from release_gates.model.outcome import Outcome
from release_gates.model.release import Interval
from release_gates.report.rows import Row, change_of
from release_gates.report.scale import Scale, short, ticks

WIDTH = 360
WIDEST = 100.0
"""Changes beyond ± so many % are put on the edge, so that the small ones can be seen."""
NARROWEST = 2.0
EDGE = 22
"""A label nearer to the edge would not fit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One line: the change in %, its interval, and where on the shared scale each is drawn."""

    name: str
    outcome: Outcome
    allowed: str
    said: str
    interval: str
    point: str
    zone: str
    cut: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Forest:
    """All changes, and the scale below them: position and label of each tick."""

    changes: tuple[Change, ...]
    axis: tuple[tuple[str, str], ...]
    zero: str


def forest(rows: Sequence[Row]) -> Forest | None:
    """Return the plot of all rows that were compared with a baseline, or None where there is none."""
    found = [(row, interval) for row in rows if (interval := change_of(row)) is not None]
    if not found:
        return None
    scale = _scale([interval for _, interval in found])
    return Forest(
        changes=tuple(_change(row, interval, scale) for row, interval in found),
        axis=tuple(
            (short(scale(tick)), percent(tick))
            for tick in ticks(scale.low, scale.high)
            if EDGE <= scale(tick) <= WIDTH - EDGE
        ),
        zero=short(scale(0)),
    )


def percent(change: float) -> str:
    """Return a change as text, with its sign."""
    if not change:
        return "0 %"
    text = f"{change:+.1f} %" if abs(change) >= 0.95 else f"{change:+.2f} %"
    return text.replace("-", "\N{MINUS SIGN}")


def said(change: Interval) -> str:
    """Return a change in words, with its interval where it has one."""
    if change.low == change.high:
        return percent(change.middle)
    return f"{percent(change.middle)} ({percent(change.low)} to {percent(change.high)})"


def _scale(changes: Sequence[Interval]) -> Scale:
    most = max(abs(edge) for each in changes for edge in (each.low, each.middle, each.high))
    span = min(WIDEST, max(NARROWEST, most * 1.15))
    return Scale(-span, span, 0, WIDTH)


def _change(row: Row, interval: Interval, scale: Scale) -> Change:
    low, at, high = scale(interval.low), scale(interval.middle), scale(interval.high)
    rule = row.limit.rule
    return Change(
        name=row.name,
        outcome=row.outcome,
        allowed=rule.baseline.text if rule and rule.baseline else "",
        said=said(interval),
        interval=f"M{short(low)} 10H{short(high)}M{short(low)} 6v8M{short(high)} 6v8" if high > low else "",
        point=f"M{short(at)} 4l6 6l-6 6l-6-6z",
        zone=_zone(row, scale),
        cut=scale.cuts(interval.middle),
    )


def _zone(row: Row, scale: Scale) -> str:
    edges = list(_edges(row))
    if not edges:
        return ""
    left, right = scale.left, scale.right
    for edge, above in edges:
        if above:
            right = min(right, scale(edge))
        else:
            left = max(left, scale(edge))
    return f"M{short(left)} 1h{short(max(0.0, right - left))}v18H{short(left)}z"


def _edges(row: Row) -> Iterator[tuple[float, bool]]:
    """Yield each bound of a change in %, and whether it is one from above; pp has no place on this scale."""
    rule = row.limit.rule
    for bound in rule.baseline.bounds if rule and rule.baseline else ():
        if bound.unit == "%":
            yield bound.value, bound.operator in ("<=", "<")
