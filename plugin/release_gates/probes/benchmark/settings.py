"""What policy may say to the benchmark probe, as ``[gate.benchmark.benchmark]``."""

from __future__ import annotations

from typing import Literal

import msgspec

from release_gates.host.surroundings import check_variables
from release_gates.judge.sequential import is_plan
from release_gates.model.paired import PairPlan

MOST_PROCESSES = 1000


class BenchmarkSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the benchmarks of candidate and baseline are paired.

    ``kind`` says what ``artifact`` is in both: a shared object (``paired.h``), or an executable of Google
    Benchmark. ``benchmarks`` are patterns of those that are measured,
    ``exclude`` of those that are not: both are matched against both builds. ``changed_work`` are patterns of
    benchmarks whose work this candidate changes on purpose, so that their results may differ.

    ``looks`` are the numbers of processes after which the data may be judged, ``confirm`` that of the fresh
    ones that repeat a regression. ``false_alarm`` bounds the chance that any of the suite's benchmarks is
    called slower when none is; ``wrong_pass`` that one as slow as its limit passes. A process takes ``pairs``
    pairs of slices of ``slice_us`` microseconds of CPU time, within ``timeout_s`` seconds. ``samples`` single
    times are taken where quantiles are asked for.

    ``when_noisy = "instructions"`` lets equal instruction counts turn an undecided benchmark into WARN.
    ``variables`` of our environment are passed on besides PATH, LANG and TZ.
    Raises ValueError for a plan that can decide nothing, and for a variable that is never passed on.
    """

    kind: Literal["paired", "google-benchmark"] = "paired"
    artifact: str = "core-benchmarks.so"
    benchmarks: tuple[str, ...] = ("*",)
    exclude: tuple[str, ...] = ()
    changed_work: tuple[str, ...] = ()
    looks: tuple[int, ...] = (6, 12, 24)
    confirm: int = 8
    false_alarm: float = 0.01
    wrong_pass: float = 0.01
    pairs: int = 80
    slice_us: int = 500
    timeout_s: float = 60.0
    samples: int = 200_000
    when_noisy: Literal["hold", "instructions"] = "hold"
    variables: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_variables(self.variables)
        if not is_plan(self.plan(1)):
            raise ValueError(
                "looks must rise from at least 4, confirm be at least 4, false_alarm and wrong_pass lie "
                f"between 0 and 1: {self.looks}, {self.confirm}, {self.false_alarm}, {self.wrong_pass}"
            )
        if max(*self.looks, self.confirm) > MOST_PROCESSES:
            raise ValueError(f"looks and confirm must not exceed {MOST_PROCESSES} processes")
        if not (10 <= self.pairs <= 100_000 and 50 <= self.slice_us <= 100_000 and self.timeout_s > 0):
            raise ValueError("pairs is 10 .. 100000, slice_us is 50 .. 100000, timeout_s is above 0")
        if not 1000 <= self.samples <= 2_000_000:
            raise ValueError("samples is 1000 .. 2000000; each has to be counted")
        if not self.benchmarks:
            raise ValueError("benchmarks names no pattern: nothing would be measured")

    def plan(self, benchmarks: int) -> PairPlan:
        """Return the plan for a suite of so many benchmarks."""
        return PairPlan(
            looks=self.looks,
            confirm=self.confirm,
            false_alarm=self.false_alarm,
            wrong_pass=self.wrong_pass,
            benchmarks=benchmarks,
            when_noisy=self.when_noisy,
            slices=self.kind == "paired",
        )
