"""Quantiles and rates that were counted over time: when PASS, when FAIL, what is said where it is neither."""

from __future__ import annotations

import math
from random import Random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from release_gates.judge.clusters import Counts, effective
from release_gates.judge.early import ENOUGH, Stakes, e_value
from release_gates.judge.limits import judge_rule
from release_gates.model.limit import LimitRule
from release_gates.model.measurement import Measurement
from release_gates.model.outcome import Outcome
from release_gates.model.share import Share
from release_gates.model.tail import Blocks, Tail, bound_key
from release_gates.model.verdict import LimitJudgement
from release_gates.policy.grammar import parse_limit

BLOCK_S = 0.25
PER_BLOCK = 250


def latency(
    over: list[int], quantile: float = 0.99, limit: str = "<= 1 s", *, per: int = PER_BLOCK, stopped: str = ""
) -> Measurement:
    key = bound_key(parse_limit(limit).bounds[0])
    blocks = Blocks(length_s=BLOCK_S, samples=(per,) * len(over), over={key: tuple(over)}, stopped=stopped)
    tail = Tail(quantile=quantile, samples=per * len(over), over={key: sum(over)}, blocks=blocks)
    return Measurement(name="a.p99", value=900.0, unit="ms", samples=tail.samples, tail=tail)


def rate(hits: list[int], *, per: int = PER_BLOCK, stopped: str = "") -> Measurement:
    total = per * len(hits)
    share = Share(length_s=BLOCK_S, of=(per,) * len(hits), hits=tuple(hits), stopped=stopped)
    value = sum(hits) / total if total else 0.0
    return Measurement(name="a.error_rate", value=value, unit="ratio", samples=total, share=share)


def judged(measurement: Measurement, limit: str = "<= 1 s", *, target: str = "") -> LimitJudgement:
    rule = LimitRule(
        name="*", limit=parse_limit(limit) if limit else None, target=parse_limit(target) if target else None
    )
    return judge_rule(rule, measurement, live=None)


def minutes(number: float, over: int = 0) -> list[int]:
    return [over] * round(number * 60 / BLOCK_S)


def stalls(seconds: float, every: int, length: int = 200) -> list[int]:
    """One stall of so many requests in every so many seconds, in one block."""
    blocks = round(seconds / BLOCK_S)
    return [length if block % round(every / BLOCK_S) == 0 else 0 for block in range(blocks)]


def test_a_clean_minute_proves_p95_and_p99_and_not_p99_9() -> None:
    assert judged(latency(minutes(1), 0.95)).outcome is Outcome.PASS
    assert judged(latency(minutes(1), 0.99)).outcome is Outcome.PASS
    short = judged(latency(minutes(1), 0.999))
    assert short.outcome is Outcome.INCONCLUSIVE
    assert short.because == (
        "a.p99 is 0.9 s; the limit is <= 1 s, and that is not proven: 0 of 60000 requests (0 %) took longer "
        "than 1 s; 0.1 % may. It needs about 486674 more requests or 8.2 more minutes"
    )
    assert judged(latency(minutes(10), 0.999)).outcome is Outcome.PASS
    assert judged(latency(minutes(0.5), 0.99)).outcome is Outcome.INCONCLUSIVE


def test_few_requests_prove_nothing_however_long_it_took() -> None:
    few = judged(latency(minutes(10), 0.999, per=1))
    assert few.outcome is Outcome.INCONCLUSIVE
    assert "It needs about 595 more requests or 2.5 more minutes" in few.because


def test_harmless_slow_requests_do_not_stand_for_a_stall_that_was_not_seen() -> None:
    """A stall a minute would break the p99.9; thirty slow requests alone do not say that there is none."""
    scattered = [1 if block % 8 == 0 else 0 for block in range(240)]
    assert judged(latency(scattered, 0.999)).outcome is Outcome.INCONCLUSIVE


def test_stalls_count_as_one_each() -> None:
    beyond = judged(latency(stalls(60, 5), 0.99))
    assert beyond.outcome is Outcome.FAIL
    assert "2400 of 60000 requests (4 %) took longer than 1 s, worth " in beyond.because
    assert judged(latency(stalls(60, 30), 0.99)).outcome is Outcome.INCONCLUSIVE
    assert judged(latency(stalls(1200, 50), 0.99)).outcome is Outcome.PASS


def test_a_target_that_dies_in_the_middle_fails() -> None:
    dead = minutes(0.5) + minutes(0.5, PER_BLOCK)
    assert judged(latency(dead)).outcome is Outcome.FAIL
    assert judged(rate(dead), "<= 1 %").outcome is Outcome.FAIL


def test_error_rates_by_the_same_counts() -> None:
    assert judged(rate(minutes(1)), "<= 1 %").outcome is Outcome.PASS
    assert judged(rate([0] * 8), "<= 0.1 %").outcome is Outcome.INCONCLUSIVE  # of 2,000 none: up to 0.15 %
    assert judged(rate(minutes(1)), "<= 0.1 %").outcome is Outcome.PASS
    few = judged(rate([1 if block % 2 else 0 for block in range(240)]), "<= 0.1 %")
    assert few.outcome is Outcome.FAIL
    assert few.because.startswith(
        "a.error_rate is 0.2 %; the limit is <= 0.1 %: 120 of 60000 requests (0.2 %) are counted"
    )


@pytest.mark.parametrize(
    ("limit", "hits", "outcome"),
    [
        ("== 0 %", 0, Outcome.PASS),
        ("== 0 %", 1, Outcome.FAIL),
        ("<= 0 ratio", 0, Outcome.PASS),
        ("<= 0 ratio", 1, Outcome.FAIL),
        ("< 0 %", 0, Outcome.FAIL),
        (">= 99 %", 240 * PER_BLOCK, Outcome.PASS),
        (">= 99 %", 0, Outcome.FAIL),
        ("== 1 %", 0, Outcome.ERROR),
    ],
)
def test_limits_of_none_and_from_below(limit: str, hits: int, outcome: Outcome) -> None:
    counts = [min(max(hits - block * PER_BLOCK, 0), PER_BLOCK) for block in range(240)]
    assert judged(rate(counts), limit).outcome is outcome


def test_every_window_is_judged() -> None:
    late = minutes(1) + [PER_BLOCK] * 12 + minutes(9)
    assert judged(latency(late, 0.95)).outcome is Outcome.PASS
    worst = judged(latency(late, 0.95), "<= 1 s over 10 s")
    assert worst.outcome is Outcome.FAIL
    assert "in the 10 s from 55 s on 3000 of 10000 requests (30 %)" in worst.because
    assert judged(latency(minutes(1), 0.95), "<= 1 s over 10 s").outcome is Outcome.PASS
    once = judged(latency([*minutes(1), 110, *minutes(1)], 0.99), "<= 1 s over 10 s")
    assert once.outcome is Outcome.INCONCLUSIVE
    assert "which may be chance" in once.because
    short = judged(latency(minutes(1 / 12), 0.95), "<= 1 s over 10 s")
    assert short.outcome is Outcome.INCONCLUSIVE
    assert "less than one window" in short.because


def test_a_window_without_counts_decides_nothing() -> None:
    plain = Measurement(name="a", value=1.0, unit="ms")
    assert judged(plain, "<= 1 s over 10 s").outcome is Outcome.INCONCLUSIVE
    gap = latency([0] * 480)
    tail = gap.tail
    assert tail is not None
    assert tail.blocks is not None
    samples = tuple(0 if 200 <= block < 300 else PER_BLOCK for block in range(480))
    blocks = msgspec.structs.replace(tail.blocks, samples=samples)
    hole = msgspec.structs.replace(
        gap,
        samples=sum(samples),
        tail=msgspec.structs.replace(tail, samples=sum(samples), blocks=blocks),
    )
    assert judged(hole).outcome is Outcome.PASS
    assert judged(hole, "<= 1 s over 10 s").outcome is Outcome.INCONCLUSIVE


def test_a_run_that_was_ended_early_never_passes() -> None:
    assert judged(latency(minutes(10), stopped="b.p99")).outcome is Outcome.INCONCLUSIVE
    assert judged(rate(minutes(10), stopped="b.p99"), "<= 1 %").outcome is Outcome.INCONCLUSIVE
    assert judged(rate(minutes(10), stopped="b.p99"), "== 0 %").outcome is Outcome.INCONCLUSIVE
    breach = judged(latency([25, 25, 25], stopped="a.p99"))
    assert breach.outcome is Outcome.FAIL
    assert "the run was ended early (e-value " in breach.because


def test_no_request_is_no_pass() -> None:
    assert judged(latency([])).outcome is not Outcome.PASS
    assert judged(rate([]), "<= 1 %").outcome is not Outcome.PASS
    empty = msgspec.structs.replace(rate([0], per=0), samples=None)
    assert judged(empty, "== 0 %").outcome is Outcome.MISSING


def test_a_target_is_missed_as_a_warning_and_bad_facts_are_an_error_all_the_same() -> None:
    assert judged(latency(minutes(1, 25)), "", target="<= 1 s").outcome is Outcome.WARN
    wrong = msgspec.structs.replace(rate(minutes(1)), value=0.5)
    assert judged(wrong, "", target="<= 1 %").outcome is Outcome.ERROR


def broken_facts() -> list[Measurement]:
    good = latency(minutes(1))
    tail = good.tail
    assert tail is not None
    assert tail.blocks is not None
    blocks = tail.blocks
    key = next(iter(tail.over))
    change = msgspec.structs.replace
    bad_blocks = [
        change(blocks, length_s=0.0),
        change(blocks, length_s=math.nan),
        change(blocks, samples=blocks.samples[1:]),
        change(blocks, over={key: blocks.over[key][1:]}),
        change(blocks, over={key: (-1, 1, *blocks.over[key][2:])}),
        change(blocks, over={}),
        change(blocks, samples=(-PER_BLOCK, 3 * PER_BLOCK, *blocks.samples[2:])),
    ]
    share = rate(minutes(1)).share
    assert share is not None
    bad_shares = [
        change(share, hits=share.hits[1:]),
        change(share, hits=(PER_BLOCK + 1, *share.hits[1:])),
        change(share, of=(-1, *share.of[1:])),
        change(share, length_s=-1.0),
    ]
    return [
        *(change(good, tail=change(tail, blocks=bad)) for bad in bad_blocks),
        change(good, tail=change(tail, over={key: 5})),
        *(change(rate(minutes(1)), share=bad) for bad in bad_shares),
        change(rate(minutes(1)), value=0.001),
    ]


@pytest.mark.parametrize("measurement", broken_facts())
def test_facts_that_contradict_themselves_are_an_error(measurement: Measurement) -> None:
    limit = "<= 1 s" if measurement.tail else "<= 1 %"
    assert judged(measurement, limit).outcome is Outcome.ERROR


@given(
    st.lists(st.tuples(st.integers(0, 60), st.floats(0, 1)), min_size=1, max_size=60),
    st.sampled_from([0.5, 0.95, 0.99, 0.999]),
)
def test_more_slow_requests_than_allowed_never_pass(blocks: list[tuple[int, float]], quantile: float) -> None:
    samples = tuple(count for count, _ in blocks)
    over = tuple(math.ceil(count * part) for count, part in blocks)
    key = bound_key(parse_limit("<= 1 s").bounds[0])
    tail = Tail(
        quantile=quantile,
        samples=sum(samples),
        over={key: sum(over)},
        blocks=Blocks(length_s=BLOCK_S, samples=samples, over={key: over}),
    )
    measurement = Measurement(name="a.p99", value=1.0, unit="ms", samples=sum(samples), tail=tail)
    for limit in ("<= 1 s", "<= 1 s over 2 s"):
        outcome = judged(measurement, limit).outcome
        if sum(over) > (1 - quantile) * sum(samples) or sum(samples) < math.log(0.05) / math.log(quantile):
            assert outcome is not Outcome.PASS
        if sum(over) == 0:
            assert outcome is not Outcome.FAIL
    if judged(measurement, "<= 1 s over 2 s").outcome is Outcome.PASS:
        assert judged(measurement).outcome is Outcome.PASS


@given(st.lists(st.tuples(st.integers(1, 50), st.integers(0, 50)), min_size=1, max_size=80))
def test_nobody_is_worth_more_than_himself(blocks: list[tuple[int, int]]) -> None:
    samples = tuple(count for count, _ in blocks)
    counts = Counts(BLOCK_S, samples, tuple(min(over, count) for count, over in blocks))
    assert 0 < effective(counts) <= counts.total


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), max_size=80), st.floats(0.0001, 0.5))
def test_who_looks_all_the_time_sees_what_is_judged_in_the_end(
    blocks: list[tuple[int, int]], allowed: float
) -> None:
    stakes = Stakes(allowed, BLOCK_S)
    seen = [stakes.value]
    for samples, over in blocks:
        stakes.add(samples, min(samples, over))
        seen.append(stakes.value)
    over = [min(samples, over) for samples, over in blocks]
    assert max(seen) == e_value([samples for samples, _ in blocks], over, BLOCK_S, allowed)
    assert min(seen) >= 0


def test_what_came_after_the_end_takes_nothing_back() -> None:
    ended = latency([25, 25, 0, 0, 0, 0], stopped="a.p99")
    assert judged(ended).outcome is Outcome.FAIL


@pytest.mark.parametrize("allowed", [0.05, 0.01])
def test_ten_times_the_limit_is_known_in_half_a_second(allowed: float) -> None:
    over = round(125 * 10 * allowed)
    assert e_value([125, 125], [over, over], BLOCK_S, allowed) >= ENOUGH


def test_a_run_on_the_limit_is_seldom_ended() -> None:
    random, ended = Random(1), 0
    for _ in range(200):
        stakes = Stakes(0.05, BLOCK_S)
        for _ in range(240):
            stakes.add(50, sum(random.random() < 0.05 for _ in range(50)))
            if stakes.value >= ENOUGH:
                ended += 1
                break
    assert ended <= 10


def test_one_failure_ends_a_run_that_may_have_none() -> None:
    assert (
        e_value([100] * 4, [0] * 4, BLOCK_S, 0.0) < ENOUGH <= e_value([100] * 4, [0, 0, 1, 0], BLOCK_S, 0.0)
    )


@pytest.mark.parametrize("quantile", [0.0, 1.0, -1.0, 1.5, math.nan, 1 - 1e-15])
def test_a_quantile_that_is_none_is_an_error(quantile: float) -> None:
    assert judged(latency(minutes(1), quantile)).outcome is Outcome.ERROR
