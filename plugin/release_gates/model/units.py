"""Units with explicit, exact and checked conversion.

A unit is a name from ``UNITS`` or a rate of two of them (``req/s``). Two units convert when their
dimensions agree; everything else is a ``ValueError`` that names the nearest unit.
"""

from __future__ import annotations

import difflib
from fractions import Fraction
from functools import lru_cache

UNITS: dict[str, tuple[str, Fraction]] = {
    # dimension, factor to the dimension's first unit
    "s": ("time", Fraction(1)),
    "ns": ("time", Fraction(1, 10**9)),
    "us": ("time", Fraction(1, 10**6)),
    "ms": ("time", Fraction(1, 1000)),
    "min": ("time", Fraction(60)),
    "h": ("time", Fraction(3600)),
    "d": ("time", Fraction(86400)),
    "B": ("data", Fraction(1)),
    "kB": ("data", Fraction(1000)),
    "MB": ("data", Fraction(1000**2)),
    "GB": ("data", Fraction(1000**3)),
    "KiB": ("data", Fraction(1024)),
    "MiB": ("data", Fraction(1024**2)),
    "GiB": ("data", Fraction(1024**3)),
    "ratio": ("ratio", Fraction(1)),
    "%": ("ratio", Fraction(1, 100)),
    "count": ("count", Fraction(1)),
    "req": ("requests", Fraction(1)),
    "orders": ("orders", Fraction(1)),
    "lines": ("lines", Fraction(1)),
    "pages": ("pages", Fraction(1)),
    "instructions": ("instructions", Fraction(1)),
    "cores": ("cores", Fraction(1)),
}


@lru_cache(maxsize=256)
def dimension(unit: str) -> str:
    """Return the dimension of a unit (``req/s`` -> ``requests/time``); ``ValueError`` if unknown."""
    return "/".join(_entry(part)[0] for part in _parts(unit))


@lru_cache(maxsize=256)
def factor(unit: str) -> Fraction:
    """Return the exact factor from a unit to the base unit of its dimension."""
    parts = _parts(unit)
    value = _entry(parts[0])[1]
    return value / _entry(parts[1])[1] if len(parts) > 1 else value


def convert(value: float, unit: str, to: str) -> float:
    """Return ``value`` in another unit of the same dimension; ``ValueError`` if they do not convert."""
    return value if unit == to else float(exact(value, unit, to))


def exact(value: float, unit: str, to: str) -> Fraction:
    """Return ``value`` in another unit without rounding: the decimal that was written, as a fraction."""
    check_convertible(unit, to)
    return Fraction(repr(float(value))) * factor(unit) / factor(to)


def check_convertible(unit: str, to: str) -> None:
    """Refuse two units of different dimensions by ``ValueError``."""
    if dimension(unit) != dimension(to):
        raise ValueError(f"unit '{unit}' ({dimension(unit)}) does not convert to '{to}' ({dimension(to)})")


def _parts(unit: str) -> list[str]:
    parts = unit.split("/")
    if len(parts) > 2:
        raise ValueError(f"unit '{unit}' has more than one '/'. Write a rate as 'req/s'.")
    return parts


def _entry(name: str) -> tuple[str, Fraction]:
    try:
        return UNITS[name]
    except KeyError:
        near = difflib.get_close_matches(name, UNITS, n=1, cutoff=0.5)
        hint = f" Did you mean '{near[0]}'?" if near else f" Units: {', '.join(UNITS)}."
        raise ValueError(f"unknown unit '{name}'.{hint}") from None
