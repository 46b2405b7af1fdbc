"""Turns of candidate and live build: only like is compared with like, and all of it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import pytest

from release_gates.probes.load.drive import Run
from release_gates.probes.load.recorder import Recorder
from release_gates.probes.load.resources import Usage, usage_of
from release_gates.probes.load.settings import Turns
from release_gates.probes.load.turns import Turn, compared, turn_phases
from release_gates.probes.load.usage import resources

Recorded = Callable[..., Run]
PHASES = turn_phases(Turns(pairs=4, seconds=1, rate=100), 1)


def turn(bad: int = 0, latency_s: float = 0.001) -> Callable[[Recorder], None]:
    def fill(recorder: Recorder) -> None:
        for number in range(150):
            due_s = number * 0.01
            if number >= 150 - bad:
                recorder.channel("orders").failed(due_s, "status")
            else:
                recorder.channel("orders").answered(due_s, latency_s)

    return fill


def turns(recorded: Recorded, mine: int, theirs: int) -> list[Turn]:
    pair = [("candidate", recorded(turn(mine), *PHASES)), ("baseline", recorded(turn(theirs), *PHASES))]
    return pair * 4


def test_every_value_has_its_ratios(recorded: Recorded) -> None:
    found = {each.name: each for each in compared(turns(recorded, 0, 0), 1)}
    assert set(found) == {"orders.throughput", "orders.p50", "orders.p95"}
    assert found["orders.p95"].windows is not None
    assert found["orders.p95"].windows.ratios == (0.0,) * 4


@pytest.mark.parametrize(("mine", "theirs", "who"), [(40, 0, "candidate"), (0, 40, "baseline")])
def test_who_fails_its_requests_is_not_compared(recorded: Recorded, mine: int, theirs: int, who: str) -> None:
    """What fails at once takes no processor time: a build that refuses everything would look cheap."""
    for found in compared(turns(recorded, mine, theirs), 1):
        assert found.absent == "inconclusive"
        assert f"the {who} failed 40 of the 100 requests" in found.because


def test_a_single_failure_counts_as_one_that_was_given_up(recorded: Recorded) -> None:
    found = {each.name: each for each in compared(turns(recorded, 1, 0), 1)}
    assert found["orders.p50"].value == pytest.approx(1, rel=0.01)
    assert found["orders.throughput"].value == 99


def test_threads_that_ended_have_used_the_processor_too() -> None:
    """A target with a thread for each request would cost nothing otherwise."""

    def work() -> None:
        end_s = time.thread_time() + 0.05
        while time.thread_time() < end_s:
            pass

    before = usage_of(os.getpid())
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    after = usage_of(os.getpid())
    assert before is not None
    assert after is not None
    assert after.cpu_s - before.cpu_s >= 0.05


def test_what_a_target_started_belongs_to_it() -> None:
    """A server that lets others do the work would cost nothing and never grow."""
    work = "import time\nheld = b'x' * 60_000_000\nwhile time.process_time() < 0.2: pass\n"
    forks = f"import subprocess, sys\nwork = {work!r}\n" + (
        "child = subprocess.Popen([sys.executable, '-c', work + 'print(1, flush=True); input()'],"
        " stdin=subprocess.PIPE, stdout=subprocess.PIPE)\n"
        "child.stdout.readline(); print(1, flush=True); input()\n"
        "child.communicate(b'\\n'); print(2, flush=True); input()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", forks], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as target:
        assert target.stdin is not None
        assert target.stdout is not None
        target.stdout.readline()
        both = usage_of(target.pid)
        target.stdin.write("\n")
        target.stdin.flush()
        target.stdout.readline()
        alone = usage_of(target.pid)
        target.stdin.write("\n")
    assert both is not None
    assert alone is not None
    assert both.rss_bytes - alone.rss_bytes > 50_000_000
    assert (both.threads, alone.threads) == (2, 1)
    assert min(both.cpu_s, alone.cpu_s) >= 0.2


def test_a_process_that_ended_before_the_run_did_is_an_error(recorded: Recorded) -> None:
    phases = turn_phases(Turns(pairs=4, seconds=10, rate=100), 1)
    looks = [Usage(100 + 0.5 * number, 1 << 20, 4, 9, 0.1 * number) for number in range(21)]
    whole = resources(recorded(turn(), *phases, usage=looks), None)
    assert {each.absent for each in whole} == {"", "inconclusive"}  # too few looks for a trend
    for each in resources(recorded(turn(), *phases, usage=looks[:12]), None):
        assert each.absent == "error"
        assert "was gone 5.0 s before the end" in each.because
