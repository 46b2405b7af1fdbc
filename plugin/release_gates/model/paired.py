"""A benchmark of baseline and candidate, measured side by side: facts of each process, and the plan."""

from __future__ import annotations

from typing import Literal

from release_gates.model.record import Record

Side = Literal["baseline", "candidate"]


class PairPlan(Record, frozen=True, kw_only=True):
    """What was fixed before the first process ran; policy says it, `judge.sequential` keeps to it.

    ``looks`` are the numbers of processes at which the data may be judged, ``confirm`` that of the fresh
    ones that have to repeat a regression. ``false_alarm`` is the chance that a suite of ``benchmarks``
    identical ones has any regression; one that may get neither slower nor faster counts twice.
    ``wrong_pass`` is the chance that a benchmark as slow as the limit passes.
    ``slices`` is false where a process measures one side only, so that less can be found.
    ``when_noisy`` says whether equal instruction counts turn an undecided benchmark into WARN.
    """

    looks: tuple[int, ...]
    confirm: int
    false_alarm: float
    wrong_pass: float
    benchmarks: int
    when_noisy: Literal["hold", "instructions"] = "hold"
    slices: bool = True


class ProcessPair(Record, frozen=True, kw_only=True):
    """One fresh process that measured both sides in turn, slice by slice.

    ``ratio`` is the median over its ``kept`` pairs of slices of ln(candidate time / baseline time),
    ``spread`` their median absolute deviation. ``dropped`` pairs were preempted. ``first`` is the side that
    was loaded first. ``others`` and ``steal`` are the shares of the host's processors that
    other processes and the hypervisor took meanwhile; None where the host does not tell. ``times_ns`` are
    the medians of CPU nanoseconds for one operation (baseline, candidate): for readers and for the rules of
    other tools, nothing is judged by them. None in evidence that is older than the field.
    """

    ratio: float
    spread: float
    kept: int
    dropped: int
    first: Side
    seed: int
    others: float | None = None
    steal: float | None = None
    times_ns: tuple[float, float] | None = None


class Paired(Record, frozen=True, kw_only=True):
    """All processes of one benchmark in the order in which they ran.

    ``confirmation`` ran after a first finding of a regression. ``instructions`` are those of one operation
    (baseline, candidate), where they were counted.
    """

    plan: PairPlan
    processes: tuple[ProcessPair, ...]
    confirmation: tuple[ProcessPair, ...] = ()
    instructions: tuple[float, float] | None = None
