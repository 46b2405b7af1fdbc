"""Quantities of Kubernetes (``500m``, ``2``, ``1Gi``, ``1e3``), durations of policy, and CPU lists."""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache

SUFFIXES = {
    **{"n": Decimal("1e-9"), "u": Decimal("1e-6"), "m": Decimal("1e-3"), "": Decimal(1)},
    **{name: Decimal(1000) ** power for power, name in enumerate("kMGTPE", 1)},
    **{f"{name}i": Decimal(1024) ** power for power, name in enumerate("KMGTPE", 1)},
}
NUMBER = re.compile(
    r"([+-]?(?:[0-9]{1,40}\.?[0-9]{0,40}|\.[0-9]{1,40}))(?:[eE]([+-]?[0-9]{1,3})|([numkMGTPE]i?|Ki)?)",
    re.ASCII,
)


@lru_cache(maxsize=4096, typed=True)
def quantity(value: str | int | float) -> Decimal:
    """Return a quantity as a number; ValueError for a text that is none."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Decimal(str(value))
    found = NUMBER.fullmatch(str(value))
    if found is None or (found[3] or "") not in SUFFIXES:
        raise ValueError(f"{value!r} is no quantity")
    exponent = Decimal(10) ** int(found[2]) if found[2] else Decimal(1)
    return Decimal(found[1]) * exponent * SUFFIXES[found[3] or ""]


@lru_cache(maxsize=256)
def seconds(text: str) -> float:
    """Return the seconds of a duration as policy writes it: ``30 s``, ``2 min``; ValueError for any other."""
    found = re.fullmatch(r"([0-9]{1,6}(?:\.[0-9]{1,3})?) ?(ms|s|min|h)", text)
    if found is None:
        raise ValueError(f"{text!r} is no duration, as in '30 s' or '2 min'")
    return float(found[1]) * {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0}[found[2]]


def cpus(text: str) -> frozenset[int]:
    """Return the CPUs of a list like ``0-3,8``; ValueError for a text that is none."""
    found: set[int] = set()
    for part in filter(None, text.split(",")):
        ends = re.fullmatch(r"\s*([0-9]{1,5})(?:-([0-9]{1,5}))?\s*", part)
        if ends is None or (ends[2] and int(ends[2]) < int(ends[1])):
            raise ValueError(f"{text!r} is no list of CPUs")
        found.update(range(int(ends[1]), int(ends[2] or ends[1]) + 1))
    return frozenset(found)
