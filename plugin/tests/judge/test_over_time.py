"""Series that drift, values of which an interval is known, turns against the live build."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from random import Random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from release_gates.judge.drift import trend_of
from release_gates.judge.limits import judge_rule
from release_gates.model.candidate import ReleaseCandidate
from release_gates.model.event import Live
from release_gates.model.limit import LimitRule
from release_gates.model.measurement import Measurement
from release_gates.model.outcome import Outcome
from release_gates.model.series import Series
from release_gates.model.verdict import LimitJudgement
from release_gates.model.windows import Windows
from release_gates.policy.grammar import parse_limit

LIVE = Live(
    environment="staging",
    candidate=ReleaseCandidate(name="e", version="1.0.0", commit="c", artifacts=()),
    since=datetime(2026, 1, 31, tzinfo=UTC),
)
MIB = 1024 * 1024
HOUR_S = 3600.0


def judged(measurement: Measurement, limit: str, *, baseline: str = "") -> LimitJudgement:
    rule = LimitRule(
        name="*",
        limit=parse_limit(limit) if limit else None,
        baseline=parse_limit(baseline, "baseline") if baseline else None,
    )
    return judge_rule(rule, measurement, live=LIVE)


def memory(
    a_second: float = 0.0, *, seconds: int = 600, horizon_s: float | None = None, noise: float = 0.2
) -> Measurement:
    """100 MiB, warmed up in a minute by 20 more, then so many more MiB with each second."""
    random = Random(4)
    values = tuple(
        MIB * (100 + 20 * min(at / 60, 1) + a_second * at + random.gauss(0, noise)) for at in range(seconds)
    )
    series = Series(at_s=tuple(map(float, range(seconds))), values=values, horizon_s=horizon_s)
    return Measurement(name="target.memory", value=values[-1], unit="B", samples=seconds, series=series)


def turns(*percents: float) -> Measurement:
    ratios = tuple(math.log1p(percent / 100) for percent in percents)
    return Measurement(
        name="a.throughput",
        value=100.0,
        unit="req/s",
        baseline=100.0,
        windows=Windows(length_s=3.0, ratios=ratios),
    )


def between(low: float, high: float | None) -> Measurement:
    return Measurement(name="stress.knee", value=low, unit="req/s", interval=(low, high))


# -- series ---------------------------------------------------------------------------------------


def test_a_warm_up_is_no_leak() -> None:
    assert judged(memory(), "<= 1 %").outcome is Outcome.PASS
    assert judged(memory(horizon_s=24 * HOUR_S), "<= 200 MiB").outcome is Outcome.PASS


def test_a_leak_is_found_and_said_in_its_unit() -> None:
    leak = judged(memory(0.02), "<= 1 %")
    assert leak.outcome is Outcome.FAIL
    assert "target.memory drifts by 7." in leak.because
    assert "per hour (+6." in leak.because
    assert "% of its median in " in leak.because


def test_where_a_drift_leads_is_judged_too() -> None:
    assert judged(memory(0.002), "<= 200 MiB").outcome is Outcome.PASS
    ahead = judged(memory(0.002, horizon_s=24 * HOUR_S), "<= 200 MiB")
    assert ahead.outcome is Outcome.FAIL
    assert "after 24 h more; the limit is <= 200 MiB" in ahead.because
    assert judged(memory(0.002, horizon_s=HOUR_S), "<= 200 MiB").outcome is Outcome.PASS
    near = judged(memory(0.002, horizon_s=10.8 * HOUR_S, noise=1), "<= 200 MiB")
    assert near.outcome is Outcome.INCONCLUSIVE
    assert judged(memory(-0.002, horizon_s=24 * HOUR_S), "<= 200 MiB").outcome is Outcome.PASS


def test_every_value_has_to_keep_the_limit() -> None:
    good = memory()
    assert good.series is not None
    values = (*good.series.values[:10], 300.0 * MIB, *good.series.values[11:])
    peak = msgspec.structs.replace(good, series=msgspec.structs.replace(good.series, values=values))
    found = judged(peak, "<= 200 MiB")
    assert found.outcome is Outcome.FAIL
    assert found.because == "target.memory was 300 MiB during the run; the limit is <= 200 MiB"


def test_too_few_values_tell_no_drift() -> None:
    assert judged(memory(0.02, seconds=40), "<= 1 %").outcome is Outcome.INCONCLUSIVE
    assert judged(memory(0.02, seconds=40, horizon_s=HOUR_S), "<= 200 MiB").outcome is Outcome.INCONCLUSIVE
    assert judged(memory(0.02, seconds=40), "<= 200 MiB").outcome is Outcome.PASS


@given(
    st.lists(st.floats(0, 1e6), min_size=30, max_size=120),
    st.floats(1e-3, 1e3),
    st.floats(-1e3, 1e3),
)
def test_a_slope_is_turned_with_its_values(values: list[float], pause_s: float, moved: float) -> None:
    at_s = tuple(number * pause_s for number in range(len(values)))
    trend = trend_of(Series(at_s=at_s, values=tuple(values)))
    mirrored = trend_of(Series(at_s=at_s, values=tuple(-value for value in values)))
    if trend is None or mirrored is None:
        assert trend is mirrored is None
        return
    assert trend.low <= trend.slope <= trend.high
    assert mirrored.slope == pytest.approx(-trend.slope)
    assert 0 <= trend.chance <= 1


# -- intervals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("low", "high", "limit", "outcome"),
    [
        (1000, 1050, ">= 1000 req/s", Outcome.PASS),
        (1000, None, ">= 1000 req/s", Outcome.PASS),
        (900, 950, ">= 1000 req/s", Outcome.FAIL),
        (980, 1020, ">= 1000 req/s", Outcome.INCONCLUSIVE),
        (900, None, ">= 1000 req/s", Outcome.INCONCLUSIVE),
        (900, None, "<= 1000 req/s", Outcome.INCONCLUSIVE),
        (1100, None, "<= 1000 req/s", Outcome.FAIL),
        (5, 5, "<= 5 req/s", Outcome.PASS),
        (5, 5, "< 5 req/s", Outcome.FAIL),
        (4, 6, "== 5 req/s", Outcome.INCONCLUSIVE),
        (5, 5, "== 5 req/s", Outcome.PASS),
        (1, 9, "2 .. 8 req/s", Outcome.INCONCLUSIVE),
    ],
)
def test_all_of_an_interval_has_to_keep_the_limit(
    low: float, high: float | None, limit: str, outcome: Outcome
) -> None:
    assert judged(between(low, high), limit).outcome is outcome


def test_an_interval_without_an_end_is_said_so() -> None:
    long = Measurement(name="a.recovery_time", value=30.0, unit="s", interval=(30.0, None))
    assert judged(long, "<= 10 s").because == "a.recovery_time is at least 30 s; the limit is <= 10 s"


@given(st.floats(0, 1e6), st.floats(0, 1e6), st.floats(0, 1e6))
def test_what_passes_as_an_interval_passes_at_each_end(low: float, width: float, edge: float) -> None:
    for operator in ("<=", ">=", "<", ">"):
        limit = f"{operator} {edge!r} req/s"
        whole = judged(between(low, low + width), limit).outcome
        ends = {judged(between(end, end), limit).outcome for end in (low, low + width)}
        assert (whole is Outcome.PASS) == (ends == {Outcome.PASS})
        assert (whole is Outcome.FAIL) == (ends == {Outcome.FAIL})


# -- turns ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("percents", "baseline", "outcome"),
    [
        ((-1, 1, 0, 2, -2, 0), ">= -10 %", Outcome.PASS),
        ((-1, 1, 0, 2, -2, 0), "± 5 %", Outcome.PASS),
        ((0, 0, 0, 0), ">= -10 %", Outcome.PASS),
        ((-20, -21, -19, -20), ">= -10 %", Outcome.FAIL),
        ((20, 21, 19, 20), "<= 5 %", Outcome.FAIL),
        ((20, 21, 19, 20), "± 5 %", Outcome.FAIL),
        ((-20, 20, -30, 30), ">= -10 %", Outcome.INCONCLUSIVE),
        ((0, 0, 0), ">= -10 %", Outcome.INCONCLUSIVE),
        ((), ">= -10 %", Outcome.INCONCLUSIVE),
        ((0, 0, 0, 0), ">= -10 pp", Outcome.ERROR),
    ],
)
def test_a_change_is_sure_or_open(percents: tuple[float, ...], baseline: str, outcome: Outcome) -> None:
    assert judged(turns(*percents), "", baseline=baseline).outcome is outcome


def test_a_change_is_said_in_words_that_fit_any_value() -> None:
    found = judged(turns(-20, -21, -19, -20), "", baseline=">= -10 %").because
    assert found.startswith(
        "a.throughput changed by -20.0 % against the baseline, between -21.0 % and -19.0 %"
    )
    assert found.endswith("(each end 95% sure; 4 pairs of turns); allowed is >= -10 %")
    assert (
        "pairs, or longer turns, would decide"
        in judged(turns(-20, 20, -30, 30), "", baseline="<= 5 %").because
    )


# -- facts that are none --------------------------------------------------------------------------


def series(at_s: tuple[float, ...], values: tuple[float, ...], horizon_s: float | None = None) -> Measurement:
    facts = Series(at_s=at_s, values=values, horizon_s=horizon_s)
    return Measurement(name="a", value=1.0, unit="req/s", series=facts)


@pytest.mark.parametrize(
    "measurement",
    [
        series((), ()),
        series((1.0, 2.0), (1.0,)),
        series((2.0, 1.0), (1.0, 1.0)),
        series((1.0, 1.0), (1.0, 1.0)),
        series((1.0, 2.0), (1.0, math.nan)),
        series((1.0, math.inf), (1.0, 1.0)),
        series((1.0, 2.0), (1.0, 1.0), 0.0),
        series((1.0, 2.0), (1.0, 1.0), math.nan),
        between(2.0, 1.0),
        between(math.nan, 1.0),
        between(1.0, math.nan),
        between(1.0, math.inf),
        msgspec.structs.replace(turns(0, 0, 0, 0), windows=Windows(length_s=0.0, ratios=(0.0,) * 4)),
        msgspec.structs.replace(turns(0, 0, 0, 0), windows=Windows(length_s=1.0, ratios=(math.nan,) * 4)),
        msgspec.structs.replace(turns(0, 0, 0, 0), windows=Windows(length_s=1.0, ratios=(100.0,) * 4)),
    ],
)
def test_facts_that_cannot_be_any_are_an_error(measurement: Measurement) -> None:
    assert judged(measurement, ">= 0 req/s", baseline=">= -10 %").outcome is Outcome.ERROR
    assert judged(measurement, "", baseline=">= -10 %").outcome is Outcome.ERROR
