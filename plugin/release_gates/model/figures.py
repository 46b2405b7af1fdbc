"""How numbers are written for people: measured beside allowed, never rounded onto each other."""

from __future__ import annotations

import math

from release_gates.model.limit import Bound
from release_gates.model.units import convert


def figure(value: float, unit: str) -> str:
    """Return a value with its unit; ratios read as percent."""
    if unit == "ratio":
        return f"{_number(convert(value, 'ratio', '%'))} %"
    return _number(value) if unit == "count" else f"{_number(value)} {unit}"


def beside(value: float, unit: str, bound: Bound) -> str:
    """Return ``value`` in the unit of the bound, with as many digits as tell it from the bound."""
    if not math.isfinite(value):
        return f"{value} {unit}"
    shown = convert(value, unit, bound.unit)
    text = _number(shown)
    if text == _number(bound.value) and shown != bound.value:
        text = repr(shown)
    return f"{text} {bound.unit}"


def _number(value: float) -> str:
    if not math.isfinite(value):
        return str(value)
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}".replace(",", " ") if abs(value) >= 10000 else str(int(value))
    return f"{value:.4g}"
