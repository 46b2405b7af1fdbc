"""How long a target takes to recover from a spike."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from release_gates.errors import MeasurementError
from release_gates.model.limit import LimitRule
from release_gates.policy.grammar import parse_limit
from release_gates.probes.load.drive import Run
from release_gates.probes.load.plan import Phase
from release_gates.probes.load.recorder import Recorder
from release_gates.probes.load.recovery import Window, check_recover, recovered_s, recoveries

GOOD, BAD, NONE = Window(100, 1), Window(100, 2), Window(0, 0)


def test_it_recovered_where_the_last_bad_window_ends() -> None:
    assert recovered_s([GOOD, GOOD], 0.01) == 0.0
    assert recovered_s([BAD, BAD, GOOD], 0.01) == 2.0
    assert recovered_s([BAD, GOOD, BAD, GOOD], 0.01) == 3.0


def test_it_did_not_recover_where_the_last_window_is_bad_or_empty() -> None:
    assert recovered_s([GOOD, BAD], 0.01) is None
    assert recovered_s([GOOD, NONE], 0.01) is None
    assert recovered_s([], 0.01) is None


def test_the_last_part_of_a_phase_is_looked_at_too(recorded: Callable[..., Run]) -> None:
    """The target is slow again in the half second behind four whole ones."""

    def fill(recorder: Recorder) -> None:
        for number in range(550):
            at_s = number / 100
            recorder.channel("orders").answered(at_s, 2.0 if at_s >= 5 else 0.01)

    rules = (LimitRule(name="*.p95", limit=parse_limit("<= 1 s")),)
    phases = (Phase(tag="spike", seconds=1, rate=100), Phase(tag="recover", seconds=4.5, rate=100))
    (found,) = recoveries(recorded(fill, *phases, rules=rules), rules)
    assert found.interval == (4.5, None)


def test_a_phase_that_ends_before_the_limit_is_refused() -> None:
    phases = (Phase(tag="spike", seconds=1, rate=1), Phase(tag="recover", seconds=4, rate=1))
    check_recover(phases, (LimitRule(name="*.recovery_time", limit=parse_limit("<= 4 s")),))
    with pytest.raises(MeasurementError, match="takes 4 s"):
        check_recover(phases, (LimitRule(name="*.recovery_time", limit=parse_limit("<= 5000 ms")),))
