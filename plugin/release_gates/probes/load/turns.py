"""Candidate and live build in turn: whose is next, and what the turns say of both. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean

from release_gates.model.measurement import Measurement
from release_gates.model.windows import Windows
from release_gates.probes.load.drive import Run
from release_gates.probes.load.measuring import seconds_at
from release_gates.probes.load.plan import Phase
from release_gates.probes.load.settings import Turns
from release_gates.probes.load.usage import cpu_per_request_s

QUANTILES = ("50", "95")
"""Compared quantiles, in percent; further out chance alone moves them by half from turn to turn."""
STEADY = "steady"
MOST_FAILED = 0.01
"""With more failed requests, turns say nothing of what requests take: those that fail take another time."""

Figure = tuple[str, float]
"""A value's unit and number."""
Turn = tuple[str, Run]
"""Whose turn it was ("candidate", "baseline"), and what came of it."""


def turn_phases(turns: Turns, connections: int) -> tuple[Phase, ...]:
    """Return the phases of one turn."""
    users = 0 if turns.rate else connections
    return (
        Phase(tag="warmup", seconds=0.5, rate=turns.rate, users=users),
        Phase(tag=STEADY, seconds=turns.seconds, rate=turns.rate, users=users),
    )


def order_of(pairs: int, sides: Sequence[str]) -> Iterator[str]:
    """Yield whose turn it is: each pair has every side once, and every other pair begins with the other."""
    for pair in range(pairs):
        yield from sides if pair % 2 == 0 else reversed(sides)


def compared(turns: Sequence[Turn], seconds: float) -> tuple[Measurement, ...]:
    """Return the candidate's mean of each value over its turns, beside the live build's.

    A turn whose generator was not fit makes all of them inconclusive, and a value that a turn does not have
    makes that one missing: leaving turns out would choose among them. So does a turn with many failures.
    """
    figures = [(side, dict(_figures(run))) for side, run in turns]
    names = sorted({name for _, found in figures for name in found})
    unfit = next((run.unfit for _, run in turns if run.unfit), "")
    if because := unfit or next(filter(None, (_failing(*turn) for turn in turns)), ""):
        return tuple(Measurement(name=name, absent="inconclusive", because=because) for name in names)
    return tuple(_measurement(name, figures, seconds) for name in names)


def _failing(side: str, run: Run) -> str:
    """Return why a turn's requests are not those that are compared; "" where nearly all had good answers."""
    blocks = run.blocks(STEADY)
    every = [run.recording.tally(endpoint, blocks) for endpoint in run.recording.endpoints]
    failed, requests = sum(each.failures.total() for each in every), sum(each.requests for each in every)
    if failed <= MOST_FAILED * requests:
        return ""
    return f"the {side} failed {failed} of the {requests} requests of a turn, so nothing like is compared"


def _figures(run: Run) -> Iterator[tuple[str, Figure]]:
    blocks = run.blocks(STEADY)
    seconds = sum(phase.seconds for phase in run.plan.phases if phase.tag == STEADY)
    requests = 0
    for endpoint in run.recording.endpoints:
        total = run.recording.tally(endpoint, blocks)
        requests += total.requests
        yield f"{endpoint}.throughput", ("req/s", total.answered / seconds)
        for percent in QUANTILES if total.requests else ():
            value_s = seconds_at(total, float(percent) / 100, run.plan.timeout_s)
            yield f"{endpoint}.p{percent}", ("ms", value_s * 1000)
    cpu_s = cpu_per_request_s(run, STEADY, requests / seconds)
    if cpu_s is not None:
        yield "target.cpu_time", ("us/req", cpu_s * 1e6)


def _measurement(
    name: str, figures: Sequence[tuple[str, Mapping[str, Figure]]], seconds: float
) -> Measurement:
    if any(name not in found for _, found in figures):
        return Measurement(name=name, absent="missing", because="not every turn has this value")
    unit = next(found[name][0] for _, found in figures)
    now = [found[name][1] for side, found in figures if side == "candidate"]
    before = [found[name][1] for side, found in figures if side == "baseline"]
    if not before:
        return Measurement(name=name, value=fmean(now), unit=unit, samples=len(now))
    if min(*now, *before) <= 0:
        return Measurement(name=name, absent="error", because="a turn has the value 0, which has no ratio")
    ratios = tuple(math.log(mine / theirs) for mine, theirs in zip(now, before, strict=True))
    return Measurement(
        name=name,
        value=fmean(now),
        unit=unit,
        samples=len(now),
        baseline=fmean(before),
        windows=Windows(length_s=seconds, ratios=ratios),
    )
