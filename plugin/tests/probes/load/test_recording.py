"""What a generator notes is what its parent reads: every sample, in its block, at each limit exactly."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from release_gates.probes.load.buckets import bucket_of, quantile, seconds_of
from release_gates.probes.load.frames import (
    LARGEST_BYTES,
    Bye,
    Frame,
    FrameError,
    FrameReader,
    Hello,
    Progress,
    pack,
)
from release_gates.probes.load.plan import BLOCK_S, Phase, Threshold
from release_gates.probes.load.recorder import Recorder
from release_gates.probes.load.recording import MOST_BLOCKS, Recording, Tally

LATENCIES = st.lists(st.tuples(st.floats(0, 100), st.floats(0, 50)), max_size=60)


@given(st.floats(1e-9, 1e6))
def test_the_middle_of_a_bucket_is_near_every_value_in_it(seconds: float) -> None:
    assert seconds_of(bucket_of(seconds)) == pytest.approx(seconds, rel=0.002)


@given(LATENCIES)
def test_every_sample_is_counted_once_and_at_each_limit_exactly(samples: list[tuple[float, float]]) -> None:
    thresholds = (Threshold(edge_s=0.5), Threshold(edge_s=0.5, strict=True), Threshold(edge_s=10.0))
    recorder, recording = Recorder(thresholds), Recording()
    for number, (intended_s, latency_s) in enumerate(samples):
        recorder.channel("orders").answered(intended_s, latency_s)
        if number % 7 == 0:  # frames may cut anywhere
            recording.add(recorder.frame(intended_s))
    recording.add(recorder.frame(100))
    blocks = range(int(100 / BLOCK_S) + 1)
    total = recording.tally("orders", blocks)
    assert total.answered == len(samples) == sum(total.buckets.values())
    expected = [
        sum(latency > 0.5 for _, latency in samples),
        sum(latency >= 0.5 for _, latency in samples),
        sum(latency > 10.0 for _, latency in samples),
    ]
    assert (total.over or [0, 0, 0]) == expected
    for block in blocks:
        due = sum(block * BLOCK_S <= intended_s < (block + 1) * BLOCK_S for intended_s, _ in samples)
        assert recording.tally("orders", (block,)).requests == due


def test_a_failed_request_is_over_every_limit_and_in_no_bucket() -> None:
    recorder, recording = Recorder((Threshold(edge_s=0.001), Threshold(edge_s=100))), Recording()
    recorder.channel("orders").answered(0.1, 0.0005)
    recorder.channel("orders").failed(0.2, "timeout")
    recorder.channel("orders").failed(0.3, "status")
    recording.add(recorder.frame(0.5))
    total = recording.tally("orders", range(2))
    assert (total.requests, total.over, sum(total.buckets.values())) == (3, [2, 2], 1)
    assert total.failures == {"timeout": 1, "status": 1}


@pytest.mark.parametrize("latency_s", [math.nan, math.inf, -1.0])
def test_a_latency_that_is_no_duration_is_a_failed_request(latency_s: float) -> None:
    recorder, recording = Recorder((Threshold(edge_s=1),)), Recording()
    recorder.channel("orders").answered(0.0, latency_s)
    recording.add(recorder.frame(0.5))
    assert recording.tally("orders", range(2)).failures == {"protocol": 1}


def test_nothing_is_told_twice() -> None:
    recorder = Recorder(())
    recorder.channel("orders").answered(0.1, 0.1)
    recorder.asked(0.1)
    recorder.offered(0.1, 0.0)
    recorder.ran(0.1, 0.01, 0.1)
    first, second = recorder.frame(0.1), recorder.frame(0.2)
    assert (len(first.cells), len(first.health)) == (1, 1)
    assert (second.cells, second.health) == ((), ())


@given(LATENCIES, st.sampled_from([0.5, 0.95, 0.99]))
def test_a_quantile_is_within_a_bucket_of_the_exact_one(
    samples: list[tuple[float, float]], share: float
) -> None:
    recorder, recording = Recorder(()), Recording()
    for intended_s, latency_s in samples:
        recorder.channel("orders").answered(intended_s, latency_s)
    recording.add(recorder.frame(100))
    found = quantile(recording.tally("orders", range(401)).buckets, share)
    if not samples:
        assert found is None
        return
    ordered = sorted(latency for _, latency in samples)
    exact = ordered[max(math.ceil(share * len(ordered) - 1e-9), 1) - 1]
    assert found == pytest.approx(max(exact, 1e-9), rel=0.003)


FRAMES: list[Frame] = [
    Hello(pid=7, started_s=1.5),
    Progress(at_s=0.1, cells=(), health=()),
    Bye(reason="finished"),
]


@given(st.lists(st.sampled_from(FRAMES), max_size=6), st.integers(1, 40))
def test_frames_arrive_whole_however_the_bytes_are_cut(frames: list[Frame], size: int) -> None:
    data, reader = b"".join(map(pack, frames)), FrameReader()
    found = [frame for at in range(0, len(data), size) for frame in reader.feed(data[at : at + size])]
    assert found == frames
    assert reader.rest == 0


@given(st.binary(max_size=200))
def test_bytes_that_are_no_frame_are_refused_or_awaited(data: bytes) -> None:
    reader = FrameReader()
    try:
        found = list(reader.feed(data))
    except FrameError:
        return
    assert b"".join(map(pack, found)) == data[: len(data) - reader.rest] or found


def test_a_frame_without_end_is_refused() -> None:
    with pytest.raises(FrameError, match="at most"):
        list(FrameReader().feed((LARGEST_BYTES + 1).to_bytes(4, "big")))


@pytest.mark.parametrize("block", [-1, MOST_BLOCKS])
def test_a_block_that_no_run_has_is_refused(block: int) -> None:
    recorder = Recorder(())
    recorder.asked(block * BLOCK_S)
    with pytest.raises(ValueError, match="a run has"):
        Recording().add(recorder.frame(1))


def test_endpoints_without_a_request_add_nothing() -> None:
    some, none = Tally(), Tally()
    recorder, recording = Recorder((Threshold(edge_s=1),)), Recording()
    recorder.channel("orders").answered(0.1, 2.0)
    recording.add(recorder.frame(0.5))
    for total in (some, none):
        total.add(recording.tally("orders", range(1)))
        total.add(recording.tally("book", range(1)))
    none.add(some)
    assert (some.over, none.over) == ([1], [2])


def test_hours_fit_in_memory_and_no_phase_loses_a_sample() -> None:
    """Each phase keeps its own histogram, also where it ends within a minute."""
    phases = (Phase(tag="warmup", seconds=30, rate=1), Phase(tag="steady", seconds=270, rate=1))
    recorder, folded, plain = Recorder(()), Recording(phases), Recording()
    for block in range(round(300 / BLOCK_S)):
        recorder.channel("orders").answered(block * BLOCK_S, 1.0 if block % 2 else 0.001)
        recorder.channel("orders").failed(block * BLOCK_S, "status")
        recorder.lagged(block * BLOCK_S, 0.001)
        frame = recorder.frame((block + 1) * BLOCK_S)
        folded.add(frame)
        plain.add(frame)
    for blocks in (range(120), range(120, 1200), range(1100, 1200)):
        assert folded.tally("orders", blocks) == plain.tally("orders", blocks)
        assert folded.condition(blocks) == plain.condition(blocks)
    assert folded.failed == 1200
    assert sum(bool(tally.buckets) for tally in folded.tallies["orders"].values()) < 250
