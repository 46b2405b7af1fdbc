"""Latency percentile curves: quantiles of one measurement, with the limits that hold at some of them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from release_gates.model.figures import figure
from release_gates.report.rows import Row
from release_gates.report.scale import Scale, short, ticks

WIDTH, HEIGHT = 420, 170
LEFT, RIGHT, TOP, BOTTOM = 64, 12, 14, 28
FEWEST = 3
MOST_CURVES = 12
WIDE = 20.0
"""Where the largest value is so many times the smallest, the values are drawn on a logarithmic scale."""
_QUANTILE = re.compile(r"p(\d{1,2}(?:\.\d+)?|\d{3,})")
_NAMED = re.compile(rf"(?P<name>.+)\.(?P<quantile>{_QUANTILE.pattern})(?P<phase>@.+)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A limit at one quantile."""

    x: str
    y: str
    broken: bool
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """One curve with its axes; ``points`` are told in words too, for who cannot see it."""

    name: str
    path: str
    dots: tuple[tuple[str, str], ...]
    marks: tuple[Mark, ...]
    x_axis: tuple[tuple[str, str], ...]
    y_axis: tuple[tuple[str, str], ...]
    points: tuple[tuple[str, str], ...]
    logarithmic: bool


def quantile(name: str) -> float | None:
    """Return the quantile that a name means: p95 and p99.9 and p999; None for any other name."""
    found = _QUANTILE.fullmatch(name)
    if found is None:
        return None
    digits = found[1]
    exact = Fraction(f"0.{digits}") if len(digits) > 2 and "." not in digits else Fraction(digits) / 100
    share = float(exact)
    return share if 0 < share < 1 else None


def curves(rows: Sequence[Row]) -> tuple[Curve, ...]:
    """Return a curve for each measurement of which three quantiles or more are known."""
    families: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
        name, share = _split(row.limit.judged.name)
        if row.value is not None and (share is not None or _distribution(row)):
            families.setdefault(
                (row.limit.judged.test, name, row.name[len(row.limit.judged.name) :]), []
            ).append(row)
    found = (_curve(f"{name}{key}", family) for (_, name, key), family in families.items())
    return tuple(curve for curve in found if curve is not None)[:MOST_CURVES]


def _split(name: str) -> tuple[str, float | None]:
    """Return a name without its quantile, and the quantile: ``ack.p99.9`` is 0.999 of ``ack``."""
    found = _NAMED.fullmatch(name)
    share = quantile(found["quantile"]) if found else None
    return (f"{found['name']}{found['phase'] or ''}", share) if found and share is not None else (name, None)


def _distribution(row: Row) -> dict[float, float]:
    measurement = row.limit.measurement
    found = measurement.distribution if measurement else {}
    return {share: value for name, value in found.items() if (share := quantile(name)) is not None}


def _points(family: Sequence[Row]) -> dict[float, float]:
    """Return value by quantile, in the unit of the first row's measurement, sorted."""
    unit = family[0].limit.measurement.unit if family[0].limit.measurement else ""
    points: dict[float, float] = {}
    for row in family:
        measurement = row.limit.measurement
        if measurement is None or measurement.unit != unit or measurement.value is None:
            continue
        points |= _distribution(row)
        _, share = _split(measurement.name)
        if share is not None:
            points[share] = measurement.value
    return dict(sorted(points.items()))


def _curve(name: str, family: Sequence[Row]) -> Curve | None:
    points = _points(family)
    if len(points) < FEWEST or not all(math.isfinite(value) for value in points.values()):
        return None
    unit = family[0].limit.measurement.unit if family[0].limit.measurement else ""
    limits = list(_limits(family, unit))
    values = [*points.values(), *(edge for _, edge, _, _ in limits)]
    logarithmic = min(values) > 0 and max(values) / min(values) > WIDE
    y = _y_scale(values, logarithmic=logarithmic)
    x = Scale(_depth(min(points)), max(_depth(max(points)), _depth(min(points)) + 0.1), LEFT, WIDTH - RIGHT)
    dots = [(x(_depth(share)), y(_height(value, logarithmic))) for share, value in points.items()]
    return Curve(
        name=name,
        path="M" + "L".join(f"{short(left)} {short(top)}" for left, top in dots),
        dots=tuple((short(left), short(top)) for left, top in dots),
        marks=tuple(
            Mark(
                x=short(x(_depth(share))), y=short(y(_height(edge, logarithmic))), broken=broken, label=label
            )
            for share, edge, broken, label in limits
        ),
        x_axis=tuple(_x_axis(points, x)),
        y_axis=tuple(_y_axis(y, unit, logarithmic=logarithmic)),
        points=tuple((_label(share), figure(value, unit)) for share, value in points.items()),
        logarithmic=logarithmic,
    )


def _limits(family: Sequence[Row], unit: str) -> Iterator[tuple[float, float, bool, str]]:
    for row in family:
        _, share = _split(row.limit.judged.name)
        if share is None or row.limit.measurement is None or row.limit.measurement.unit != unit:
            continue
        for bound in row.bounds:
            if bound.unit == unit and bound.operator in ("<=", "<"):
                yield (
                    share,
                    bound.value,
                    not row.outcome.promotes,
                    f"{_label(share)} limit {figure(bound.value, unit)}",
                )


def _depth(share: float) -> float:
    """Return the place of a quantile on the axis: each further nine is as wide as the one before."""
    return -math.log10(1 - share)


def _height(value: float, logarithmic: bool) -> float:
    return math.log10(value) if logarithmic else value


def _y_scale(values: Sequence[float], *, logarithmic: bool) -> Scale:
    heights = [_height(value, logarithmic) for value in values]
    low = min(heights) if logarithmic else min(0.0, *heights)
    high = max(heights)
    room = (high - low) * 0.08 or 1.0
    return Scale(low - (room if logarithmic else 0), high + room, HEIGHT - BOTTOM, TOP)


def _x_axis(points: dict[float, float], x: Scale) -> Iterator[tuple[str, str]]:
    last = -math.inf
    for share in points:
        at = x(_depth(share))
        if at - last >= 34:  # labels would overlap
            yield short(at), _label(share)
            last = at


def _y_axis(y: Scale, unit: str, *, logarithmic: bool) -> Iterator[tuple[str, str]]:
    if not logarithmic:
        yield from ((short(y(tick)), figure(tick, unit)) for tick in ticks(y.low, y.high, 5))
        return
    for power in range(math.floor(y.low), math.ceil(y.high) + 1):
        for first in (1, 3) if y.high - y.low < 4 else (1,):
            height = power + math.log10(first)
            if y.low <= height <= y.high:
                yield short(y(height)), figure(float(f"{first}e{power}"), unit)


def _label(share: float) -> str:
    return f"p{share * 100:.6g}"
