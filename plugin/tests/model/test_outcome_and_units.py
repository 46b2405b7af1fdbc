"""Order laws of worst-of; exact and checked units; canonical JSON."""

from __future__ import annotations

from fractions import Fraction

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from release_gates.model.candidate import Artifact, ReleaseCandidate
from release_gates.model.measurement import Measurement
from release_gates.model.outcome import Outcome, worst
from release_gates.model.record import canonical, digest
from release_gates.model.units import UNITS, convert, dimension, exact

OUTCOMES = st.sampled_from(Outcome)


@given(st.lists(OUTCOMES), st.lists(OUTCOMES))
def test_worst_is_associative_commutative_and_idempotent(left: list[Outcome], right: list[Outcome]) -> None:
    if left and right:
        assert worst([worst(left), worst(right)]) is worst([*left, *right])
        assert worst([*left, *right]) is worst([*right, *left])
        assert worst([*left, *left]) is worst(left)


@given(st.lists(OUTCOMES, min_size=1), OUTCOMES)
def test_more_never_gets_better(outcomes: list[Outcome], more: Outcome) -> None:
    assert worst([*outcomes, more]).rank >= worst(outcomes).rank


def test_nothing_is_missing() -> None:
    assert worst([]) is Outcome.MISSING


def test_order_from_best_to_worst() -> None:
    words = ["PASS", "WARN", "WAIVED", "INCONCLUSIVE", "MISSING", "ERROR", "FAIL"]
    assert [outcome.value for outcome in sorted(Outcome, key=lambda each: each.rank)] == words
    assert [outcome.value for outcome in Outcome if outcome.promotes] == words[:3]


@given(st.sampled_from(sorted(UNITS)), st.sampled_from(sorted(UNITS)), st.floats(-1e12, 1e12))
def test_conversion_is_exact_both_ways_or_refused(unit: str, to: str, value: float) -> None:
    if UNITS[unit][0] != UNITS[to][0]:
        with pytest.raises(ValueError, match="does not convert"):
            convert(value, unit, to)
    else:
        there = exact(value, unit, to)
        assert there * UNITS[to][1] / UNITS[unit][1] == Fraction(repr(value))


@pytest.mark.parametrize(
    ("value", "unit", "to", "expected"),
    [
        (500, "ms", "s", 0.5),
        (1, "GiB", "MiB", 1024),
        (1, "GB", "MB", 1000),
        (12, "%", "ratio", 0.12),
        (60, "req/min", "req/s", 1),
    ],
)
def test_conversions(value: float, unit: str, to: str, expected: float) -> None:
    assert convert(value, unit, to) == expected


@pytest.mark.parametrize("unit", ["mss", "req/s/s", "", "MS", "req/"])
def test_unknown_unit_is_refused(unit: str) -> None:
    with pytest.raises(ValueError, match="unit"):
        dimension(unit)


@given(st.floats(allow_nan=False, allow_infinity=False), st.integers(0, 10**9), st.text(max_size=20))
def test_measurement_round_trip(value: float, samples: int, name: str) -> None:
    measurement = Measurement(name=name, value=value, unit="ms", samples=samples)
    assert msgspec.json.decode(msgspec.json.encode(measurement), type=Measurement) == measurement


def test_candidate_identity_is_its_digests_and_nothing_else() -> None:
    one = Artifact(name="a", sha256="1" * 64)
    two = Artifact(name="b", sha256="2" * 64)
    made = ReleaseCandidate(name="x", version="1", commit="c", artifacts=(one, two))
    renamed = msgspec.structs.replace(made, version="2", commit="d", artifacts=(two, one))
    assert made.digest == renamed.digest
    assert made.digest != msgspec.structs.replace(made, artifacts=(one,)).digest


def test_canonical_json_refuses_what_json_cannot_hold() -> None:
    with pytest.raises(ValueError, match=r".*"):
        canonical({"value": float("nan")}).decode()
    assert digest({"b": 1, "a": 2}) == digest({"a": 2, "b": 1})
