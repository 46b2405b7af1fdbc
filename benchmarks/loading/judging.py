"""How often the load gate's verdicts are right, on simulated runs: part of ``make accuracy-load``.

Every run is drawn from a target whose truth is known: requests that are slow one by one, a stall of 200 ms in
each period, the same at random moments, and rare stalls of 1 s. What is judged is what a generator tells:
counts in blocks of a quarter of a second.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from random import Random
from typing import NamedTuple

from benchmarks.table import Row, row
from release_gates.judge.clusters import Counts
from release_gates.judge.drift import trend_of
from release_gates.judge.early import ENOUGH, Stakes
from release_gates.judge.shares import Question, judge_counts
from release_gates.model.outcome import Outcome
from release_gates.model.series import Series

BLOCK_S = 0.25
RATE = 1000
MOST_S = 2400.0
LOOKS_S = 60.0


class Pattern(NamedTuple):
    """How requests become slow: one by one (``stall_s`` 0), or all of a stall, at random or in a period."""

    name: str
    stall_s: float = 0.0
    periodic: bool = False


ONE_BY_ONE = Pattern("one by one")
PATTERNS = (
    ONE_BY_ONE,
    Pattern("200 ms stalls in a period", 0.2, periodic=True),
    Pattern("200 ms stalls at random", 0.2),
    Pattern("1 s stalls at random", 1.0),
)
QUANTILES = {"p95": 0.05, "p99": 0.01, "p99.9": 0.001}
Noise = Callable[[int, float, Random], float]
"""From a value's number, the noise before it and chance to its noise, as a part of the value."""
FEW, ENOUGH_STALLS = 4, 60
"""Stalls that are expected in a run that lies on the limit: in a short one, and in one that decides."""


def rows(quick: bool) -> list[Row]:
    """Simulate runs of every pattern, on the limit and off it, whole and watched; then drifts."""
    runs, random = (100 if quick else 400), Random(6)
    return [
        *verdicts(runs, random),
        *unseen(runs, random),
        *early(runs, random),
        *drifts(20 if quick else 60, random),
    ]


def verdicts(runs: int, random: Random) -> Iterator[Row]:
    """Tell how often a run on the limit is judged wrongly, and one at half and twice of it rightly."""
    for pattern in PATTERNS:
        for stalls, what in ((FEW, "short"), (ENOUGH_STALLS, "long")):
            found = [
                judged(allowed, allowed, pattern, length_s(allowed, pattern, stalls), random)
                for allowed in QUANTILES.values()
                for _ in range(runs)
            ]
            name = f"on the limit, {pattern.name}, {what} run"
            yield share(f"{name}: wrong PASS", [each is Outcome.PASS for each in found], 7.0)
            yield share(f"{name}: wrong FAIL", [each is Outcome.FAIL for each in found], 7.0)
        for name, times, right, bar in (("half", 0.5, Outcome.PASS, 10.0), ("twice", 2, Outcome.FAIL, 5.0)):
            found = [
                judged(allowed, times * allowed, pattern, length_s(allowed, pattern, ENOUGH_STALLS), random)
                for allowed in (0.05, 0.01)
                for _ in range(runs // 2)
            ]
            wrong = [each is not right for each in found]
            yield share(f"{name} the limit, {pattern.name}: no {right}", wrong, bar)


def unseen(runs: int, random: Random) -> Iterator[Row]:
    """Tell what no judge can know: runs in which one stall is expected, longer than those reckoned with."""
    pattern = Pattern("1 s stalls at random", 1.0)
    found = [judged(0.01, 0.01, pattern, length_s(0.01, pattern, 1), random) for _ in range(runs)]
    passed = [each is Outcome.PASS for each in found]
    yield share("on the limit, one stall of 1 s expected, p99: wrong PASS", passed, None)


def early(runs: int, random: Random) -> Iterator[Row]:
    """Tell how often a run of a minute on the limit is ended, and when one of ten times the limit is."""
    for pattern in PATTERNS:
        for name, allowed in QUANTILES.items():
            ended = [ended_s(allowed, allowed, pattern, random) is not None for _ in range(runs)]
            # A run that begins within a stall of 1 s is ended: at p95 that alone is one in twenty.
            bar = None if pattern.stall_s >= 1 and allowed >= 0.05 else 5.0
            yield share(f"ended early on the limit, {pattern.name}, {name}", ended, bar)
    for name, allowed in QUANTILES.items():
        found = [ended_s(allowed, 10 * allowed, ONE_BY_ONE, random, rate=500) for _ in range(runs)]
        times = [LOOKS_S if each is None else each for each in found]
        yield row(f"ten times the limit at 500 req/s, {name}: ended after", times, "s", 0.75)


def drifts(runs: int, random: Random) -> Iterator[Row]:
    """Tell how often memory that does not drift seems to, and how often a drift of 5 % is not seen."""
    for name, noise in NOISES.items():
        for values in (240, 1200):
            still = [is_drift(values, 0.0, noise, random) for _ in range(runs)]
            yield share(f"{values} values, {name}: a drift where none is", still, 6.5)
            missed = [not is_drift(values, 0.075, noise, random) for _ in range(runs)]
            yield share(f"{values} values, {name}: a drift of 5 % not seen", missed, 9.0)


def length_s(allowed: float, pattern: Pattern, stalls: int) -> float:
    """Return how long a run is in which so many stalls are expected on the limit."""
    return min(max(stalls * (pattern.stall_s or 0.2) / allowed, 10.0), MOST_S)


def judged(allowed: float, true: float, pattern: Pattern, seconds: float, random: Random) -> Outcome:
    """Judge one simulated run."""
    over = tuple(broken(true, pattern, seconds, RATE, random))
    counts = Counts(BLOCK_S, (round(RATE * BLOCK_S),) * len(over), over)
    question = Question(name="x", shown="1 s", limit="<= 1 s", allowed=allowed, broke="took longer")
    return judge_counts(question, counts)[0]


def ended_s(
    allowed: float, true: float, pattern: Pattern, random: Random, *, rate: int = RATE
) -> float | None:
    """Return when a simulated run is ended; None if it is not."""
    stakes = Stakes(allowed, BLOCK_S)
    for number, over in enumerate(broken(true, pattern, LOOKS_S, rate, random), start=1):
        stakes.add(round(rate * BLOCK_S), over)
        if stakes.value >= ENOUGH:
            return number * BLOCK_S
    return None


def broken(share: float, pattern: Pattern, seconds: float, rate: int, random: Random) -> Iterator[int]:
    """Yield how many requests of each block break the limit."""
    blocks, most = round(seconds / BLOCK_S), round(rate * BLOCK_S)
    if not pattern.stall_s:
        yield from (drawn(most, share, random) for _ in range(blocks))
        return
    stalled_s = [0.0] * blocks
    for start, end in stalls(share, pattern, seconds, random):
        for block in range(int(start / BLOCK_S), min(math.ceil(end / BLOCK_S), blocks)):
            stalled_s[block] += min(end, (block + 1) * BLOCK_S) - max(start, block * BLOCK_S)
    yield from (min(round(each * rate), most) for each in stalled_s)


def stalls(share: float, pattern: Pattern, seconds: float, random: Random) -> Iterator[tuple[float, float]]:
    """Yield beginning and end of stalls that take up ``share`` of the time; the first may be under way."""
    gap_s = pattern.stall_s * (1 - share) / share
    if pattern.periodic:
        at_s = random.random() * (gap_s + pattern.stall_s) - pattern.stall_s
    elif random.random() < share:
        at_s = -random.random() * pattern.stall_s
    else:
        at_s = random.expovariate(1 / gap_s)
    while at_s < seconds:
        yield max(at_s, 0.0), at_s + pattern.stall_s
        at_s += pattern.stall_s + (gap_s if pattern.periodic else random.expovariate(1 / gap_s))


def drawn(most: int, share: float, random: Random) -> int:
    """Return a binomial number: exactly where it is small, by its normal limit where that is close."""
    mean = most * share
    if mean > 40 and most - mean > 40:
        return min(max(round(random.gauss(mean, math.sqrt(mean * (1 - share)))), 0), most)
    at, number = 0, -1
    while at <= most:
        number += 1
        at += 1 + int(math.log(1 - random.random()) / math.log1p(-share))
    return number


def is_drift(values: int, drift: float, noise: Noise, random: Random) -> bool:
    """Tell whether memory that warms up and gains ``drift`` in a run is said to drift by over 1 %."""
    found, last = [], 0.0
    for number in range(values):
        part = number / values
        last = noise(number, last, random)
        found.append(100 * (1 + 0.2 * (1 - math.exp(-15 * part)) + last + drift * part))
    trend = trend_of(Series(at_s=tuple(map(float, range(values))), values=tuple(found)))
    return trend is not None and trend.is_sure and trend.slope * trend.seconds > 0.01 * trend.middle


NOISES: dict[str, Noise] = {
    "noise": lambda _number, _last, random: random.gauss(0, 0.01),
    "noise that lasts": lambda _number, last, random: 0.8 * last + random.gauss(0, 0.006),
    "a collector's saw": lambda number, _last, random: 0.05 * (number % 37) / 37 + random.gauss(0, 0.002),
}


def share(what: str, cases: list[bool], bar: float | None) -> Row:
    """Return the row of a share in percent."""
    made = row(what, [100 * sum(cases) / len(cases)], "%", bar)
    made["samples"] = len(cases)
    return made
