"""How much a target can take: step the rate up until a limit breaks, then halve what is open. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from release_gates.probes.load.settings import Steps

MOST_STEPS = 40

Kept = Literal["kept", "broken", "open", "unfit"]


class Step(NamedTuple):
    """One rate in requests per second that was tried, and what became of it.

    ``kept`` is every limit PASS, ``broken`` at least one FAIL, ``open`` neither; ``unfit`` is a generator
    that could not keep up with that rate.
    """

    rate: float
    kept: Kept


class Bracket(NamedTuple):
    """Where the knee is: above the highest rate that was kept, below the lowest that was not, if one was."""

    low: float | None
    high: float | None


def next_rate(steps: Steps, tried: Sequence[Step]) -> float | None:
    """Return the next rate to try; None when the knee is known as well as it can be."""
    if not tried:
        return steps.lowest
    if len(tried) >= MOST_STEPS:
        return None
    low = _low(tried)
    above = [step.rate for step in tried if step.kept != "kept" and (low is None or step.rate > low)]
    if low is None:
        return None  # even the lowest was not kept
    if not above:
        return min(low * steps.factor, steps.highest) if low < steps.highest else None
    if min(above) - low <= steps.precision * low:
        return None
    return (low + min(above)) / 2


def bracket(tried: Sequence[Step]) -> Bracket:
    """Return what is proven: ``open`` and ``unfit`` rates bound nothing."""
    low = _low(tried)
    broken = [step.rate for step in tried if step.kept == "broken"]
    return Bracket(low, min(broken) if broken else None)


def _low(tried: Sequence[Step]) -> float | None:
    """Return the highest rate that was kept below every one that was broken."""
    broken = min((step.rate for step in tried if step.kept == "broken"), default=float("inf"))
    return max((step.rate for step in tried if step.kept == "kept" and step.rate < broken), default=None)
