"""How long a target takes to recover from a spike."""

from __future__ import annotations

from release_gates.probes.load.recovery import Window, recovered_s

GOOD, BAD, NONE = Window(100, 1), Window(100, 2), Window(0, 0)


def test_it_recovered_where_the_last_bad_window_ends() -> None:
    assert recovered_s([GOOD, GOOD], 0.01) == 0.0
    assert recovered_s([BAD, BAD, GOOD], 0.01) == 2.0
    assert recovered_s([BAD, GOOD, BAD, GOOD], 0.01) == 3.0


def test_it_did_not_recover_where_the_last_window_is_bad_or_empty() -> None:
    assert recovered_s([GOOD, BAD], 0.01) is None
    assert recovered_s([GOOD, NONE], 0.01) is None
    assert recovered_s([], 0.01) is None
