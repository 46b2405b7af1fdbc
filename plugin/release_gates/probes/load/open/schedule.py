"""When requests are due, and how many closed-loop users there are: pure functions of the phases."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from release_gates.probes.load.plan import Phase

_ROUNDING = 1e-9


def arrivals(phases: Sequence[Phase]) -> Iterator[float]:
    """Yield when each request is due, in seconds since the start, in order.

    Arrival number k is due when the area below the rates reaches k, so that a fraction at the end of one
    phase is carried into the next. The rate changes linearly within a phase.
    """
    start_s, area = 0.0, 0.0
    for phase in phases:
        rate, growth = phase.rate, _growth(phase)
        end = area + rate * phase.seconds + growth * phase.seconds**2 / 2
        for number in range(math.ceil(area - _ROUNDING), math.ceil(end - _ROUNDING)):
            yield start_s + _time_of(max(number - area, 0.0), rate, growth)
        start_s, area = start_s + phase.seconds, end


def due(phases: Sequence[Phase]) -> int:
    """Return how many `arrivals` there are, without counting them."""
    area = 0.0
    for phase in phases:
        area = area + phase.rate * phase.seconds + _growth(phase) * phase.seconds**2 / 2
    return math.ceil(area - _ROUNDING)


def closed(phase: Phase) -> bool:
    """Tell whether users send their next request when the last was answered: no rate is asked."""
    return not phase.rate and not phase.rate_end


def users_at(phases: Sequence[Phase], at_s: float) -> tuple[int, float]:
    """Return how many closed-loop users there are at a time, and until when that phase lasts; 0 if open."""
    start_s = 0.0
    for phase in phases:
        end_s = start_s + phase.seconds
        if at_s < end_s:
            if not closed(phase):
                return 0, end_s
            last = phase.users if phase.users_end is None else phase.users_end
            share = (at_s - start_s) / phase.seconds
            return round(phase.users + (last - phase.users) * share), end_s
        start_s = end_s
    return 0, math.inf


def most_users(phases: Sequence[Phase]) -> int:
    """Return the largest number of closed-loop users of all phases."""
    return max((max(phase.users, phase.users_end or 0) for phase in phases if closed(phase)), default=0)


def _growth(phase: Phase) -> float:
    return 0.0 if phase.rate_end is None else (phase.rate_end - phase.rate) / phase.seconds


def _time_of(area: float, rate: float, growth: float) -> float:
    """Solve ``rate * t + growth * t² / 2 = area`` in the form that does not divide by a growth of 0."""
    if not area:
        return 0.0
    return 2 * area / (rate + math.sqrt(max(rate * rate + 2 * growth * area, 0.0)))
