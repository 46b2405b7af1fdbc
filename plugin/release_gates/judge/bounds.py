"""A value compared with a bound, exactly: on the decimals that people wrote."""

from __future__ import annotations

from fractions import Fraction

from release_gates.model.limit import Bound


def holds(value: Fraction, bound: Bound) -> bool:
    """Compare exactly: ``value`` is in the unit of the bound."""
    edge = Fraction(repr(bound.value))
    match bound.operator:
        case "<=":
            return value <= edge
        case "<":
            return value < edge
        case ">=":
            return value >= edge
        case ">":
            return value > edge
        case "==":
            return value == edge
