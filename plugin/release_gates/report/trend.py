"""What each measurement was in earlier runs: a table of measurement by run, and a line with the limit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from release_gates.model.figures import figure
from release_gates.model.outcome import Outcome
from release_gates.model.release import PastRun, PastValue, Release
from release_gates.model.units import convert
from release_gates.report.rows import Row
from release_gates.report.scale import Scale, short

WIDTH, HEIGHT = 120, 28
MOST_TRENDS = 30
"""So many measurements are told, those that are worst now; all are in the evidence."""
Key = tuple[str, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One measurement in one run."""

    text: str
    outcome: Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """One measurement over all runs: a cell for each (None where it has no value), the line, the limits."""

    name: str
    cells: tuple[Cell | None, ...]
    path: str
    last: tuple[str, str]
    limits: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Trends:
    """The table; ``more`` counts the measurements that are left out."""

    runs: tuple[PastRun, ...]
    trends: tuple[Trend, ...]
    more: int


def trends(release: Release, rows: Sequence[Row]) -> Trends | None:
    """Return the table, or None where there is no earlier run with a value."""
    past = release.past
    if sum(bool(run.values) for run in past) < 2:
        return None
    values = [{(each.gate, each.test, each.name): each for each in run.values} for run in past]
    wanted = {_key(row): row for row in rows if row.value is not None}
    found = [(key, row) for key, row in wanted.items() if sum(key in each for each in values) > 1]
    shown = found[:MOST_TRENDS]
    if not shown:
        return None
    return Trends(
        runs=past,
        trends=tuple(_trend(row, [each.get(key) for each in values]) for key, row in shown),
        more=len(found) - len(shown),
    )


def _key(row: Row) -> Key:
    judged = row.limit.judged
    return row.limit.gate, judged.test, judged.name


def _trend(row: Row, values: Sequence[PastValue | None]) -> Trend:
    numbers = [None if each is None else _number(each, row.unit) for each in values]
    edges = [bound.value for bound in row.bounds if bound.unit == row.unit]
    known = [number for number in numbers if number is not None]
    most = max((abs(number) for number in known), default=0)
    edges = [edge for edge in edges if abs(edge) <= 20 * most or most == 0]
    shown = [*known, *edges]
    room = (max(shown) - min(shown)) * 0.1 or abs(max(shown)) * 0.1 or 1.0
    y = Scale(min(shown) - room, max(shown) + room, HEIGHT - 2, 2)
    x = Scale(0, max(1, len(values) - 1), 4, WIDTH - 4)
    dots = [(x(at), y(number)) for at, number in enumerate(numbers) if number is not None]
    return Trend(
        name=row.name,
        cells=tuple(
            None if each is None else Cell(text=figure(each.value, each.unit), outcome=each.outcome)
            for each in values
        ),
        path=_line(numbers, x, y),
        last=(short(dots[-1][0]), short(dots[-1][1])),
        limits="".join(f"M0 {short(y(edge))}H{WIDTH}" for edge in edges),
    )


def _line(numbers: Sequence[float | None], x: Scale, y: Scale) -> str:
    """Return the path; a run without a value is a gap, never a line across it."""
    path, drawing = "", False
    for at, number in enumerate(numbers):
        if number is not None:
            path += f"{'L' if drawing else 'M'}{short(x(at))} {short(y(number))}"
        drawing = number is not None
    return path


def _number(value: PastValue, unit: str) -> float | None:
    try:
        return convert(value.value, value.unit, unit)
    except ValueError:
        return None  # it was measured in another dimension then
