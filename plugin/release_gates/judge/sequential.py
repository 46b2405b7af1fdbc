"""Is the candidate slower than the baseline? Decided process by process, at looks that were fixed before.

The unit is the process: slices of one process share its memory layout, and taking them for independent
samples cries wolf. Each process gives one ln(candidate time / baseline time). Processes come in two strata,
by the side that was loaded first, because the first one gets the better memory; the estimate is the mean of
both strata's means and its error is Student's, with n - 2 degrees of freedom.

* *slower*: the estimate is above the limit, and that it is above zero is sure to ``alpha``. It is FAIL only
  when fresh processes repeat it.
* *equivalent*: that it is below the limit is sure (a test of non-inferiority, half of TOST).
* otherwise there are more processes, up to the last look; then it is INCONCLUSIVE.

``alpha`` is such that any false alarm in a whole suite of identical builds stays below ``plan.false_alarm``:
a suite of m benchmarks has m times ``looks`` chances, and each alarm has to come twice (Bonferroni).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

from release_gates.judge.student import quantile, upper_tail
from release_gates.model.paired import Paired, PairPlan, ProcessPair

Kind = Literal["slower", "equivalent", "undecided", "unconfirmed", "unfit"]

MOST_ALPHA = 0.01
MOST_RATIO = math.log(1e6)
"""A benchmark that became a million times slower or faster was not measured."""
SMALLEST_ERROR = 1e-12
"""Processes that agree better than this did not measure: it is less than the rounding of a time in float."""
FEWEST_A_SIDE = 2
"""Processes of each stratum without which nothing can be said of their spread."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """The estimate of some processes: mean and standard error of the log ratio, and freedom of the latter."""

    mean: float
    error: float
    freedom: int
    deviation: float
    """Standard deviation between processes."""

    def low(self, tail: float) -> float:
        """Return the lower bound that the truth is below with a chance of ``tail``."""
        return self.mean - quantile(tail, self.freedom) * self.error

    def high(self, tail: float) -> float:
        """Return the upper bound that the truth is above with a chance of ``tail``."""
        return self.mean + quantile(tail, self.freedom) * self.error


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What the processes say. ``spread`` is None where they say nothing (``unfit``, with the reason)."""

    kind: Kind
    processes: int
    spread: Spread | None
    confirmed: Spread | None = None
    because: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """What a runner does next: so many processes in all, of the first series or of the confirmation."""

    processes: int
    confirmation: int


def find(paired: Paired, limit: float) -> Finding:
    """Judge what was measured against the largest allowed slowdown, ``limit`` as ln(1 + allowed).

    Pure, and the same whenever it is asked: data behind the look that decided is not looked at.
    """
    plan = paired.plan
    if because := unfit(paired):
        return Finding(kind="unfit", processes=len(paired.processes), spread=None, because=because)
    finding = None
    for look in plan.looks:
        if look > len(paired.processes):
            break
        spread = spread_of(paired.processes[:look])
        finding = _at_look(spread, look, plan, limit)
        if finding.kind == "slower":
            return _confirmed(finding, paired, limit)
        if finding.kind == "equivalent":
            return finding
    return finding or _too_few(paired)


def next_step(paired: Paired, limit: float) -> Step | None:
    """Return what has to be measured before ``find`` is final; None when it is."""
    looks = paired.plan.looks
    done, confirmed = len(paired.processes), len(paired.confirmation)
    if done < looks[0]:
        return Step(looks[0], 0)
    finding = find(paired, limit)
    if finding.kind in {"unfit", "equivalent"}:
        return None
    if _first_slower(paired, limit):
        return Step(done, paired.plan.confirm) if confirmed < paired.plan.confirm else None
    later = [look for look in looks if look > done]
    return Step(later[0], 0) if later else None


def spread_of(processes: Sequence[ProcessPair]) -> Spread:
    """Return mean, error and freedom over the two strata, each of at least ``FEWEST_A_SIDE`` processes."""
    strata = [[p.ratio for p in processes if p.first == side] for side in ("baseline", "candidate")]
    means = [fmean(stratum) for stratum in strata]
    freedom = len(processes) - len(strata)
    squares = sum((x - mean) ** 2 for s, mean in zip(strata, means, strict=True) for x in s)
    variance = squares / freedom
    error = math.sqrt(variance / 4 * sum(1 / len(stratum) for stratum in strata))
    return Spread(mean=fmean(means), error=error, freedom=freedom, deviation=math.sqrt(variance))


def alpha(plan: PairPlan) -> float:
    """Return the chance of a false finding that one look, and one confirmation, may have."""
    return min(MOST_ALPHA, math.sqrt(plan.false_alarm / (plan.benchmarks * len(plan.looks))))


def pass_tail(plan: PairPlan) -> float:
    """Return the chance of a wrong *equivalent* that one look may have; a confirmation counts as one more."""
    return plan.wrong_pass / (len(plan.looks) + 1)


def processes_needed(spread: Spread, limit: float, plan: PairPlan) -> int | None:
    """Return about how many processes would pass if the estimate is the truth; None if none would."""
    room = limit - spread.mean
    if room <= 0:
        return None
    wide = quantile(pass_tail(plan), max(spread.freedom, 30)) + 1
    needed = math.ceil((wide * spread.deviation / room) ** 2)
    return max(needed + needed % 2, plan.looks[0])


def _at_look(spread: Spread, look: int, plan: PairPlan, limit: float) -> Finding:
    kind: Kind = "undecided"
    if _is_slower(spread, plan, limit):
        kind = "slower"
    elif _is_equivalent(spread, plan, limit):
        kind = "equivalent"
    return Finding(kind=kind, processes=look, spread=spread)


def _is_slower(spread: Spread, plan: PairPlan, limit: float) -> bool:
    return spread.mean > limit and upper_tail(spread.mean / spread.error, spread.freedom) < alpha(plan)


def _is_equivalent(spread: Spread, plan: PairPlan, limit: float) -> bool:
    return upper_tail((limit - spread.mean) / spread.error, spread.freedom) < pass_tail(plan)


def _first_slower(paired: Paired, limit: float) -> bool:
    looks = (look for look in paired.plan.looks if look <= len(paired.processes))
    return any(_is_slower(spread_of(paired.processes[:look]), paired.plan, limit) for look in looks)


def _confirmed(first: Finding, paired: Paired, limit: float) -> Finding:
    """Return what fresh processes make of a first finding: slower again, equivalent in all, or neither."""
    plan = paired.plan
    if len(paired.confirmation) < plan.confirm:
        return Finding(kind="unconfirmed", processes=first.processes, spread=first.spread)
    fresh = paired.confirmation[: plan.confirm]
    again = spread_of(fresh)
    kind: Kind = "unconfirmed"
    if _is_slower(again, plan, limit):
        kind = "slower"
    elif _is_equivalent(spread_of((*paired.processes[: first.processes], *fresh)), plan, limit):
        kind = "equivalent"
    return Finding(kind=kind, processes=first.processes, spread=first.spread, confirmed=again)


def _too_few(paired: Paired) -> Finding:
    count = len(paired.processes)
    because = f"{count} of {paired.plan.looks[0]} processes measured; nothing is judged before the first look"
    return Finding(kind="unfit", processes=count, spread=None, because=because)


def unfit(paired: Paired) -> str:
    """Return why these processes say nothing, or an empty text."""
    plan = paired.plan
    if not is_plan(plan):
        return f"the plan is none: looks {plan.looks}, confirm {plan.confirm}, {plan.benchmarks} benchmarks"
    every = (*paired.processes, *paired.confirmation)
    if any(not abs(p.ratio) < MOST_RATIO or p.kept < 1 for p in every):
        return "a process kept no pair of slices, or its ratio is none"
    series = (paired.processes, plan.looks[0]), (paired.confirmation, plan.confirm)
    return next((because for each, whole in series if (because := _unfit_series(each[:whole], whole))), "")


def _unfit_series(series: Sequence[ProcessPair], whole: int) -> str:
    if len(series) < whole:
        return ""
    firsts = [process.first for process in series]
    if min(firsts.count("baseline"), firsts.count("candidate")) < FEWEST_A_SIDE:
        return "nearly all processes loaded the same side first, and that alone moves the result"
    if spread_of(series).error < SMALLEST_ERROR:
        return f"{len(series)} processes gave exactly the same ratio: the clock, or the benchmark, is broken"
    return ""


def is_plan(plan: PairPlan) -> bool:
    """Tell whether a plan can decide anything: rising looks, enough processes, chances that are some."""
    rising = all(a < b for a, b in zip(plan.looks, plan.looks[1:], strict=False))
    counts = bool(plan.looks) and rising and plan.looks[0] >= 2 * FEWEST_A_SIDE
    chances = 0 < plan.false_alarm < 1 and 0 < plan.wrong_pass < 1
    return counts and plan.confirm >= 2 * FEWEST_A_SIDE and chances and plan.benchmarks >= 1
