"""Has a value changed against the live build, which was loaded in turn with the candidate?

Each pair of turns gives one ln(candidate / baseline). It is PASS when it is sure that the mean is within
the bound and FAIL when it is sure that it is not: two one-sided tests (Schuirmann 1987) by Student's
distribution.
"""

from __future__ import annotations

import math
from fractions import Fraction
from statistics import fmean, stdev

from release_gates.judge.bounds import holds
from release_gates.judge.pairs import percent
from release_gates.judge.sequential import MOST_RATIO, Spread
from release_gates.model.limit import Bound, Limit
from release_gates.model.outcome import Outcome
from release_gates.model.windows import Windows

WRONG = 0.05
"""The chance of a wrong PASS, and of a wrong FAIL, for a change that lies on the bound."""
FEWEST = 4
"""Pairs of turns without which nothing is said of their spread."""


def flaw_of_windows(windows: Windows) -> str:
    """Return why these ratios cannot have been measured; "" for sound ones."""
    if not (math.isfinite(windows.length_s) and windows.length_s > 0):
        return f"turns of {windows.length_s} s are none"
    wrong = next((ratio for ratio in windows.ratios if not abs(ratio) < MOST_RATIO), None)
    return "" if wrong is None else f"{wrong} is no logarithm of a ratio"


def judge_turns(name: str, windows: Windows, limit: Limit) -> tuple[Outcome, str]:
    """Judge a change by a baseline rule in ``%``: ``>= -10 %``, ``<= 5 %``, ``± 5 %``."""
    if any(bound.unit != "%" for bound in limit.bounds):
        return Outcome.ERROR, f"{name}: turns are compared in %, not by '{limit.text}'"
    if len(windows.ratios) < FEWEST:
        pairs = "pair of turns was" if len(windows.ratios) == 1 else "pairs of turns were"
        return Outcome.INCONCLUSIVE, f"{name}: {len(windows.ratios)} {pairs} measured; {FEWEST} are needed"
    spread = spread_of_turns(windows)
    findings = [_judge_bound(name, spread, bound, limit, len(windows.ratios)) for bound in limit.bounds]
    return max(findings, key=lambda finding: finding[0].rank)


def measured(windows: Windows) -> str:
    """Return what was found in a few words, for a table."""
    if flaw_of_windows(windows) or len(windows.ratios) < FEWEST:
        return f"{len(windows.ratios)} pairs of turns"
    spread = spread_of_turns(windows)
    return f"{percent(spread.mean)} ({percent(spread.low(WRONG))} to {percent(spread.high(WRONG))})"


def spread_of_turns(windows: Windows) -> Spread:
    """Return the mean of at least two ratios, and how sure it is."""
    deviation, number = stdev(windows.ratios), len(windows.ratios)
    error = deviation / math.sqrt(number)
    return Spread(mean=fmean(windows.ratios), error=error, freedom=number - 1, deviation=deviation)


def _judge_bound(name: str, spread: Spread, bound: Bound, limit: Limit, pairs: int) -> tuple[Outcome, str]:
    low, high = (_change(edge(WRONG)) for edge in (spread.low, spread.high))
    if _keeps(low, bound) and _keeps(high, bound) and (bound.operator != "==" or low == high):
        return Outcome.PASS, ""
    seen = (
        f"{name} changed by {percent(spread.mean)} against the baseline, between "
        f"{percent(spread.low(WRONG))} and {percent(spread.high(WRONG))} (each end {1 - WRONG:.0%} sure; "
        f"{pairs} pairs of turns)"
    )
    outside = not _keeps(low, bound) and not _keeps(high, bound)
    if outside and not (bound.operator == "==" and low < bound.value < high):
        return Outcome.FAIL, f"{seen}; allowed is {limit.text}"
    return Outcome.INCONCLUSIVE, f"{seen}, which does not decide {limit.text}. {_more(spread, bound)}"


def _more(spread: Spread, bound: Bound) -> str:
    if bound.value <= -100:
        return "No number of turns decides"
    gap = abs(math.log1p(bound.value / 100) - spread.mean)
    if gap < 1e-9:
        return "It lies exactly on the limit: no number of turns decides"
    needed = math.ceil((2 * 1.645 * spread.deviation / gap) ** 2)
    return f"About {max(needed, spread.freedom + 2)} pairs, or longer turns, would decide"


def _change(log_ratio: float) -> float:
    return math.expm1(log_ratio) * 100


def _keeps(change: float, bound: Bound) -> bool:
    return holds(Fraction(repr(change)), bound)
