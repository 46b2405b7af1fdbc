"""What a report says of intervals, turns and quantiles of a phase."""

from __future__ import annotations

import math
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from release_gates.judge.limits import judge_rule
from release_gates.model.limit import LimitRule
from release_gates.model.measurement import Measurement
from release_gates.model.release import JudgedLimit
from release_gates.model.windows import Windows
from release_gates.policy.grammar import parse_limit
from release_gates.report.bullet import bullet
from release_gates.report.curve import curves
from release_gates.report.rows import Row

from .sample import ms, only


def row_of(measurement: Measurement, limit: str = "", *, baseline: str = "") -> Row:
    rule = LimitRule(
        name=measurement.name,
        limit=parse_limit(limit) if limit else None,
        baseline=parse_limit(baseline, "baseline") if baseline else None,
    )
    judged = judge_rule(rule, measurement, live=None)
    found = JudgedLimit(gate="load", judged=judged, rule=rule, measurement=measurement)
    return Row(limit=found, owner="me", holds=True)


def knee(low: float, high: float | None) -> Row:
    measured = Measurement(name="stress.knee", value=low, unit="req/s", interval=(low, high))
    return row_of(measured, ">= 1000 req/s")


@pytest.mark.parametrize(
    ("high", "measured", "fact"),
    [
        (1260.0, "between 1200 req/s and 1260 req/s", "proven 1200 req/s to 1260 req/s"),
        (None, "at least 1200 req/s", "at least 1200 req/s, no end was seen"),
        (1200.0, "1200 req/s", "proven 1200 req/s to 1200 req/s"),
    ],
)
def test_an_interval_is_told(high: float | None, measured: str, fact: str) -> None:
    row = knee(1200.0, high)
    assert row.limit.judged.measured == measured
    assert fact in row.facts


def test_an_interval_is_drawn_where_it_has_two_ends() -> None:
    both, one = bullet(knee(1200.0, 1260.0)), bullet(knee(1200.0, None))
    assert both is not None
    assert one is not None
    assert both.interval
    assert not one.interval
    ET.fromstring(f'<path d="{both.interval}"/>')


def test_turns_tell_the_change_and_its_ends() -> None:
    windows = Windows(length_s=3.0, ratios=tuple(math.log1p(each / 100) for each in (-1, 1, 0, 2)))
    measured = Measurement(name="a.p95", value=5.0, unit="ms", baseline=5.0, windows=windows)
    row = row_of(measured, baseline="<= 5 %")
    assert row.limit.judged.measured == "+0.49 % (-1.0 % to +2.0 %)"
    assert "4 pairs of turns" in row.facts


def test_the_release_tells_turns_as_a_change(tmp_path: Path) -> None:
    windows = Windows(length_s=3.0, ratios=(0.0, 0.01, -0.01, 0.02))
    measured = ms("a.p95", 5.0, baseline=5.0, windows=windows)
    (limit,) = only(tmp_path, '"a.p95" = { baseline = "<= 5 %" }', measured).release().limits
    assert limit.change is not None
    assert limit.change.low < limit.change.middle == pytest.approx(0.5, abs=0.01)
    assert limit.change.high == pytest.approx(2.0, abs=0.1)


def test_quantiles_of_a_phase_are_one_curve() -> None:
    rows = [
        row_of(Measurement(name=f"a.p{percent}@{phase}", value=value, unit="ms"), "<= 100 ms")
        for phase in ("steady", "spike")
        for percent, value in (("50", 1.0), ("95", 5.0), ("99.9", 9.0))
    ]
    assert [curve.name for curve in curves(rows)] == ["a@steady", "a@spike"]
