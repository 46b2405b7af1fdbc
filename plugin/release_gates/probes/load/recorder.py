"""In the generator: every sample, as cheaply as possible; every 100 ms what to tell the parent."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Literal

from release_gates.probes.load.buckets import bucket_of
from release_gates.probes.load.frames import BlockHealth, Cell, Progress
from release_gates.probes.load.plan import BLOCK_S, Threshold

FailureKind = Literal[
    "timeout",  # no answer in time
    "status",  # another status than was asked for
    "length",  # another length of the body
    "body",  # the body has not what it should
    "connection",  # refused, reset, closed
    "protocol",  # what came is no answer
    "late",  # sent only after its time was over
    "dropped",  # too many arrivals were waiting
    "unsent",  # still waiting at the end
    "exception",  # the user's code raised
]


class Channel:
    """One endpoint's samples since the last frame."""

    def __init__(self) -> None:
        self._times = array("d")
        self._latencies = array("d")
        self._failed: list[tuple[float, FailureKind]] = []
        self._reconnected = array("d")
        self.reconnected = self._reconnected.append
        self.sent = self._times.append
        self.took = self._latencies.append

    def answered(self, intended_s: float, latency_s: float) -> None:
        """Note a good answer; both in seconds, the first since the run's start.

        A latency that is negative or no number is a failed request.
        """
        if not 0 <= latency_s < math.inf:
            self.failed(intended_s, "protocol")
            return
        self.sent(intended_s)
        self.took(latency_s)

    def failed(self, intended_s: float, kind: FailureKind) -> None:
        """Note a request that failed."""
        self._failed.append((intended_s, kind))

    def cells(self, endpoint: str, thresholds: Sequence[Threshold]) -> list[Cell]:
        """Return what was noted, by block, and forget it."""
        latencies: dict[int, list[float]] = defaultdict(list)
        failures: dict[int, Counter[str]] = defaultdict(Counter)
        reconnects = Counter(int(intended_s / BLOCK_S) for intended_s in self._reconnected)
        for intended_s, latency_s in zip(self._times, self._latencies, strict=True):
            latencies[int(intended_s / BLOCK_S)].append(latency_s)
        for intended_s, kind in self._failed:
            failures[int(intended_s / BLOCK_S)][kind] += 1
        del self._times[:], self._latencies[:], self._failed[:], self._reconnected[:]
        return [
            _cell(endpoint, block, sorted(latencies[block]), failures[block], reconnects[block], thresholds)
            for block in sorted(latencies.keys() | failures.keys() | reconnects.keys())
        ]


class Recorder:
    """All that a generator notes of one run; times in seconds since its start."""

    def __init__(self, thresholds: Sequence[Threshold]) -> None:
        self._thresholds = tuple(thresholds)
        self._channels: dict[str, Channel] = {}
        self._asked: Counter[int] = Counter()
        self._offered: Counter[int] = Counter()
        self._lags: dict[int, Counter[int]] = defaultdict(Counter)
        self._cpu: dict[int, tuple[float, float]] = {}

    def channel(self, endpoint: str) -> Channel:
        """Return where an endpoint's samples go."""
        found = self._channels.get(endpoint)
        if found is None:
            found = self._channels[endpoint] = Channel()
        return found

    def asked(self, intended_s: float, count: int = 1) -> None:
        """Note arrivals that were due."""
        self._asked[int(intended_s / BLOCK_S)] += count

    def offered(self, intended_s: float, lag_s: float) -> None:
        """Note an arrival that the generator took up ``lag_s`` after it was due."""
        block = int(intended_s / BLOCK_S)
        self._offered[block] += 1
        self._lags[block][bucket_of(lag_s)] += 1

    def lagged(self, at_s: float, lag_s: float) -> None:
        """Note how late a timer of a generator came that has no arrivals of its own."""
        self._lags[int(at_s / BLOCK_S)][bucket_of(lag_s)] += 1

    def ran(self, at_s: float, cpu_s: float, wall_s: float) -> None:
        """Note the generator's own processor time within a stretch that ends at ``at_s``."""
        block = int(at_s / BLOCK_S)
        cpu, wall = self._cpu.get(block, (0.0, 0.0))
        self._cpu[block] = (cpu + cpu_s, wall + wall_s)

    def frame(self, at_s: float) -> Progress:
        """Return what was noted since the last frame, and forget it."""
        cells = [
            cell
            for endpoint, channel in self._channels.items()
            for cell in channel.cells(endpoint, self._thresholds)
        ]
        return Progress(at_s=at_s, cells=tuple(cells), health=tuple(self._health()))

    def _health(self) -> list[BlockHealth]:
        blocks = sorted(self._asked.keys() | self._offered.keys() | self._lags.keys() | self._cpu.keys())
        found = [
            BlockHealth(
                block=block,
                asked=self._asked[block],
                offered=self._offered[block],
                lag=dict(self._lags[block]),
                cpu_s=self._cpu.get(block, (0.0, 0.0))[0],
                wall_s=self._cpu.get(block, (0.0, 0.0))[1],
            )
            for block in blocks
        ]
        for notes in (self._asked, self._offered, self._lags, self._cpu):
            notes.clear()
        return found


def _cell(
    endpoint: str,
    block: int,
    ordered: Sequence[float],
    failures: Counter[str],
    reconnects: int,
    thresholds: Sequence[Threshold],
) -> Cell:
    failed = failures.total()
    return Cell(
        endpoint=endpoint,
        block=block,
        answered=len(ordered),
        failures=dict(failures),
        over=tuple(failed + _over(ordered, threshold) for threshold in thresholds),
        buckets=dict(Counter(map(bucket_of, ordered))),
        sum_s=math.fsum(ordered),
        max_s=ordered[-1] if ordered else 0.0,
        reconnects=reconnects,
    )


def _over(ordered: Sequence[float], threshold: Threshold) -> int:
    """Count the sorted latencies that break a threshold, exactly."""
    bisect = bisect_left if threshold.strict else bisect_right
    return len(ordered) - bisect(ordered, threshold.edge_s)
