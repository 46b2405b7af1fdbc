"""From what a run recorded to measurements. Pure: what is good enough says policy, and judges `judge`."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from release_gates.model.limit import Bound, LimitRule
from release_gates.model.measurement import Measurement
from release_gates.model.share import Share
from release_gates.model.tail import Blocks, Tail, bound_key
from release_gates.probes.load.buckets import bucket_of, quantile
from release_gates.probes.load.drive import Run
from release_gates.probes.load.health import too_late
from release_gates.probes.load.limits import bounds_of, quantiles_of, rules_for, threshold_of
from release_gates.probes.load.plan import BLOCK_S, Plan
from release_gates.probes.load.recording import Tally
from release_gates.probes.load.scopes import Scope, scopes

MOST_BLOCKS = 2400
"""Evidence holds no more blocks of a measurement: those of ten minutes, or longer ones."""

SHARES: dict[str, Callable[[Tally], int]] = {
    "error_rate": lambda tally: tally.failures.total(),
    "reconnect_rate": lambda tally: tally.reconnects,
}
"""What is measured of all requests, and how many of them it counts."""


def measurements(run: Run, rules: Sequence[LimitRule]) -> tuple[Measurement, ...]:
    """Return what a run shows of each endpoint: by phase, and without a phase over all that is judged."""
    return tuple(
        measurement
        for endpoint in run.recording.endpoints
        for scope in scopes(run.plan.phases)
        for measurement in _endpoint(run, rules, endpoint, scope)
    )


def standing(run: Run, found: Iterable[Measurement]) -> Iterator[Measurement]:
    """Yield what decides: nothing of a run whose generator was not fit.

    Of one that was ended early only counts decide, because only they are judged in a way that may stop at
    any time.
    """
    ended = f"the run was ended early, for {run.stopped}" if run.stopped else ""
    for each in found:
        because = run.unfit or ("" if each.tail or each.share else ended)
        if because:
            yield Measurement(name=each.name, absent="inconclusive", because=because)
        else:
            yield each


def _endpoint(run: Run, rules: Sequence[LimitRule], endpoint: str, scope: Scope) -> Iterator[Measurement]:
    suffix, blocks = scope.suffix, run.seen(scope.blocks)
    samples = _samples(run, endpoint, blocks)
    if samples.total.requests == 0:
        yield from _absent(f"{endpoint}.{{}}{suffix}", rules)
        return
    condition = run.recording.condition(blocks)
    for percent in quantiles_of(rules):
        name = f"{endpoint}.p{percent}{suffix}"
        bounds = [bound for rule in rules_for(rules, name) for bound in bounds_of(rule)]
        edges_s = [threshold_of(bound).edge_s for bound in bounds]
        known = _known(run, endpoint, samples, run.seen(scope.blocks, min(edges_s, default=0.0)))
        if because := too_late(condition, edges_s, float(percent) / 100) or _too_early(known):
            yield Measurement(name=name, absent="inconclusive", because=because)
        else:
            yield _quantile(run.plan, name, float(percent) / 100, known, bounds)
    known = _known(run, endpoint, samples, run.settled(scope.blocks))
    for value, count in SHARES.items():
        name = f"{endpoint}.{value}{suffix}"
        if value == "reconnect_rate" and not run.plan.traffic:  # locust does not tell of its connections
            continue
        if because := _too_early(known):
            yield Measurement(name=name, absent="inconclusive", because=because)
        else:
            yield _share(name, tuple(map(count, known.blocks)), known)
    yield _throughput(f"{endpoint}.throughput{suffix}", samples.total, len(blocks) * BLOCK_S)


def _absent(name: str, rules: Sequence[LimitRule]) -> Iterator[Measurement]:
    values = (*(f"p{percent}" for percent in quantiles_of(rules)), *SHARES, "throughput")
    for value in values:
        because = "no request was due in this phase"
        yield Measurement(name=name.format(value), absent="missing", because=because)


class Samples(NamedTuple):
    """One endpoint's samples: in blocks of ``length_s`` seconds, and all of them.

    ``stopped`` is the measurement for which the run was ended early, "" for a whole run.
    """

    length_s: float
    blocks: tuple[Tally, ...]
    total: Tally
    stopped: str


def _known(run: Run, endpoint: str, samples: Samples, blocks: Sequence[int]) -> Samples:
    """Return the samples of a whole run; of one that was ended early those of which enough is known."""
    return _samples(run, endpoint, blocks) if run.stopped else samples


def _too_early(known: Samples) -> str:
    if known.total.requests:
        return ""
    return f"the run was ended early, for {known.stopped}, before the first request had ended"


def _samples(run: Run, endpoint: str, blocks: Sequence[int]) -> Samples:
    """Return what was counted; of a long run neighbouring blocks are put together."""
    size = max(math.ceil(len(blocks) / MOST_BLOCKS), 1)
    together = [blocks[first : first + size] for first in range(0, len(blocks), size)]
    return Samples(
        BLOCK_S * size,
        tuple(run.recording.tally(endpoint, each) for each in together),
        run.recording.tally(endpoint, blocks),
        run.stopped,
    )


def _quantile(plan: Plan, name: str, share: float, samples: Samples, bounds: Sequence[Bound]) -> Measurement:
    at = {bound_key(bound): plan.thresholds.index(threshold_of(bound)) for bound in bounds}
    tail = Tail(
        quantile=share,
        samples=samples.total.requests,
        over={key: samples.total.over[number] for key, number in at.items()},
        blocks=_blocks(samples, at) if at else None,  # without a limit nobody asks when it was slow
    )
    value_s = seconds_at(samples.total, share, plan.timeout_s)
    return Measurement(name=name, value=value_s * 1000, unit="ms", samples=tail.samples, tail=tail)


def _blocks(samples: Samples, at: Mapping[str, int]) -> Blocks:
    return Blocks(
        length_s=samples.length_s,
        stopped=samples.stopped,
        samples=tuple(tally.requests for tally in samples.blocks),
        over={
            key: tuple(tally.over[number] if tally.over else 0 for tally in samples.blocks)
            for key, number in at.items()
        },
    )


def seconds_at(total: Tally, share: float, timeout_s: float) -> float:
    """Return a quantile of some requests; one that failed took as long as one that is given up."""
    failed = Counter({bucket_of(timeout_s): total.failures.total()})
    value_s = quantile(total.buckets + failed, share)
    if value_s is None:
        raise AssertionError("a quantile is asked for where there are requests")
    return timeout_s if failed and bucket_of(value_s) == bucket_of(timeout_s) else value_s


def _share(name: str, hits: tuple[int, ...], samples: Samples) -> Measurement:
    requests = tuple(tally.requests for tally in samples.blocks)
    share = Share(length_s=samples.length_s, of=requests, hits=hits, stopped=samples.stopped)
    value = sum(hits) / samples.total.requests
    return Measurement(name=name, value=value, unit="ratio", samples=samples.total.requests, share=share)


def _throughput(name: str, total: Tally, seconds: float) -> Measurement:
    return Measurement(name=name, value=total.answered / seconds, unit="req/s", samples=total.requests)
