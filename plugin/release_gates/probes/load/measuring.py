"""From what a run recorded to measurements. Pure: what is good enough says policy, and judges `judge`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
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

ASIDE = ("spike", "recover")
"""Phases that have limits of their own (``order_entry.p99@spike``); names without a phase leave them out."""


def measurements(run: Run, rules: Sequence[LimitRule]) -> tuple[Measurement, ...]:
    """Return what a run shows of each endpoint: by phase, and without a phase over all that is judged.

    A run whose generator was not fit gives the same names, each inconclusive for that reason.
    """
    found = tuple(_measurements(run, rules))
    if not run.unfit:
        return found
    return tuple(Measurement(name=each.name, absent="inconclusive", because=run.unfit) for each in found)


def _measurements(run: Run, rules: Sequence[LimitRule]) -> Iterator[Measurement]:
    whole = tuple(tag for tag in run.judged if tag not in ASIDE) or run.judged
    for endpoint in run.recording.endpoints:
        for tag in run.judged:
            yield from _endpoint(run, rules, endpoint, f"@{tag}", run.blocks(tag))
        yield from _endpoint(run, rules, endpoint, "", run.blocks(*whole))


def _endpoint(
    run: Run, rules: Sequence[LimitRule], endpoint: str, suffix: str, blocks: Sequence[int]
) -> Iterator[Measurement]:
    samples = Samples(
        tuple(run.recording.tally(endpoint, (block,)) for block in blocks),
        run.recording.tally(endpoint, blocks),
    )
    if samples.total.requests == 0:
        yield from _absent(f"{endpoint}.{{}}{suffix}", rules)
        return
    condition = run.recording.condition(blocks)
    for percent in quantiles_of(rules):
        name = f"{endpoint}.p{percent}{suffix}"
        bounds = [bound for rule in rules_for(rules, name) for bound in bounds_of(rule)]
        late = too_late(condition, (threshold_of(bound).edge_s for bound in bounds))
        if late:
            yield Measurement(name=name, absent="inconclusive", because=late)
        else:
            yield _quantile(run.plan, name, float(percent) / 100, samples, bounds)
    failed = tuple(tally.failures.total() for tally in samples.blocks)
    yield _share(f"{endpoint}.error_rate{suffix}", failed, samples)
    if run.plan.traffic:  # locust does not tell what becomes of its connections
        reconnects = tuple(tally.reconnects for tally in samples.blocks)
        yield _share(f"{endpoint}.reconnect_rate{suffix}", reconnects, samples)
    yield _throughput(f"{endpoint}.throughput{suffix}", samples.total, len(blocks) * BLOCK_S)


def _absent(name: str, rules: Sequence[LimitRule]) -> Iterator[Measurement]:
    values = (
        *(f"p{percent}" for percent in quantiles_of(rules)),
        "error_rate",
        "reconnect_rate",
        "throughput",
    )
    for value in values:
        because = "no request was due in this phase"
        yield Measurement(name=name.format(value), absent="missing", because=because)


class Samples(NamedTuple):
    """One endpoint's samples: by block, and all of them."""

    blocks: tuple[Tally, ...]
    total: Tally


def _quantile(plan: Plan, name: str, share: float, samples: Samples, bounds: Sequence[Bound]) -> Measurement:
    at = {bound_key(bound): plan.thresholds.index(threshold_of(bound)) for bound in bounds}
    tail = Tail(
        quantile=share,
        samples=samples.total.requests,
        over={key: samples.total.over[number] for key, number in at.items()},
        blocks=Blocks(
            length_s=BLOCK_S,
            samples=tuple(tally.requests for tally in samples.blocks),
            over={
                key: tuple(tally.over[number] if tally.over else 0 for tally in samples.blocks)
                for key, number in at.items()
            },
        ),
    )
    value_s = _value_s(samples.total, share, plan.timeout_s)
    return Measurement(name=name, value=value_s * 1000, unit="ms", samples=tail.samples, tail=tail)


def _value_s(total: Tally, share: float, timeout_s: float) -> float:
    """Return a quantile of all requests; one that failed took as long as one that is given up."""
    failed = Counter({bucket_of(timeout_s): total.failures.total()})
    value_s = quantile(total.buckets + failed, share)
    if value_s is None:
        raise AssertionError("a quantile is asked for where there are requests")
    return value_s


def _share(name: str, hits: tuple[int, ...], samples: Samples) -> Measurement:
    requests = tuple(tally.requests for tally in samples.blocks)
    share = Share(length_s=BLOCK_S, of=requests, hits=hits)
    value = sum(hits) / samples.total.requests
    return Measurement(name=name, value=value, unit="ratio", samples=samples.total.requests, share=share)


def _throughput(name: str, total: Tally, seconds: float) -> Measurement:
    return Measurement(name=name, value=total.answered / seconds, unit="req/s", samples=total.requests)
