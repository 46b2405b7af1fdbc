"""When requests are due: in order, as many as the area below the rates."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from release_gates.probes.load.open.schedule import arrivals, due, most_users, users_at
from release_gates.probes.load.plan import Phase

rates = st.floats(min_value=0, max_value=400)
phases = st.lists(
    st.builds(
        Phase,
        tag=st.just("a"),
        seconds=st.integers(1, 6).map(lambda blocks: blocks / 2),
        rate=rates,
        rate_end=st.none() | rates,
        users=st.just(1),
    ),
    min_size=1,
    max_size=4,
)


@given(phases)
def test_as_many_are_due_as_the_area_below_the_rates(phases: list[Phase]) -> None:
    found = list(arrivals(phases))
    assert len(found) == due(phases)
    area = sum(
        phase.seconds * (phase.rate + (phase.rate if phase.rate_end is None else phase.rate_end)) / 2
        for phase in phases
    )
    assert abs(len(found) - area) <= 1
    assert all(earlier <= later for earlier, later in pairwise(found))
    assert all(0 <= each <= sum(phase.seconds for phase in phases) for each in found)


def test_a_constant_rate_is_evenly_spaced() -> None:
    found = list(arrivals([Phase(tag="a", seconds=1, rate=4), Phase(tag="b", seconds=1, rate=2)]))
    assert found == [0, 0.25, 0.5, 0.75, 1.0, 1.5]


def test_a_fraction_of_a_request_is_carried_into_the_next_phase() -> None:
    assert list(arrivals([Phase(tag="a", seconds=0.5, rate=1)] * 4)) == [0, 1]


def test_a_ramp_grows_linearly() -> None:
    found = list(arrivals([Phase(tag="a", seconds=10, rate=0, rate_end=20)]))
    assert found == pytest.approx([math.sqrt(number) for number in range(100)])
    falling = list(arrivals([Phase(tag="a", seconds=10, rate=20, rate_end=0)]))
    assert len(falling) == 100
    assert falling[50] < 5


def test_users_of_closed_phases_only() -> None:
    phases = [
        Phase(tag="a", seconds=1, rate=5, users=99),
        Phase(tag="b", seconds=2, users=10, users_end=30),
        Phase(tag="c", seconds=1, users=3),
    ]
    assert [users_at(phases, at_s)[0] for at_s in (0, 1, 2, 2.999, 3, 4)] == [0, 10, 20, 30, 3, 0]
    assert users_at(phases, 1.5) == (15, 3)
    assert most_users(phases) == 30
    assert most_users(phases[:1]) == 0
