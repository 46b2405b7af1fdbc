"""What one step of a stress run was, and where the knee is. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from release_gates.judge.bounds import holds
from release_gates.judge.limits import judge_rule
from release_gates.model.limit import LimitRule
from release_gates.model.measurement import Measurement
from release_gates.model.outcome import Outcome
from release_gates.model.units import exact
from release_gates.probes.load.drive import Run
from release_gates.probes.load.knee import Kept, Step, bracket
from release_gates.probes.load.limits import rules_for
from release_gates.probes.load.measuring import measurements
from release_gates.probes.load.plan import Phase

STEP = "step"
_SETTLE_S = 1.0


def step_phases(rate: float, seconds: float) -> tuple[Phase, ...]:
    """Return the phases of one step: a second to get there, then the step."""
    return (Phase(tag="warmup", seconds=_SETTLE_S, rate=rate), Phase(tag=STEP, seconds=seconds, rate=rate))


def kept(run: Run, rules: Sequence[LimitRule]) -> Kept:
    """Tell whether a step kept the limits of latency and errors that policy has for its endpoints.

    A step is too short to prove a limit: it is kept where none is known to be broken and every value that
    was seen is within it. A value that could not be had, or of a step that was ended early, is not within.
    """
    if run.unfit:
        return "unfit"
    judged = [
        (measurement, LimitRule(name=rule.name, limit=rule.limit))
        for measurement in measurements(run, rules)
        for rule in rules_for(rules, measurement.name)
        if rule.limit is not None and (measurement.tail or measurement.share or measurement.absent)
    ]
    if any(judge_rule(rule, found, live=None).outcome is Outcome.FAIL for found, rule in judged):
        return "broken"
    return (
        "kept"
        if judged and not run.stopped and all(_is_within(found, rule) for found, rule in judged)
        else "open"
    )


def _is_within(found: Measurement, rule: LimitRule) -> bool:
    """Tell whether the value that was seen keeps a limit."""
    value, bounds = found.value, rule.limit.bounds if rule.limit else ()
    return value is not None and all(holds(exact(value, found.unit, bound.unit), bound) for bound in bounds)


def knee(name: str, tried: Sequence[Step]) -> Measurement:
    """Return the rate up to which every limit was kept, as the interval that is proven."""
    low, high = bracket(tried)
    if low is None and high is None:
        steps = ", ".join(f"{step.rate:g} req/s {step.kept}" for step in tried)
        return Measurement(name=name, absent="inconclusive", because=f"no step was decided: {steps}")
    return Measurement(
        name=name,
        value=low or 0.0,
        unit="req/s",
        samples=len(tried),
        interval=(low or 0.0, high),
    )
