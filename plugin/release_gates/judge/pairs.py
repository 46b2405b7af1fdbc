"""What a paired benchmark means for one bound of a baseline rule, in an outcome and a sentence."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean, median

import msgspec

from release_gates.judge.sequential import (
    Finding,
    Spread,
    Step,
    alpha,
    find,
    next_step,
    pass_tail,
    processes_needed,
    spread_of,
    unfit,
)
from release_gates.model.limit import Bound, Limit
from release_gates.model.outcome import Outcome
from release_gates.model.paired import Paired, ProcessPair

SAME_INSTRUCTIONS = 0.001
"""Counts that differ by less are equal: identical code was seen to differ by 0.012 %, a layout by 0.023 %."""


def judge_pair(name: str, paired: Paired, limit: Limit) -> tuple[Outcome, str]:
    """Judge one benchmark by a baseline rule; PASS comes without a sentence.

    Every bound is in ``%`` of the baseline's time. ``<= 2 %``: at most so much slower.
    """
    findings = [_judge_bound(name, paired, bound, limit) for bound in limit.bounds]
    return max(findings, key=lambda finding: finding[0].rank)


def next_round(paired: Paired, limits: Sequence[Limit]) -> Step | None:
    """Return what has to be measured before every one of the baseline rules is decided; None if all are.

    Without a rule there is one look, for the reader.
    """
    steps = [step for limit in limits for bound in limit.bounds if (step := _step(paired, bound)) is not None]
    first = paired.plan.looks[0]
    if not limits and len(paired.processes) < first:
        return Step(first, 0)
    if not steps:
        return None
    return Step(max(step.processes for step in steps), max(step.confirmation for step in steps))


def directions(limits: Sequence[Limit]) -> int:
    """Return how many ways baseline rules have to be broken by chance: getting slower, getting faster."""
    return len({_limits_faster(bound) for limit in limits for bound in limit.bounds})


def is_equivalent(paired: Paired, limits: Sequence[Limit]) -> bool:
    """Tell whether every one of the baseline rules is kept."""
    return all(judge_pair("", paired, limit)[0] is Outcome.PASS for limit in limits)


def _step(paired: Paired, bound: Bound) -> Step | None:
    try:
        faster, change = allowed_change(bound)
    except ValueError:
        return None
    return next_step(mirrored(paired) if faster else paired, change)


def whole_spread(paired: Paired) -> Spread | None:
    """Return the estimate of all processes, as it is shown; None where they say nothing."""
    if unfit(paired) or len(paired.processes) < paired.plan.looks[0]:
        return None
    return spread_of(_every(paired))


def measured(paired: Paired) -> str:
    """Return what was found in a few words, for a table."""
    spread = whole_spread(paired)
    if spread is None:
        return f"{len(_every(paired))} processes"
    most = percent(spread.high(pass_tail(paired.plan)))
    whole = "" if paired.plan.slices else " (whole runs)"
    return f"{percent(spread.mean)}, at most {most}{whole}"


def allowed_change(bound: Bound) -> tuple[bool, float]:
    """Return whether a bound limits getting faster, and the limit as a logarithm of the ratio.

    Raises ValueError for a bound that a ratio of times cannot have.
    """
    faster = _limits_faster(bound)
    if bound.unit != "%" or bound.operator == "==" or bound.value <= -100:
        raise ValueError(
            f"a change of time is bounded in %, not by '{bound.operator} {bound.value:g} {bound.unit}'"
        )
    change = math.log1p(bound.value / 100)
    return faster, -change if faster else change


def _limits_faster(bound: Bound) -> bool:
    return bound.operator in (">", ">=")


def mirrored(paired: Paired) -> Paired:
    """Return the same processes with the two sides exchanged in their ratios."""
    return msgspec.structs.replace(
        paired,
        processes=tuple(map(_negated, paired.processes)),
        confirmation=tuple(map(_negated, paired.confirmation)),
    )


def percent(log_ratio: float) -> str:
    """Return a logarithm of a ratio as a signed change in percent."""
    change = math.expm1(log_ratio) * 100
    return f"{change:+.1f} %" if abs(change) >= 0.95 else f"{change:+.2f} %"


def _negated(process: ProcessPair) -> ProcessPair:
    return msgspec.structs.replace(process, ratio=-process.ratio)


def _judge_bound(name: str, paired: Paired, bound: Bound, limit: Limit) -> tuple[Outcome, str]:
    try:
        faster, change = allowed_change(bound)
    except ValueError as error:
        return Outcome.ERROR, f"{name}: {error}"
    shown = mirrored(paired) if faster else paired
    finding = find(shown, change)
    match finding.kind:
        case "equivalent":
            return Outcome.PASS, ""
        case "slower":
            return (
                Outcome.FAIL,
                f"{_slower(name, shown, finding, faster)}; allowed is {limit.text}. {_why(paired)}",
            )
        case "unfit":
            return Outcome.ERROR, f"{name}: {finding.because}"
        case "undecided" | "unconfirmed":
            return _open(name, paired, finding, change, limit, faster=faster)


def _slower(name: str, paired: Paired, finding: Finding, faster: bool) -> str:
    spread, again = _spread(finding), finding.confirmed
    sure = f"{(1 - alpha(paired.plan)) * 100:.4g} % sure"
    word = "faster" if faster else "slower"
    fresh = f", {paired.plan.confirm} fresh ones say {_plain(again.mean)}" if again else ""
    return (
        f"{name} is {_plain(spread.mean)} {word} than the baseline, at least "
        f"{_plain(spread.low(alpha(paired.plan)))} ({sure}; {finding.processes} processes{fresh}; "
        f"noise {_plain(spread.deviation)})"
    )


def _why(paired: Paired) -> str:
    if paired.instructions is None:
        return "Instructions were not counted, so LAYOUT or MEMORY cannot be told from more work."
    change = _instructions(paired)
    if abs(change) < SAME_INSTRUCTIONS:
        return f"Instructions are equal ({change * 100:+.3f} %): LAYOUT or MEMORY suspected, not more work."
    return f"Instructions: {change * 100:+.2g} %."


def _instructions(paired: Paired) -> float:
    before, now = paired.instructions or (math.nan, math.nan)
    return now / before - 1 if before > 0 else math.nan


def _open(
    name: str, paired: Paired, finding: Finding, change: float, limit: Limit, *, faster: bool
) -> tuple[Outcome, str]:
    """Say what is open and what would decide it; equal instructions may stand in where policy allows that.

    Whatever the bound limits, a positive change is more time.
    """
    spread, plan = _facing(_spread(finding), faster=faster), paired.plan
    low, high = (percent(edge(pass_tail(plan))) for edge in (spread.low, spread.high))
    sentence = (
        f"{name} is between {low} and {high} against the baseline after {finding.processes} processes"
        f"{_not_repeated(finding, faster=faster)}; allowed is {limit.text}. {_noise(paired)}. "
        f"{_more(paired, change, faster=faster)}"
    )
    same = abs(_instructions(paired)) < SAME_INSTRUCTIONS
    below = _spread(finding).mean <= change
    if plan.when_noisy == "instructions" and same and finding.kind == "undecided" and below:
        return Outcome.WARN, f"{sentence} Instructions are equal, and policy takes that for an answer."
    return Outcome.INCONCLUSIVE, sentence


def _facing(spread: Spread, *, faster: bool) -> Spread:
    """Return a spread as a bound looks at it, or back: one that limits getting faster sees it mirrored."""
    return replace(spread, mean=-spread.mean) if faster else spread


def _every(paired: Paired) -> tuple[ProcessPair, ...]:
    return (*paired.processes, *paired.confirmation)


def _not_repeated(finding: Finding, *, faster: bool) -> str:
    if finding.kind != "unconfirmed":
        return ""
    if finding.confirmed is None:
        return ", not confirmed"
    return f", which fresh ones did not repeat ({percent(_facing(finding.confirmed, faster=faster).mean)})"


def _noise(paired: Paired) -> str:
    """Name the noise: how large, which process stands out, and what the host did meanwhile."""
    every = _every(paired)
    middle = median(process.ratio for process in every)
    number, worst = max(enumerate(every, 1), key=lambda pair: abs(pair[1].ratio - middle))
    lost = worst.dropped / (worst.kept + worst.dropped)
    return (
        f"Noise between processes is {_plain(spread_of(every).deviation)}; process {number} is furthest off "
        f"({percent(worst.ratio)}, {lost:.0%} of its slices preempted). Of the processors, other processes "
        f"took {_share([p.others for p in every])}, the hypervisor {_share([p.steal for p in every])}"
    )


def _more(paired: Paired, change: float, *, faster: bool) -> str:
    needed = processes_needed(_facing(spread_of(_every(paired)), faster=faster), change, paired.plan)
    weak = "" if paired.plan.slices else " Whole runs were compared; slices of shared objects find far more."
    if needed is None:
        return f"The estimate is not below the limit: more processes would not make it a pass.{weak}"
    return f"About {needed} processes (looks), or a quieter host (--gate-wait-quiet), would decide.{weak}"


def _share(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    return f"{fmean(known):.0%}" if known else "an unknown part"


def _plain(log_ratio: float) -> str:
    return percent(log_ratio).removeprefix("+")


def _spread(finding: Finding) -> Spread:
    if finding.spread is None:
        raise AssertionError(f"a finding without an estimate is unfit, not {finding.kind}")
    return finding.spread
