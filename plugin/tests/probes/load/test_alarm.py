"""A run ends early for what is known, and not because failures are told before answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec

from release_gates.judge.limits import judge_rule
from release_gates.model.limit import LimitRule
from release_gates.model.outcome import Outcome
from release_gates.policy.grammar import parse_limit
from release_gates.probes.load.alarm import Alarm
from release_gates.probes.load.drive import Run
from release_gates.probes.load.limits import thresholds_of
from release_gates.probes.load.measuring import measurements, standing
from release_gates.probes.load.plan import BLOCK_S, Phase, Plan
from release_gates.probes.load.recorder import Recorder
from release_gates.probes.load.recording import Recording

Recorded = Callable[..., Run]
ERRORS = LimitRule(name="*.error_rate", limit=parse_limit("<= 1 %"), abort=True)
P99 = LimitRule(name="*.p99", limit=parse_limit("<= 1 s"), abort=True)
STEADY = Phase(tag="steady", seconds=10, rate=400)
IN_A_BLOCK = 100


class Told:
    """A recording that is told block by block: every request due there, when it ended, and how."""

    def __init__(self, rule: LimitRule) -> None:
        self.recorder = Recorder(thresholds_of((rule,)))
        self.recording = Recording()
        self.plan = Plan(
            target="http://127.0.0.1:1",
            root="/",
            phases=(STEADY,),
            thresholds=thresholds_of((rule,)),
            traffic="some:traffic",
            timeout_s=5,
        )
        self.alarm = Alarm((rule,), self.plan)

    def due(self, block: int) -> None:
        for number in range(IN_A_BLOCK):
            due_s = block * BLOCK_S + number * BLOCK_S / IN_A_BLOCK
            self.recorder.asked(due_s)
            self.recorder.offered(due_s, 0.0)
        self.recorder.ran(block * BLOCK_S, 0.01, BLOCK_S)

    def answered(self, block: int, count: int, latency_s: float) -> None:
        for _ in range(count):
            self.recorder.channel("orders").answered(block * BLOCK_S, latency_s)

    def failed(self, block: int, count: int) -> None:
        for _ in range(count):
            self.recorder.channel("orders").failed(block * BLOCK_S, "status")

    def reason(self, at_s: float) -> str:
        self.recording.add(self.recorder.frame(at_s))
        return self.alarm.reason(self.recording)


def test_failures_that_are_told_before_the_answers_end_nothing() -> None:
    """One of a hundred fails, as may be; the others take 0.6 s each."""
    told = Told(ERRORS)
    for block in range(20):
        told.due(block)
        told.failed(block, 1)
        if block >= 3:
            told.answered(block - 3, IN_A_BLOCK - 1, 0.6)
        assert told.reason((block + 1) * BLOCK_S) == ""


def test_a_breach_is_known_as_soon_as_its_requests_have_ended() -> None:
    told = Told(ERRORS)
    for block in range(2):
        told.due(block)
        told.failed(block, 10)
        told.answered(block, IN_A_BLOCK - 10, 0.001)
    assert told.reason(0.55) == "orders.error_rate"


def test_a_name_for_many_quantiles_ends_a_run_too() -> None:
    told = Told(LimitRule(name="orders.p*", limit=parse_limit("<= 100 ms"), abort=True))
    told.due(0)
    told.answered(0, IN_A_BLOCK, 0.2)
    assert told.reason(0.5).startswith("orders.p")


def test_a_target_that_answers_no_more_ends_a_run_by_its_timeouts() -> None:
    told = Told(P99)
    for block in range(30):
        told.due(block)
        if block < 4:
            told.answered(block, IN_A_BLOCK, 0.001)
        if block >= 24:
            told.failed(block - 20, IN_A_BLOCK)
        if told.reason((block + 1) * BLOCK_S):
            return
    raise AssertionError("nobody noticed")


def test_of_a_stopped_run_only_requests_that_have_ended_are_counted(recorded: Recorded) -> None:
    """Failures of the last moments are told, and the answers beside them are not."""

    def fill(recorder: Recorder) -> None:
        for number in range(800):
            due_s = number / 400
            recorder.asked(due_s)
            recorder.offered(due_s, 0.0)
            if due_s < 1:
                recorder.channel("orders").answered(due_s, 0.9)
            elif number % 100 == 0:
                recorder.channel("orders").failed(due_s, "status")
            elif due_s > 1.9:
                recorder.channel("orders").failed(due_s, "unsent")

    run = recorded(fill, STEADY, rules=(ERRORS, P99), stopped="book.p99", at_s=2.0)
    found = {each.name: each for each in standing(run, measurements(run, (ERRORS, P99)))}
    share, tail = found["orders.error_rate"].share, found["orders.p99"].tail
    assert share is not None
    assert (sum(share.of), sum(share.hits)) == (400, 0)
    assert tail is not None
    assert tail.samples == 400
    for rule, name in ((ERRORS, "orders.error_rate"), (P99, "orders.p99")):
        assert judge_rule(rule, found[name], live=None).outcome is Outcome.INCONCLUSIVE


def test_connections_are_counted_with_their_requests(serve: Any, drive: Any) -> None:
    """A run may end while requests wait that opened a connection: neither is told."""

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(0.3)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()

    traffic = """
    def traffic(connection):
        while True:
            yield Request("orders")
    """
    with serve(once) as server:
        _, child = drive(
            f"http://127.0.0.1:{server.port}",
            traffic,
            Phase(tag="steady", seconds=5, rate=100),
            connections=50,
            watch=lambda recording, at_s: "enough" if at_s > 1.2 else "",
        )
    tallies = child.recording.tallies["orders"].values()
    assert sum(tally.reconnects for tally in tallies) > 0
    assert all(tally.reconnects <= tally.requests for tally in tallies)


def spike(late_s: float) -> Callable[[Recorder], None]:
    def fill(recorder: Recorder) -> None:
        for number in range(10_000):
            recorder.asked(number / 100)
            recorder.offered(number / 100, 0.0)
        for number in range(90):
            recorder.asked(100 + number / 100)
            recorder.offered(100 + number / 100, late_s)

    return fill


def test_a_spike_that_the_generator_did_not_make_is_no_spike(recorded: Recorded) -> None:
    phases = (Phase(tag="steady", seconds=100, rate=100), Phase(tag="spike", seconds=1, rate=100))
    assert recorded(spike(0.0), *phases).unfit == ""
    unfit = recorded(spike(0.3), *phases).unfit
    assert unfit.startswith("the generator, not the target: in phase spike its own delays")


def test_users_who_sent_less_are_not_tried_again(recorded: Recorded) -> None:
    """A target that stalls is asked less by closed-loop users; another run may be luckier."""

    def half(recorder: Recorder) -> None:
        for number in range(100):
            recorder.asked(number / 100)
            if number % 2:
                recorder.offered(number / 100, 0.0)

    of_rates = recorded(half, Phase(tag="steady", seconds=1, rate=100))
    of_users = replace(of_rates, plan=msgspec.structs.replace(of_rates.plan, traffic="", locustfile="l.py"))
    assert of_rates.unfit
    assert (of_rates.starved, of_users.starved) == (False, True)
