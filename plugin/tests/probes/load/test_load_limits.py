"""Which latencies are counted: those of every rule that may be about a quantile."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from release_gates.judge.limits import judge_rule
from release_gates.model.limit import LimitRule
from release_gates.model.outcome import Outcome
from release_gates.policy.grammar import parse_limit
from release_gates.probes.load.drive import Run
from release_gates.probes.load.measuring import measurements
from release_gates.probes.load.plan import Phase
from release_gates.probes.load.recorder import Recorder


@pytest.mark.parametrize("name", ["orders.p*", "orders.*@steady", "o*9", "*.p9[59]*", "*.p99"])
def test_a_name_in_any_form_is_counted_and_judged(name: str, recorded: Callable[..., Run]) -> None:
    def slow(recorder: Recorder) -> None:
        for number in range(600):
            recorder.channel("orders").answered(number / 100, 0.9)

    rule = LimitRule(name=name, limit=parse_limit("<= 100 ms"))
    run = recorded(slow, Phase(tag="steady", seconds=6, rate=100), rules=(rule,))
    found = {each.name: each for each in measurements(run, (rule,))}
    p99 = found["orders.p99@steady" if name.endswith(("@steady", "]*")) else "orders.p99"]
    assert judge_rule(rule, p99, live=None).outcome is Outcome.FAIL


def test_evidence_has_blocks_only_where_a_limit_asks(recorded: Callable[..., Run]) -> None:
    """An hour has thousands of them for each quantile."""

    def one(recorder: Recorder) -> None:
        recorder.channel("orders").answered(0.1, 0.9)

    rule = LimitRule(name="*.p99", limit=parse_limit("<= 100 ms"))
    run = recorded(one, Phase(tag="steady", seconds=6, rate=100), rules=(rule,))
    tails = {each.name: each.tail for each in measurements(run, (rule,)) if each.tail}
    assert {name for name, tail in tails.items() if tail.blocks} == {"orders.p99"}
    assert "orders.p50" in tails
