"""Whether a host is quiet: arithmetic on samples, and a wait whose clock, sleep and samples are given."""

from __future__ import annotations

import math
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from release_gates.host.processes import command_of, cpu_ticks, started_at
from release_gates.host.quiet import WINDOW_S, CpuSample, noise, parse_stat, sample, wait_quiet

STAT = "cpu  100 10 40 800 50 1 2 7 30 0\ncpu0 50 5 20 400 25 0 1 3 15 0\n"


def at(busy: int, steal: int, idle: int, own: float = 0, **processes: int) -> CpuSample:
    return CpuSample(
        busy=busy,
        steal=steal,
        idle=idle,
        own=own,
        processes={int(pid[1:]): ticks for pid, ticks in processes.items()},
    )


def test_stat_is_read_without_counting_guests_twice() -> None:
    assert parse_stat(STAT) == (153, 7, 850)


@pytest.mark.parametrize(
    "text", ["", "cpu", "cpu 1 2 3", "cpu a b c d e f g h", "cpu0 1 2 3 4 5 6 7 8", "cpu -1 2 3 4 5 6 7 8"]
)
def test_a_stat_that_does_not_tell_is_no_sample(text: str) -> None:
    assert parse_stat(text) is None


@given(st.text())
def test_any_text_is_a_sample_or_none(text: str) -> None:
    found = parse_stat(text)
    assert found is None or min(found) >= 0


def test_what_this_process_did_is_no_noise_and_steal_is() -> None:
    found = noise(at(0, 0, 0, own=0), at(60, 3, 37, own=58), me=1)
    assert (found.others, found.steal, found.is_quiet) == (0.02, 0.03, True)
    assert not noise(at(0, 0, 0), at(6, 0, 94), me=1).is_quiet


def test_the_busiest_processes_are_named_without_this_one() -> None:
    before, after = at(0, 0, 0, p7=10, p8=0, p9=5), at(90, 0, 10, p7=40, p8=50, p9=5, p1=60)
    assert noise(before, after, me=1).busiest == ((8, 0.5), (7, 0.3))


@pytest.mark.parametrize("after", [at(0, 0, 0), at(-5, 0, 50), at(5, -1, 50)])
def test_samples_that_show_nothing_are_never_quiet(after: CpuSample) -> None:
    found = noise(at(0, 0, 0), after, me=1)
    assert math.isnan(found.share)
    assert not found.is_quiet


class Time:
    """A clock that only sleeping moves, and a host that becomes quiet after so many looks (two a window)."""

    def __init__(self, noisy: int) -> None:
        self.now = 0.0
        self.looks = 0
        self._noisy = noisy
        self._sample = at(0, 0, 0)
        self.said: list[str] = []

    def look(self) -> CpuSample:
        self.looks += 1
        if self.looks % 2 == 0:
            busy = 50 if self.looks // 2 <= self._noisy else 0
            last = self._sample
            self._sample = at(last.busy + busy, 0, last.idle + 100 - busy)
        return self._sample

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def wait(self, bound_s: float) -> tuple[float, float | None, bool]:
        found = wait_quiet(
            bound_s, self.said.append, look=self.look, sleep=self.sleep, clock=lambda: self.now
        )
        return found.waited_s, found.noise, found.quiet


def test_a_quiet_host_is_believed_after_one_look() -> None:
    time = Time(noisy=0)
    assert time.wait(1200) == (WINDOW_S, 0, True)
    assert time.said == []


def test_it_waits_until_the_host_is_quiet_and_says_so_now_and_then() -> None:
    time = Time(noisy=20)
    assert time.wait(1200) == (21 * WINDOW_S, 0, True)
    assert len(time.said) == 4  # after 5, 35, 65 and 95 s
    assert time.said[0].startswith("waiting for a quiet host, 5 of 1200 s: other processes take 50% of")


def test_the_bound_holds_and_is_told() -> None:
    time = Time(noisy=1000)
    assert time.wait(12) == (12, 0.5, False)
    assert "did not become quiet within 12 s, measuring all the same" in time.said[-1]


def test_a_host_that_tells_nothing_is_not_quiet() -> None:
    said: list[str] = []
    found = wait_quiet(0, said.append, look=lambda: at(0, 0, 0), sleep=lambda _: None, clock=lambda: 0.0)
    assert (found.noise, found.quiet) == (None, False)
    assert "/proc/stat does not tell" in said[-1]


def test_this_host_is_seen() -> None:
    found = sample()
    assert found.busy > 0
    assert os.getpid() in cpu_ticks()
    assert "pytest" in command_of(os.getpid()) or "python" in command_of(os.getpid())
    assert started_at(os.getpid()) > 0
    assert (command_of(2**22 + 1), started_at(2**22 + 1)) == ("", 0)
