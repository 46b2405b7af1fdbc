"""How long a target takes to recover from a spike."""

from __future__ import annotations

import pytest

from release_gates.errors import MeasurementError
from release_gates.model.limit import LimitRule
from release_gates.policy.grammar import parse_limit
from release_gates.probes.load.plan import Phase
from release_gates.probes.load.recovery import Window, check_recover, recovered_s

GOOD, BAD, NONE = Window(100, 1), Window(100, 2), Window(0, 0)


def test_it_recovered_where_the_last_bad_window_ends() -> None:
    assert recovered_s([GOOD, GOOD], 0.01) == 0.0
    assert recovered_s([BAD, BAD, GOOD], 0.01) == 2.0
    assert recovered_s([BAD, GOOD, BAD, GOOD], 0.01) == 3.0


def test_it_did_not_recover_where_the_last_window_is_bad_or_empty() -> None:
    assert recovered_s([GOOD, BAD], 0.01) is None
    assert recovered_s([GOOD, NONE], 0.01) is None
    assert recovered_s([], 0.01) is None


def test_a_phase_that_ends_before_the_limit_is_refused() -> None:
    phases = (Phase(tag="spike", seconds=1, rate=1), Phase(tag="recover", seconds=4, rate=1))
    check_recover(phases, (LimitRule(name="*.recovery_time", limit=parse_limit("<= 4 s")),))
    with pytest.raises(MeasurementError, match="takes 4 s"):
        check_recover(phases, (LimitRule(name="*.recovery_time", limit=parse_limit("<= 5000 ms")),))
