"""A bullet bar: the value against its limit, target and baseline, on a scale of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from release_gates.model.limit import Bound
from release_gates.model.units import convert
from release_gates.report.rows import Row, change_of
from release_gates.report.scale import Scale, short

WIDTH = 240
LARGEST = 3.0
"""A value further from zero than so many times its limit is cut off, and marked as such."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bullet:
    """Paths of one bar, each "" where there is nothing to draw; ``zone`` is what is allowed.

    ``interval`` is what the value may as well be, ``cut`` an arrow where it lies outside of the picture.
    """

    zone: str
    value: str
    limit: str
    target: str
    baseline: str
    interval: str
    cut: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Numbers:
    """What is drawn, all in one unit."""

    value: float
    unit: str
    bounds: tuple[Bound, ...]
    target: tuple[float, ...] = ()
    baseline: float | None = None
    interval: tuple[float, float] | None = None


def bullet(row: Row) -> Bullet | None:
    """Return the bar of a row, or None where there is no value or no bound to compare it with.

    Where only a change is bounded, the bar is that change in %.
    """
    numbers = _numbers(row)
    if numbers is None:
        return None
    edges = [_edge(bound, numbers.unit) for bound in numbers.bounds]
    others = [*numbers.target, *(numbers.interval or ())]
    scale = _scale(numbers.value, edges, others if numbers.baseline is None else [*others, numbers.baseline])
    zero, at = scale(0), scale(numbers.value)
    return Bullet(
        zone=_box(*_allowed(numbers, scale), 3, 14),
        value=_box(zero, at, 6, 8) if abs(at - zero) >= 1 else _box(at - 0.5, at + 0.5, 6, 8),
        limit="".join(_tick(scale(edge), 0, 20) for edge in edges),
        target="".join(_tick(scale(edge), 3, 14) for edge in numbers.target),
        baseline="" if numbers.baseline is None else _triangle(scale(numbers.baseline)),
        interval=_whisker(scale, numbers.interval) if numbers.interval else "",
        cut=_arrow(at) if scale.cuts(numbers.value) else "",
    )


def _numbers(row: Row) -> _Numbers | None:
    if row.bounds and row.value is not None:
        target = tuple(_edge(bound, row.unit) for bound in row.target)
        return _Numbers(
            value=row.value,
            unit=row.unit,
            bounds=row.bounds,
            target=target,
            baseline=row.baseline,
            interval=row.proven,
        )
    change, rule = change_of(row), row.limit.rule
    bounds = (
        tuple(bound for bound in rule.baseline.bounds if bound.unit == "%") if rule and rule.baseline else ()
    )
    if change is None or not bounds:
        return None
    interval = (change.low, change.high) if change.high > change.low else None
    return _Numbers(value=change.middle, unit="%", bounds=bounds, interval=interval)


def _edge(bound: Bound, unit: str) -> float:
    return convert(bound.value, bound.unit, unit)


def _scale(value: float, edges: Sequence[float], others: Sequence[float]) -> Scale:
    most = LARGEST * max(map(abs, edges)) or abs(value)
    near = [each for each in (value, *others) if abs(each) <= most]
    shown = [*edges, *near, *([] if value in near else [most if value > 0 else -most])]
    low, high = min(0.0, *shown), max(0.0, *shown)
    span = (high - low) or 1.0
    return Scale(low - (0.08 * span if low < 0 else 0), high + 0.08 * span, 0, WIDTH)


def _allowed(numbers: _Numbers, scale: Scale) -> tuple[float, float]:
    left, right = scale.left, scale.right
    for bound in numbers.bounds:
        at = scale(_edge(bound, numbers.unit))
        if bound.operator in ("<=", "<", "=="):
            right = min(right, at)
        if bound.operator in (">=", ">", "=="):
            left = max(left, at)
    return left, max(left, right)


def _box(left: float, right: float, top: float, height: float) -> str:
    left, right = min(left, right), max(left, right)
    return f"M{short(left)} {short(top)}h{short(right - left)}v{short(height)}H{short(left)}z"


def _tick(at: float, top: float, height: float) -> str:
    return f"M{short(at)} {short(top)}v{short(height)}"


def _whisker(scale: Scale, interval: tuple[float, float]) -> str:
    low, high = (short(scale(edge)) for edge in interval)
    return f"M{low} 10H{high}M{low} 6v8M{high} 6v8"


def _triangle(at: float) -> str:
    return f"M{short(at)} 13l4 7h-8z"


def _arrow(at: float) -> str:
    right = at > WIDTH / 2
    return f"M{short(at - 8 if right else at + 8)} 4l{8 if right else -8} 6l{-8 if right else 8} 6z"
