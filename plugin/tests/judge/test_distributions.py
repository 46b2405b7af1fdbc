"""The two distributions against published tables and against sums that anybody can repeat."""

from __future__ import annotations

from fractions import Fraction
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from release_gates.judge.binomial import at_least, at_most
from release_gates.judge.student import quantile, upper_tail


@pytest.mark.parametrize(
    ("tail", "freedom", "t"),
    # NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.6.7.2, critical values of Student's t
    [
        (0.05, 1, 6.314),
        (0.025, 4, 2.776),
        (0.01, 10, 2.764),
        (0.001, 4, 7.173),
        (0.001, 11, 4.025),
        (0.005, 30, 2.750),
        (0.001, 100, 3.174),
    ],
)
def test_critical_values_are_those_of_the_tables(tail: float, freedom: int, t: float) -> None:
    assert quantile(tail, freedom) == pytest.approx(t, abs=6e-4)
    assert upper_tail(t, freedom) == pytest.approx(tail, rel=2e-3)


@given(st.floats(-50, 50), st.integers(1, 60))
def test_both_tails_are_the_whole(t: float, freedom: int) -> None:
    assert upper_tail(t, freedom) + upper_tail(-t, freedom) == pytest.approx(1)
    assert upper_tail(t, freedom) >= upper_tail(t + 1, freedom) - 1e-12


@pytest.mark.parametrize("bad", [0.0, 0.6, -1.0, float("nan")])
def test_a_tail_that_is_none_is_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="is not in"):
        quantile(bad, 4)


def test_no_freedom_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        upper_tail(1.0, 0)


@given(
    st.integers(1, 60).flatmap(lambda n: st.tuples(st.just(n), st.integers(-1, n + 1))), st.integers(1, 99)
)
def test_tails_of_the_binomial_are_the_exact_sums(counts: tuple[int, int], percent: int) -> None:
    n, k = counts
    p = Fraction(percent, 100)
    below = sum(comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(k + 1))
    assert at_most(k, n, float(p)) == pytest.approx(float(below), abs=1e-12)
    assert at_least(k + 1, n, float(p)) == pytest.approx(float(1 - below), abs=1e-12)


def test_a_million_trials() -> None:
    # the normal approximation with continuity correction agrees where it is known to be good
    assert at_most(10_000, 1_000_000, 0.01) == pytest.approx(0.5027, abs=1e-3)
    assert at_most(9_770, 1_000_000, 0.01) == pytest.approx(0.0105, abs=1e-3)
