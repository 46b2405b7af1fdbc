"""The knee of a stress run, found against a target whose knee is known."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from release_gates.probes.load.knee import Kept, Step, bracket, next_rate
from release_gates.probes.load.settings import Steps
from release_gates.probes.load.stress import knee

STEPS = Steps(lowest=100, highest=10_000)


def search(steps: Steps, truth: float, otherwise: Kept = "broken") -> list[Step]:
    tried: list[Step] = []
    while (rate := next_rate(steps, tried)) is not None:
        tried.append(Step(rate, "kept" if rate <= truth else otherwise))
    return tried


@given(st.floats(101, 9_900))
def test_the_knee_is_found_within_five_percent(truth: float) -> None:
    low, high = bracket(search(STEPS, truth))
    assert low is not None
    assert high is not None
    assert low <= truth <= high
    assert high - low <= 0.05 * low


def test_a_target_that_takes_everything_has_no_upper_end() -> None:
    tried = search(STEPS, 1e9)
    assert bracket(tried) == (10_000, None)
    assert knee("stress.knee", tried).interval == (10_000, None)


def test_a_target_that_takes_nothing_is_broken_at_the_lowest_rate() -> None:
    assert bracket(search(STEPS, 1)) == (None, 100)
    assert knee("stress.knee", search(STEPS, 1)).interval == (0, 100)


def test_what_the_generator_could_not_send_bounds_nothing() -> None:
    low, high = bracket(search(STEPS, 1000, "unfit"))
    assert low is not None
    assert 950 <= low <= 1000
    assert high is None


def test_without_a_decided_step_nothing_is_said() -> None:
    found = knee("stress.knee", search(STEPS, 1, "open"))
    assert found.absent == "inconclusive"
    assert "100 req/s open" in found.because


@given(st.lists(st.sampled_from(["kept", "broken", "open", "unfit"]), min_size=60, max_size=60))
def test_the_search_ends_and_never_contradicts_itself(answers: list[Kept]) -> None:
    tried: list[Step] = []
    while (rate := next_rate(STEPS, tried)) is not None:
        tried.append(Step(rate, answers[len(tried)]))
    low, high = bracket(tried)
    assert low is None or high is None or low < high
