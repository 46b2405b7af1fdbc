"""Slower, equivalent or open: the sequence of looks, what is no evidence, and how often it errs."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from random import Random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from release_gates.judge.sequential import Finding, alpha, find, next_step, processes_needed, spread_of
from release_gates.model.paired import Paired, PairPlan, ProcessPair

PLAN = PairPlan(looks=(6, 12, 24), confirm=8, false_alarm=0.01, wrong_pass=0.01, benchmarks=50)
LIMIT = math.log1p(0.015)


def processes(ratios: Sequence[float], *, start: int = 0) -> tuple[ProcessPair, ...]:
    return tuple(
        ProcessPair(
            ratio=ratio,
            spread=0.01,
            kept=80,
            dropped=3,
            first="candidate" if number % 2 else "baseline",
            seed=number,
        )
        for number, ratio in enumerate(ratios, start)
    )


def paired(ratios: Sequence[float], again: Sequence[float] = (), plan: PairPlan = PLAN) -> Paired:
    return Paired(plan=plan, processes=processes(ratios), confirmation=processes(again))


def around(percent: float, count: int, *, noise: float = 0.001) -> list[float]:
    return [math.log1p(percent / 100) + noise * ((number // 2) % 3 - 1) for number in range(count)]


def test_a_slowdown_needs_fresh_processes_that_repeat_it() -> None:
    first = paired(around(3, 6))
    assert find(first, LIMIT).kind == "unconfirmed"
    assert next_step(first, LIMIT) == msgspec.convert(
        {"processes": 6, "confirmation": 8}, type(next_step(first, LIMIT))
    )
    found = find(paired(around(3, 6), around(3, 8)), LIMIT)
    assert found.kind == "slower"
    assert found.confirmed is not None
    assert next_step(paired(around(3, 6), around(3, 8)), LIMIT) is None


def test_a_slowdown_that_fresh_processes_do_not_repeat_is_none() -> None:
    assert find(paired(around(3, 6), around(1.4, 8)), LIMIT).kind == "unconfirmed"


def test_as_fast_as_before_is_equivalent_at_the_first_look() -> None:
    assert find(paired(around(0, 6)), LIMIT).kind == "equivalent"
    assert next_step(paired(around(0, 6)), LIMIT) is None


def test_much_faster_is_equivalent() -> None:
    assert find(paired(around(-40, 6)), LIMIT).kind == "equivalent"


def test_between_both_there_is_another_look_and_an_end() -> None:
    at_limit = around(1.2, 40, noise=0.02)
    for done, then in ((6, 12), (12, 24)):
        step = next_step(paired(at_limit[:done]), LIMIT)
        assert step is not None
        assert step.processes == then
    assert next_step(paired(at_limit[:24]), LIMIT) is None
    assert find(paired(at_limit[:24]), LIMIT).kind == "undecided"


def test_data_behind_the_look_that_decided_change_nothing() -> None:
    assert find(paired([*around(0, 6), *around(30, 18)]), LIMIT).kind == "equivalent"


def test_processes_between_two_looks_are_not_judged() -> None:
    noisy = around(0.5, 6, noise=0.02)
    assert find(paired([*noisy, *around(0, 5)]), LIMIT) == find(paired(noisy), LIMIT)


@pytest.mark.parametrize(
    ("bad", "because"),
    [
        (paired([]), "0 of 6 processes"),
        (paired(around(0, 5)), "5 of 6 processes"),
        (paired([0.0] * 6), "exactly the same ratio"),
        (paired([0.0, 0.1] * 3), "exactly the same ratio"),
        (paired([*around(0, 5), math.nan]), "its ratio is none"),
        (paired([*around(0, 5), math.inf]), "its ratio is none"),
        (paired(around(0, 6), plan=msgspec.structs.replace(PLAN, looks=())), "the plan is none"),
        (paired(around(0, 6), plan=msgspec.structs.replace(PLAN, looks=(2, 6))), "the plan is none"),
        (paired(around(0, 6), plan=msgspec.structs.replace(PLAN, looks=(6, 6))), "the plan is none"),
        (paired(around(0, 6), plan=msgspec.structs.replace(PLAN, confirm=0)), "the plan is none"),
        (paired(around(0, 6), plan=msgspec.structs.replace(PLAN, wrong_pass=1.0)), "the plan is none"),
        (paired(around(0, 6), plan=msgspec.structs.replace(PLAN, benchmarks=0)), "the plan is none"),
    ],
)
def test_what_is_no_evidence_says_nothing(bad: Paired, because: str) -> None:
    found = find(bad, LIMIT)
    assert found.kind == "unfit"
    assert because in found.because


def test_one_side_always_first_is_no_evidence() -> None:
    same = tuple(msgspec.structs.replace(process, first="baseline") for process in processes(around(0, 6)))
    assert "the same side first" in find(Paired(plan=PLAN, processes=same), LIMIT).because


def test_fresh_processes_of_one_side_are_no_evidence_whatever_follows_them() -> None:
    same = tuple(msgspec.structs.replace(process, first="baseline") for process in processes(around(3, 8)))
    lopsided = msgspec.structs.replace(paired(around(3, 6)), confirmation=(*same, *processes(around(3, 8))))
    assert "the same side first" in find(lopsided, LIMIT).because


def test_a_process_that_kept_nothing_is_no_evidence() -> None:
    empty = tuple(msgspec.structs.replace(process, kept=0) for process in processes(around(0, 6)))
    assert find(Paired(plan=PLAN, processes=empty), LIMIT).kind == "unfit"


def test_the_side_that_is_loaded_first_does_not_move_the_estimate() -> None:
    biased = [0.1 if number % 2 else -0.1 for number in range(6)]
    steady = [ratio + 0.0001 * number for number, ratio in enumerate(biased)]
    assert abs(spread_of(processes(steady)).mean) < 0.001
    assert find(paired(steady), LIMIT).kind == "equivalent"


def test_more_benchmarks_are_judged_more_strictly() -> None:
    few, many = (alpha(msgspec.structs.replace(PLAN, benchmarks=count)) for count in (5, 500))
    assert many < few <= 0.01
    assert len(PLAN.looks) * PLAN.benchmarks * alpha(PLAN) ** 2 <= PLAN.false_alarm * (1 + 1e-9)


def test_what_would_decide() -> None:
    spread = spread_of(processes(around(0.5, 24, noise=0.01)))
    needed = processes_needed(spread, LIMIT, PLAN)
    assert needed is not None
    assert 6 <= needed <= 60
    assert processes_needed(spread, spread.mean, PLAN) is None


def simulated(random: Random, percent: float, deviation: float, bias: float) -> Finding:
    def measure(count: int) -> list[float]:
        return [
            math.log1p(percent / 100) + random.gauss((bias if n % 2 else -bias), deviation)
            for n in range(count)
        ]

    data = paired([])
    while (step := next_step(data, LIMIT)) is not None:
        more = step.processes - len(data.processes)
        data = msgspec.structs.replace(
            data,
            processes=(*data.processes, *processes(measure(more), start=len(data.processes))),
            confirmation=processes(measure(step.confirmation)),
        )
    return find(data, LIMIT)


@pytest.mark.parametrize(
    ("percent", "kind", "least"), [(0.0, "equivalent", 0.97), (3.0, "slower", 0.97), (5.0, "slower", 0.99)]
)
def test_power_on_gaussian_noise(percent: float, kind: str, least: float) -> None:
    random = Random(5)
    kinds = Counter(simulated(random, percent, 0.0095, 0.005).kind for _ in range(300))
    assert kinds[kind] >= least * 300, kinds


def test_false_alarms_and_wrong_passes_on_gaussian_noise() -> None:
    random = Random(6)
    same = Counter(simulated(random, 0.0, 0.02, 0.01).kind for _ in range(1500))
    at_limit = Counter(simulated(random, 1.5, 0.01, 0.0).kind for _ in range(1000))
    assert same["slower"] <= 2, same  # 1500 / 50 = 30 suites with 1 % each
    assert at_limit["equivalent"] <= 20, at_limit  # 1 % of 1000 are 10; P(more than 20) is below 0.2 %


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=30), st.floats(-0.5, 0.5))
def test_any_numbers_give_an_answer_and_an_end(ratios: list[float], limit: float) -> None:
    data = paired(ratios)
    found = find(data, limit)
    if found.kind == "equivalent":
        assert len(ratios) >= 6
        assert found.spread is not None
        assert found.spread.mean < limit
    step = next_step(data, limit)
    assert step is None or step.processes > len(ratios) or step.confirmation > 0
