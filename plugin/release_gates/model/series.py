"""A value over time: the memory of a process, for a judgement of whether it drifts."""

from __future__ import annotations

from release_gates.model.record import Record


class Series(Record, frozen=True, kw_only=True, omit_defaults=True):
    """``values`` in the measurement's unit at ``at_s`` seconds, rising.

    ``horizon_s`` is how far ahead a drift is projected; None: nothing is projected.
    """

    at_s: tuple[float, ...]
    values: tuple[float, ...]
    horizon_s: float | None = None
