"""How long a target takes to recover from a spike. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from release_gates.errors import MeasurementError
from release_gates.model.limit import LimitRule
from release_gates.model.measurement import Measurement
from release_gates.model.units import convert
from release_gates.probes.load.drive import Run
from release_gates.probes.load.limits import bounds_of, quantile_of, rules_for, threshold_of
from release_gates.probes.load.plan import BLOCK_S, Phase, Threshold

WINDOW_BLOCKS = round(1 / BLOCK_S)
"""A window of one second."""
SPIKE, RECOVER = "spike", "recover"


class Window(NamedTuple):
    """One second behind a spike, or what the phase has left: requests, and how many broke the limit."""

    requests: int
    over: int


def recovered_s(windows: Sequence[Window], allowed: float) -> float | None:
    """Return after how many seconds every further window kept the limit; None if the last did not.

    ``allowed`` is the share of requests that may break it. A window without a request keeps nothing.
    """
    bad = [number for number, window in enumerate(windows, start=1) if not _is_kept(window, allowed)]
    if not windows or (bad and bad[-1] == len(windows)):
        return None
    return float(bad[-1]) if bad else 0.0


def recoveries(run: Run, rules: Sequence[LimitRule]) -> tuple[Measurement, ...]:
    """Return for each endpoint that has a limit of latency how long it broke it behind the spike.

    A target that had not recovered when the phase ended has no upper end of its time.
    """
    return tuple(_recoveries(run, rules)) if {SPIKE, RECOVER} <= set(run.judged) else ()


def check_recover(phases: Sequence[Phase], rules: Sequence[LimitRule]) -> None:
    """Refuse by ``MeasurementError`` a phase that ends before a limit on the time of recovery is over."""
    seconds = sum(phase.seconds for phase in phases if phase.tag == RECOVER)
    for rule in rules:
        for bound in bounds_of(rule) if rule.name.endswith(".recovery_time") else ():
            if 0 < seconds < convert(bound.value, bound.unit, "s"):
                raise MeasurementError(
                    f"phase {RECOVER} takes {seconds:g} s, and {rule.name} may take {bound.value:g} "
                    f"{bound.unit}: a target that is still slow then could be in time.",
                    slug="load-recover-short",
                    hint="Make the phase longer than the limit.",
                )


def _recoveries(run: Run, rules: Sequence[LimitRule]) -> Iterator[Measurement]:
    blocks = run.blocks(RECOVER)
    for endpoint in run.recording.endpoints:
        worst: float | None = 0.0
        limits = tuple(_limits(rules, endpoint))
        for allowed, threshold in limits:
            found = recovered_s(_windows(run, endpoint, blocks, threshold), allowed)
            worst = None if worst is None or found is None else max(worst, found)
        if limits:
            yield Measurement(
                name=f"{endpoint}.recovery_time",
                value=len(blocks) * BLOCK_S if worst is None else worst,
                unit="s",
                samples=len(blocks) // WINDOW_BLOCKS,
                interval=(len(blocks) * BLOCK_S, None) if worst is None else (worst, worst),
            )


def _limits(rules: Sequence[LimitRule], endpoint: str) -> Iterator[tuple[float, Threshold]]:
    """Yield the share that may break each latency limit of an endpoint behind a spike, and that limit."""
    for rule in rules:
        percent = quantile_of(rule.name)
        if percent is None or rule.limit is None:
            continue
        names = (f"{endpoint}.p{percent}", f"{endpoint}.p{percent}@{RECOVER}")
        if any(rule in rules_for((rule,), name) for name in names):
            yield from ((1 - float(percent) / 100, threshold_of(bound)) for bound in bounds_of(rule))


def _windows(run: Run, endpoint: str, blocks: Sequence[int], threshold: Threshold) -> list[Window]:
    at = run.plan.thresholds.index(threshold)
    found = []
    for first in range(0, len(blocks), WINDOW_BLOCKS):
        tally = run.recording.tally(endpoint, blocks[first : first + WINDOW_BLOCKS])
        found.append(Window(tally.requests, tally.over[at] if tally.over else 0))
    return found


def _is_kept(window: Window, allowed: float) -> bool:
    return window.requests > 0 and window.over <= allowed * window.requests
