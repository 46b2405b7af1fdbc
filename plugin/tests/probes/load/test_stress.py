"""What one step of a stress run was: kept only where every limit could be looked at."""

from __future__ import annotations

from collections.abc import Callable

from release_gates.model.limit import LimitRule
from release_gates.policy.grammar import parse_limit
from release_gates.probes.load.drive import Run
from release_gates.probes.load.recorder import Recorder
from release_gates.probes.load.stress import kept, step_phases

RULES = (
    LimitRule(name="*.p95", limit=parse_limit("<= 20 ms")),
    LimitRule(name="*.error_rate", limit=parse_limit("<= 1 %")),
)
Recorded = Callable[..., Run]


def step(lag_s: float = 0.0, latency_s: float = 0.001) -> Callable[[Recorder], None]:
    def fill(recorder: Recorder) -> None:
        for number in range(1000):
            due_s = number * 0.003
            recorder.asked(due_s)
            recorder.offered(due_s, lag_s)
            recorder.channel("orders").answered(due_s, latency_s)

    return fill


def test_a_step_is_kept_where_all_that_was_seen_is_within(recorded: Recorded) -> None:
    phases = step_phases(333, 2)
    assert kept(recorded(step(), *phases, rules=RULES), RULES) == "kept"
    assert kept(recorded(step(latency_s=1.0), *phases, rules=RULES), RULES) == "broken"


def test_a_limit_that_nobody_could_look_at_is_not_kept(recorded: Recorded) -> None:
    """Delays of 2 ms are small enough for the run and too large for a limit of 20 ms."""
    run = recorded(step(lag_s=0.002), *step_phases(333, 2), rules=RULES)
    assert run.unfit == ""
    assert kept(run, RULES) == "open"


def test_a_step_that_was_ended_early_is_not_kept(recorded: Recorded) -> None:
    run = recorded(step(), *step_phases(333, 2), rules=RULES, stopped="orders.p95", at_s=2.0)
    assert kept(run, RULES) == "open"
