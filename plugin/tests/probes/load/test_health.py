"""A generator that could not keep up says nothing about the target."""

from __future__ import annotations

from collections import Counter

import pytest

from release_gates.probes.load.buckets import bucket_of
from release_gates.probes.load.health import too_late, unfit
from release_gates.probes.load.recording import Health


def health(
    *, asked: int = 1000, offered: int = 1000, lag_s: float = 0.001, cpu_s: float = 4.0, wall_s: float = 10.0
) -> Health:
    return Health(
        asked=asked, offered=offered, lag=Counter({bucket_of(lag_s): 1000}), cpu_s=cpu_s, wall_s=wall_s
    )


def test_a_fit_generator_has_nothing_to_say() -> None:
    assert unfit(health()) == ""
    assert unfit(health(offered=990)) == ""
    assert unfit(health(asked=0, offered=0)) == ""  # closed loops are asked for no rate


@pytest.mark.parametrize(
    ("found", "because"),
    [
        (health(offered=989), "it offered 989 of 1000 requests"),
        (health(lag_s=0.006), "its own delays have a p99 of 6 ms; below 5 ms is needed"),
        (health(cpu_s=8.0), "it used 80% of a core"),
        (health(wall_s=0.0), "nothing about its own processor time"),
        (Health(asked=9, offered=9, cpu_s=1, wall_s=9), "nothing about its own delays"),
        (Health(), "nothing about its own"),
    ],
)
def test_an_unfit_generator_says_why(found: Health, because: str) -> None:
    assert unfit(found).startswith("the generator, not the target: ")
    assert because in unfit(found)


def test_a_tight_limit_needs_a_more_exact_generator() -> None:
    assert unfit(health(lag_s=0.0004)) == ""
    assert "below 0.05 ms is needed" in too_late(health(lag_s=0.0004), [0.5, 0.001])
    assert too_late(health(lag_s=0.00004), [0.001]) == ""
    assert too_late(health(lag_s=0.004), []) == ""


def test_a_far_quantile_needs_more_of_the_delays_to_be_small() -> None:
    """Half a percent of the requests left 0.2 s late: five times what may be slow for a p99.9."""
    some = health()
    some.lag[bucket_of(0.2)] = 5
    assert too_late(some, [0.5], 0.99) == ""
    assert "a p99.9 of 200 ms; below 25 ms is needed" in too_late(some, [0.5], 0.999)
    assert too_late(some, [], 0.999) == ""
