"""What a measurement must keep, should reach, and may differ from the baseline: declared, not judged."""

from __future__ import annotations

from typing import Literal

from release_gates.model.record import Record

Operator = Literal["<=", "<", ">=", ">", "=="]


class Bound(Record, frozen=True, kw_only=True):
    """One comparison with a value: ``<= 500 ms``."""

    operator: Operator
    value: float
    unit: str


class Limit(Record, frozen=True, kw_only=True):
    """One or two bounds that all have to hold, and the text in which people wrote them.

    With ``window_s`` they hold in every stretch of so many seconds, and not only in all of them together.
    """

    text: str
    bounds: tuple[Bound, ...]
    window_s: float | None = None


class LimitRule(Record, frozen=True, kw_only=True):
    """All that policy says of the measurements that a name pattern matches.

    ``limit`` broken is FAIL, ``target`` missed is WARN. ``baseline`` bounds the change against the
    baseline's value: its unit is ``%`` (relative) or ``pp`` (percentage points, for ratios only).
    ``abort`` ends a run of load as soon as its limit is known to be broken.
    """

    name: str
    limit: Limit | None = None
    target: Limit | None = None
    baseline: Limit | None = None
    min_samples: int | None = None
    abort: bool = False
