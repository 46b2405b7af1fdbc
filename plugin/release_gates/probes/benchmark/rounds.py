"""All benchmarks of a suite, measured in rounds: one fresh process each, until every one is decided.

In rounds, because a disturbance of half a minute then touches one process of each benchmark and not all
processes of one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from statistics import median

import msgspec

from release_gates.errors import GateError, MeasurementError
from release_gates.host.quiet import Noise
from release_gates.judge.pairs import next_round
from release_gates.judge.sequential import Step
from release_gates.model.limit import Limit
from release_gates.model.paired import Paired, PairPlan, ProcessPair, Side
from release_gates.probes.benchmark.runner import ProcessRun

Measure = Callable[[str, int, Side], tuple[ProcessRun, Noise]]
"""Runs one fresh process: benchmark, seed, side that is loaded first."""

SIDES: tuple[Side, Side] = ("baseline", "candidate")
LEAST_KEPT = 0.125
"""This part of a process's pairs must not have been preempted, whichever side is slower."""
MOST_PREEMPTED = 24
"""So many processes of one benchmark may be thrown away for it."""
MOST_IDLE = 2
"""So many may seem to do no work: a busy host makes one of some thousands look so, but not three of a few."""


@dataclass(slots=True)
class Series:
    """One benchmark on its way: what its processes measured so far, and what went wrong."""

    limits: Sequence[Limit]
    paired: Paired
    runs: list[ProcessRun] = field(default_factory=list)
    idle: int = 0
    preempted: int = 0
    failure: GateError | None = None

    @property
    def step(self) -> Step | None:
        """What has to be measured next; None when it is decided or failed."""
        return None if self.failure else next_round(self.paired, self.limits)

    def add(self, process: ProcessPair, *, fresh: bool) -> None:
        """Add a process to the first series, or to that of the confirmation."""
        if fresh:
            self.paired = msgspec.structs.replace(
                self.paired, confirmation=(*self.paired.confirmation, process)
            )
        else:
            self.paired = msgspec.structs.replace(self.paired, processes=(*self.paired.processes, process))

    def discard(self, name: str, run: ProcessRun) -> bool:
        """Throw away a process that says nothing; another takes its place, but not for ever.

        Returns whether it was thrown away. Raises MeasurementError after ``MOST_IDLE`` or ``MOST_PREEMPTED``.
        """
        self.idle += bool(run.idle)
        self.preempted += not run.idle and is_preempted(run)
        if self.idle > MOST_IDLE:
            raise _idle(name, run)
        if self.preempted > MOST_PREEMPTED:
            raise _preempted(name, run)
        return bool(run.idle) or is_preempted(run)

    def per_operation_ns(self, side: Side) -> float:
        """Return the median over all processes of a side's CPU nanoseconds for one operation."""
        return median(operation_ns(run)[SIDES.index(side)] for run in self.runs)


def measure_rounds(
    limits: Mapping[str, Sequence[Limit]],
    *,
    plan: PairPlan,
    measure: Measure,
    may_differ: Callable[[str], bool],
    random: Random,
) -> dict[str, Series]:
    """Measure every benchmark until its baseline rules are decided, or its last look is over.

    ``limits`` are those rules by benchmark. ``may_differ`` tells of which the work may be another than the
    baseline's. What goes wrong with one stays with that one.
    """
    suite = {
        name: Series(limits=rules, paired=Paired(plan=plan, processes=())) for name, rules in limits.items()
    }
    while pending := [(name, step) for name, series in suite.items() if (step := series.step) is not None]:
        random.shuffle(pending)
        for name, step in pending:
            _one_process(name, suite[name], step, measure, may_differ(name), random)
    return suite


def _one_process(
    name: str, series: Series, step: Step, measure: Measure, may_differ: bool, random: Random
) -> None:
    fresh = len(series.paired.processes) >= step.processes
    done = series.paired.confirmation if fresh else series.paired.processes
    try:
        run, noise = measure(name, random.getrandbits(32), SIDES[len(done) % 2])
        if series.discard(name, run):
            return
        check_work(name, run, may_differ=may_differ)
    except GateError as error:
        series.failure = error
        return
    series.runs.append(run)
    series.add(process_of(run, noise), fresh=fresh)


def check_work(name: str, run: ProcessRun, *, may_differ: bool) -> None:
    """Refuse by MeasurementError sides that answered differently to the same iterations."""
    if not run.same_work and not may_differ:
        raise MeasurementError(
            f"{name} does other work in the candidate than in the baseline: their results differ.",
            slug="benchmark-other-work",
            hint="If that is meant, name it under changed_work in the policy",
        )


def is_preempted(run: ProcessRun) -> bool:
    """Tell whether so few pairs of slices were left alone that their median says little."""
    return len(run.pairs) < LEAST_KEPT * (len(run.pairs) + run.dropped)


def process_of(run: ProcessRun, noise: Noise) -> ProcessPair:
    """Reduce a process to its median log ratio and the spread of it."""
    ratios = [math.log(candidate / baseline) for baseline, candidate in run.pairs]
    middle = median(ratios)
    return ProcessPair(
        ratio=middle,
        spread=median(abs(ratio - middle) for ratio in ratios),
        kept=len(run.pairs),
        dropped=run.dropped,
        first=run.first,
        seed=run.seed,
        others=_known(noise.others),
        steal=_known(noise.steal),
        times_ns=operation_ns(run),
    )


def operation_ns(run: ProcessRun) -> tuple[float, float]:
    """Return a process's median CPU nanoseconds for one operation, of the baseline and of the candidate."""
    baseline, candidate = (median(times) for times in zip(*run.pairs, strict=True))
    operations = run.iterations * run.operations
    return baseline / operations, candidate / operations


def _known(share: float) -> float | None:
    return share if math.isfinite(share) else None


def _idle(name: str, run: ProcessRun) -> MeasurementError:
    return MeasurementError(
        f"{name} does no work in the {' and the '.join(run.idle)}: its time does not grow with the "
        "iterations.",
        slug="benchmark-idle",
        hint="Did the compiler leave it out? Let its result depend on all that it does",
    )


def _preempted(name: str, run: ProcessRun) -> MeasurementError:
    return MeasurementError(
        f"{name}: {MOST_PREEMPTED + 1} processes were preempted in nearly all slices, the last one in "
        f"{run.dropped} of {run.dropped + len(run.pairs)} pairs.",
        slug="benchmark-preempted",
        hint="The host is too busy: measure again with --gate-wait-quiet 20m",
    )
