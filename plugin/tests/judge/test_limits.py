"""One rule, one measurement: every operator at its edge, every way not to have a value."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from release_gates.judge.bounds import holds
from release_gates.judge.limits import judge_rule, matches
from release_gates.model.candidate import ReleaseCandidate
from release_gates.model.event import Live
from release_gates.model.figures import beside
from release_gates.model.limit import Bound, Limit, LimitRule
from release_gates.model.measurement import Measurement
from release_gates.model.outcome import Outcome
from release_gates.policy.grammar import parse_limit

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
CANDIDATE = ReleaseCandidate(name="e", version="1.0.0", commit="c", artifacts=())
LIVE = Live(environment="staging", candidate=CANDIDATE, since=NOW)
FIRST = Live(environment="staging", candidate=None, since=NOW, reason="new venue")


def rule(
    limit: str = "", *, target: str = "", baseline: str = "", min_samples: int | None = None
) -> LimitRule:
    return LimitRule(
        name="a",
        limit=parse_limit(limit) if limit else None,
        target=parse_limit(target) if target else None,
        baseline=parse_limit(baseline, "baseline") if baseline else None,
        min_samples=min_samples,
    )


def outcome(asked: LimitRule, value: float | None, unit: str = "ms", **more: object) -> Outcome:
    measurement = Measurement(name="a", value=value, unit=unit, **more)  # type: ignore[arg-type]
    return judge_rule(asked, measurement, live=LIVE).outcome


@pytest.mark.parametrize(
    ("limit", "good", "bad"),
    [
        ("<= 5 ms", 5.0, 5.000001),
        ("< 5 ms", 4.999999, 5.0),
        (">= 5 ms", 5.0, 4.999999),
        ("> 5 ms", 5.000001, 5.0),
        ("== 5 ms", 5.0, 5.000001),
        ("1 .. 5 ms", 1.0, 0.999999),
        ("1 .. 5 ms", 5.0, 5.000001),
        ("<= 0.005 s", 5.0, 5.000001),
        ("<= 0.3 ms", 0.3, 0.1 + 0.2),
    ],
)
def test_edges(limit: str, good: float, bad: float) -> None:
    assert outcome(rule(limit), good) is Outcome.PASS
    assert outcome(rule(limit), bad) is Outcome.FAIL


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("limit", ["<= 5 ms", ">= 5 ms", "== 5 ms", "1 .. 5 ms"])
def test_no_finite_number_never_passes(value: float, limit: str) -> None:
    assert outcome(rule(limit), value) is Outcome.ERROR


@pytest.mark.parametrize(
    ("asked", "value", "more", "expected"),
    [
        (rule("<= 5 ms"), None, {}, Outcome.MISSING),
        (rule("<= 5 ms"), None, {"absent": "missing", "because": "x"}, Outcome.MISSING),
        (rule("<= 5 ms"), None, {"absent": "not_applicable", "because": "x"}, Outcome.WARN),
        (rule("<= 5 ms"), None, {"absent": "inconclusive", "because": "x"}, Outcome.INCONCLUSIVE),
        (rule("<= 5 ms"), 1.0, {"unit": "MiB"}, Outcome.ERROR),
        (rule("<= 5 ms", min_samples=10), 1.0, {}, Outcome.INCONCLUSIVE),
        (rule("<= 5 ms", min_samples=10), 9.0, {"samples": 9}, Outcome.INCONCLUSIVE),
        (rule("<= 5 ms", min_samples=10), 1.0, {"samples": 10}, Outcome.PASS),
        (rule("<= 5 ms", target="<= 2 ms"), 3.0, {}, Outcome.WARN),
        (rule("<= 5 ms", target="<= 2 ms"), 6.0, {}, Outcome.FAIL),
        (rule(baseline="<= 10 %"), 11.0, {"baseline": 10.0}, Outcome.PASS),
        (rule(baseline="<= 10 %"), 11.1, {"baseline": 10.0}, Outcome.FAIL),
        (rule(baseline="± 10 %"), 8.9, {"baseline": 10.0}, Outcome.FAIL),
        (rule(baseline="<= 10 %"), 11.0, {}, Outcome.INCONCLUSIVE),
        (rule(baseline="<= 10 %"), 1.0, {"baseline": 0.0}, Outcome.INCONCLUSIVE),
        (rule(baseline="<= 10 %"), 0.0, {"baseline": 0.0}, Outcome.PASS),
        (rule(baseline=">= -1 pp"), 0.79, {"unit": "ratio", "baseline": 0.8}, Outcome.PASS),
        (rule(baseline=">= -1 pp"), 0.789, {"unit": "ratio", "baseline": 0.8}, Outcome.FAIL),
        (rule(baseline="<= 1 pp"), 1.0, {"unit": "ms", "baseline": 1.0}, Outcome.ERROR),
        (rule("<= 5 ms"), 0.0, {"samples": 0}, Outcome.INCONCLUSIVE),
        (rule("<= 5 ms"), 0.0, {"samples": 1}, Outcome.PASS),
        (rule(baseline="<= 10 %"), 11.1, {"baseline": 10.0, "no_baseline": "new"}, Outcome.FAIL),
        (rule(baseline="<= 10 %"), 11.1, {"no_baseline": "new"}, Outcome.WARN),
    ],
)
def test_findings(asked: LimitRule, value: float | None, more: dict[str, object], expected: Outcome) -> None:
    assert outcome(asked, value, **more) is expected  # type: ignore[arg-type]


@pytest.mark.parametrize(("live", "expected"), [(None, Outcome.INCONCLUSIVE), (FIRST, Outcome.WARN)])
def test_baseline_rule_without_a_baseline(live: Live | None, expected: Outcome) -> None:
    measurement = Measurement(name="a", value=1.0, unit="ms", baseline=1.0)
    assert judge_rule(rule(baseline="<= 10 %"), measurement, live=live).outcome is expected


@pytest.mark.parametrize(
    ("pattern", "name", "yes"),
    [
        ("a.p95", "a.p95", True),
        ("*.p95", "a.p95", True),
        ("*.p95", "a.p99", False),
        ("a.p99@steady", "a.p99@steady", True),
        ("a.p99", "a.p99@steady", False),
        ("a.[x]", "a.x", False),
    ],
)
def test_names(pattern: str, name: str, yes: bool) -> None:
    assert matches(pattern, name) is yes


@given(st.floats(-1e9, 1e9), st.floats(-1e9, 1e9))
def test_a_broken_value_is_never_shown_as_equal_to_its_limit(value: float, edge: float) -> None:
    bound = Bound(operator="<=", value=edge, unit="ms")
    if not holds(Fraction(repr(value)), bound):
        limit = Limit(text="", bounds=(bound,))
        shown = judge_rule(
            LimitRule(name="a", limit=limit), Measurement(name="a", value=value, unit="ms"), live=None
        )
        assert beside(value, "ms", bound) != beside(edge, "ms", bound)
        assert shown.outcome is Outcome.FAIL
