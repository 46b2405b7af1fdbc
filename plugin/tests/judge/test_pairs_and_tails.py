"""A baseline rule on a paired benchmark, a limit on a quantile: outcome and sentence."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from release_gates.judge.limits import judge_rule
from release_gates.judge.pairs import directions
from release_gates.judge.tails import tail_of, value_at
from release_gates.model.candidate import ReleaseCandidate
from release_gates.model.event import Live
from release_gates.model.limit import LimitRule
from release_gates.model.measurement import Measurement
from release_gates.model.outcome import Outcome
from release_gates.model.paired import Paired, PairPlan, ProcessPair
from release_gates.model.tail import Tail
from release_gates.model.verdict import LimitJudgement
from release_gates.policy.grammar import parse_limit

LIVE = Live(
    environment="staging",
    candidate=ReleaseCandidate(name="e", version="1.0.0", commit="c", artifacts=()),
    since=datetime(2026, 1, 31, tzinfo=UTC),
)
PLAN = PairPlan(looks=(6, 12, 24), confirm=8, false_alarm=0.01, wrong_pass=0.01, benchmarks=50)


def series(percent: float, count: int, noise: float) -> tuple[ProcessPair, ...]:
    return tuple(
        ProcessPair(
            ratio=math.log1p(percent / 100) + noise * ((number // 2) % 3 - 1),
            spread=0.01,
            kept=75,
            dropped=25,
            first="candidate" if number % 2 else "baseline",
            seed=number,
            others=0.75,
            steal=0.02,
        )
        for number in range(count)
    )


def paired(
    percent: float,
    count: int = 24,
    *,
    noise: float = 0.001,
    again: float | None = None,
    instructions: tuple[float, float] | None = None,
    plan: PairPlan = PLAN,
) -> Paired:
    return Paired(
        plan=plan,
        processes=series(percent, count, noise),
        confirmation=() if again is None else series(again, 8, noise),
        instructions=instructions,
    )


def judged(data: Paired, baseline: str = "<= 1.5 %", *, live: Live | None = LIVE) -> LimitJudgement:
    rule = LimitRule(name="*.cpu_time", baseline=parse_limit(baseline, "baseline"))
    measurement = Measurement(name="match.cpu_time", value=103.0, unit="ns", baseline=100.0, paired=data)
    return judge_rule(rule, measurement, live=live)


def test_a_slowdown_says_how_much_how_sure_and_of_what_kind() -> None:
    more_work = judged(paired(3, 6, again=3.1, instructions=(1000.0, 1034.0)))
    assert more_work.outcome is Outcome.FAIL
    assert more_work.because == (
        "match.cpu_time is 3.0 % slower than the baseline, at least 2.8 % (99.18 % sure; 6 processes, 8 "
        "fresh ones say 3.1 %; noise 0.10 %); allowed is <= 1.5 %. Instructions: +3.4 %."
    )
    layout = judged(paired(3, 6, again=3.1, instructions=(1000.0, 1000.1)))
    assert layout.outcome is Outcome.FAIL
    assert "Instructions are equal (+0.010 %): LAYOUT or MEMORY suspected" in layout.because
    assert "LAYOUT or MEMORY cannot be told" in judged(paired(3, 6, again=3.1)).because


def test_equivalent_passes_and_shows_the_most_that_it_may_be() -> None:
    fine = judged(paired(0.1, 6))
    assert (fine.outcome, fine.because) == (Outcome.PASS, "")
    assert fine.measured == "+0.10 %, at most +0.33 %"
    assert fine.allowed == "baseline <= 1.5 %"


def test_open_names_the_noise_and_what_would_decide() -> None:
    noisy = judged(paired(0.5, noise=0.03))
    assert noisy.outcome is Outcome.INCONCLUSIVE
    for part in (
        "is between -",
        "after 24 processes",
        "Noise between processes is 2.",
        "25% of its slices preempted",
        "Of the processors, other processes took 75%, the hypervisor 2%",
        "--gate-wait-quiet",
    ):
        assert part in noisy.because
    assert "more processes would not make it a pass" in judged(paired(1.6, noise=0.06)).because


def test_a_slowdown_that_was_not_repeated_is_open() -> None:
    once = judged(paired(3, 6, again=0.9))
    assert once.outcome is Outcome.INCONCLUSIVE
    assert "which fresh ones did not repeat (+0.87 %)" in once.because
    assert "not confirmed" in judged(paired(3, 6)).because


@pytest.mark.parametrize(
    ("change", "outcome"),
    [(1.0001, Outcome.WARN), (1.01, Outcome.INCONCLUSIVE), (0.98, Outcome.INCONCLUSIVE)],
)
def test_equal_instructions_stand_in_only_where_policy_says_so(change: float, outcome: Outcome) -> None:
    plan = msgspec.structs.replace(PLAN, when_noisy="instructions")
    counts = (1000.0, 1000.0 * change)
    assert judged(paired(0.5, noise=0.03, instructions=counts, plan=plan)).outcome is outcome
    assert judged(paired(0.5, noise=0.03, instructions=counts)).outcome is Outcome.INCONCLUSIVE
    slower = paired(2.0, noise=0.04, instructions=counts, plan=plan)
    assert judged(slower).outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize("counts", [(0.0, 1.0), (0.0, 0.0), (math.inf, math.inf), (math.nan, 1.0)])
def test_counts_that_are_none_do_not_stand_in(counts: tuple[float, float]) -> None:
    plan = msgspec.structs.replace(PLAN, when_noisy="instructions")
    assert judged(paired(0.5, noise=0.03, instructions=counts, plan=plan)).outcome is Outcome.INCONCLUSIVE


def test_getting_faster_can_be_limited_too() -> None:
    assert judged(paired(-3, 6), "± 1.5 %").outcome is Outcome.INCONCLUSIVE
    faster = judged(paired(-3, 6, again=-3), "± 1.5 %")
    assert faster.outcome is Outcome.FAIL
    assert "is 3.1 % faster than the baseline" in faster.because


@pytest.mark.parametrize("rule", ["<= 1.5 %", ">= -1.5 %", "± 1.5 %"])
def test_more_time_is_positive_whatever_is_limited(rule: str) -> None:
    open_at_last = judged(paired(0.9, noise=0.06), rule).because
    assert "is between -2.3 % and +4.2 % against the baseline" in open_at_last
    assert "process 1 is furthest off (-5.0 %" in open_at_last


def test_what_fresh_processes_add_is_in_what_is_shown_and_advised() -> None:
    passed = judged(paired(1.6, 6, again=-0.6), "<= 1.5 %")
    assert (passed.outcome, passed.measured) == (Outcome.PASS, "+0.32 %, at most +1.4 %")
    open_yet = judged(paired(2.0, 6, again=0.0, noise=0.004), "<= 1.5 %")
    assert open_yet.outcome is Outcome.INCONCLUSIVE
    assert "did not repeat (-0.10 %)" in open_yet.because
    assert "processes (looks), or a quieter host" in open_yet.because


def test_both_directions_are_two_chances_of_a_false_alarm() -> None:
    once, both = parse_limit("<= 1 %", "baseline"), parse_limit("± 1 %", "baseline")
    assert [directions(rules) for rules in ([], [once, once], [both], [once, both])] == [0, 1, 2, 2]


@pytest.mark.parametrize("rule", ["<= 1 pp", "== 0 %", ">= -100 %"])
def test_a_rule_that_no_ratio_of_times_can_keep_is_an_error(rule: str) -> None:
    assert judged(paired(0, 6), rule).outcome is Outcome.ERROR


def test_too_few_processes_are_no_measurement() -> None:
    few = judged(paired(0, 4))
    assert few.outcome is Outcome.ERROR
    assert few.measured == "4 processes"


def test_without_a_known_baseline_nothing_passes() -> None:
    assert judged(paired(0, 6), live=None).outcome is Outcome.INCONCLUSIVE
    first = msgspec.structs.replace(LIVE, candidate=None, reason="new venue")
    assert judged(paired(0, 6), live=first).outcome is Outcome.WARN


# -- quantiles ------------------------------------------------------------------------------------


def quantile(
    over: int, samples: int, *, limit: str = "<= 1 ms", effective: float | None = None
) -> LimitJudgement:
    tail = Tail(quantile=0.99, samples=samples, over={"<= 1.0 ms": over}, effective=effective)
    measurement = Measurement(name="ack.p99", value=0.9, unit="ms", samples=samples, tail=tail)
    return judge_rule(LimitRule(name="ack.p99", limit=parse_limit(limit)), measurement, live=LIVE)


@pytest.mark.parametrize(
    ("over", "outcome"),
    [
        (0, Outcome.PASS),
        (100, Outcome.PASS),
        (980, Outcome.INCONCLUSIVE),
        (1000, Outcome.INCONCLUSIVE),
        (1020, Outcome.INCONCLUSIVE),
        (1200, Outcome.FAIL),
        (100_000, Outcome.FAIL),
    ],
)
def test_a_quantile_is_judged_by_how_many_samples_broke_the_limit(over: int, outcome: Outcome) -> None:
    assert quantile(over, 100_000).outcome is outcome


def test_sentences_of_quantiles() -> None:
    assert quantile(1200, 100_000).because == (
        "ack.p99 is 0.9 ms; the limit is <= 1 ms: 1200 of 100000 samples (0.012) broke <= 1 ms, 0.01 may"
    )
    assert "About" in quantile(980, 100_000).because
    assert "exactly on the limit" in quantile(1000, 100_000).because


def test_too_few_samples_beyond_the_quantile_are_no_evidence() -> None:
    assert quantile(0, 9_999).outcome is Outcome.INCONCLUSIVE
    assert quantile(0, 10_000).outcome is Outcome.PASS
    few = quantile(0, 100_000, effective=500.0)
    assert few.outcome is Outcome.INCONCLUSIVE
    assert "2000000 are needed" in few.because


@pytest.mark.parametrize(
    ("over", "samples", "effective"),
    [(5, 4, None), (-1, 10_000, None), (0, 10_000, math.nan), (0, 10_000, 1e9)],
)
def test_counts_that_cannot_be_are_errors(over: int, samples: int, effective: float | None) -> None:
    assert quantile(over, samples, effective=effective).outcome is Outcome.ERROR


def test_a_limit_that_nobody_counted_at_is_open() -> None:
    assert quantile(0, 100_000, limit="<= 2 ms").outcome is Outcome.INCONCLUSIVE
    assert quantile(0, 100_000, limit=">= 2 ms").outcome is Outcome.ERROR


def test_a_missed_target_is_a_warning() -> None:
    tail = Tail(quantile=0.99, samples=100_000, over={"<= 1.0 ms": 0, "<= 0.5 ms": 5000})
    measurement = Measurement(name="ack.p99", value=0.9, unit="ms", samples=100_000, tail=tail)
    rule = LimitRule(name="ack.p99", limit=parse_limit("<= 1 ms"), target=parse_limit("<= 0.5 ms", "target"))
    assert judge_rule(rule, measurement, live=LIVE).outcome is Outcome.WARN


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=200), st.sampled_from(["<= 0.5 ms", "< 0.5 ms"]))
def test_counts_are_those_of_a_loop(micros: list[int], text: str) -> None:
    limit = parse_limit(text)
    ordered = sorted(map(float, micros))
    tail = tail_of(ordered, "us", 0.9, limit.bounds)
    broken = sum(value > 500 if text.startswith("<=") else value >= 500 for value in micros)
    assert list(tail.over.values()) == [broken]
    at = value_at(ordered, 0.9)
    assert sum(value <= at for value in ordered) >= 0.9 * len(ordered)
