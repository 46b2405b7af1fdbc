"""Measure the benchmarks of a candidate against those of the live build, and record what came of each."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from random import Random, SystemRandom
from typing import Any, Protocol

import msgspec

from release_gates.errors import MeasurementError, ProbeUnavailable
from release_gates.host.quiet import Noise, noise, sample
from release_gates.judge.limits import matches
from release_gates.judge.pairs import directions, is_equivalent
from release_gates.model.limit import Limit, LimitRule
from release_gates.model.paired import Paired, Side
from release_gates.probes.benchmark.conditions import conditions
from release_gates.probes.benchmark.pairing import Build, pairing_of
from release_gates.probes.benchmark.rounds import Series, measure_rounds
from release_gates.probes.benchmark.runner import ProcessRun
from release_gates.probes.benchmark.settings import BenchmarkSettings

UNIT = "ns"
NAMED = 3
"""So many benchmarks stand in a sentence."""
QUANTILE_PROCESSES = 4
"""Among which single times are divided: one process is one layout of memory."""


class Gate(Protocol):
    """What this probe needs of the fixture ``gate``."""

    @property
    def candidate(self) -> Build:
        """Return the candidate."""

    @property
    def baseline(self) -> Build | None:
        """Return what is live, or None where the ledger names nothing."""

    @property
    def limits(self) -> tuple[LimitRule, ...]:
        """Return the gate's rules."""

    def settings(self, kind: type[BenchmarkSettings]) -> BenchmarkSettings:
        """Return the probe's settings from policy."""

    def measure(
        self, name: str, value: float, unit: str, *, samples: int | None = None, no_baseline: str = ""
    ) -> None:
        """Record a measurement."""

    def measure_paired(self, name: str, paired: Paired, unit: str, *, value: float, baseline: float) -> None:
        """Record a paired benchmark."""

    def measure_quantiles(self, name: str, values: Sequence[float], unit: str) -> None:
        """Record the quantiles of single times."""

    def failed(self, name: str, because: str) -> None:
        """Record that measuring went wrong."""

    def missing(self, name: str, because: str) -> None:
        """Record that there is nothing to measure, though it is asked for."""

    def attach(self, name: str, path: Path) -> None:
        """Keep a file with the evidence."""


class GateBenchmark:
    """The benchmarks of one candidate, measured for one gate."""

    def __init__(self, gate: Gate, folder: Path, *, environ: Mapping[str, str] = os.environ) -> None:
        """Prepare; ``folder`` takes the file of details that goes with the evidence."""
        self._gate = gate
        self._folder = folder
        self._settings = gate.settings(BenchmarkSettings)
        self._pairing = pairing_of(self._settings, environ)
        self._suite: dict[str, Series] = {}
        self._uncounted: dict[str, str] = {}
        self._unjudged: list[str] = []

    def measure(self) -> None:
        """Measure ``NAME.cpu_time``, CPU time of one operation in ns, for each benchmark of either build.

        Facts that the candidate exports are measured by their own names.
        One that the candidate has lost, or that a pattern of the policy names and nobody has, is MISSING;
        one that crashes, hangs or does other work is ERROR; a new one has no baseline yet. What is slower,
        and what stayed open, is also counted in instructions. Raises MeasurementError for an artifact that
        holds no benchmark, or belongs to another release than its candidate, and where no limit covers one
        that is MISSING or ERROR.
        """
        candidate = self._gate.candidate.artifact(self._settings.artifact)
        table = self._pairing.table(self._gate.candidate)
        for fact in table.facts:
            self._gate.measure(fact.name, fact.value, fact.unit)
        now = self._chosen(table.benchmarks)
        live = self._gate.baseline
        if live is None:
            self._record_unmatched(now)
            self._measure_alone(candidate, now)
        else:
            before = self._chosen(self._pairing.table(live).benchmarks)
            baseline = live.artifact(self._settings.artifact)
            self._compare(candidate, now, baseline, before, live.version)
        self._attach()
        self._check_judged()

    def measure_quantiles(self, benchmark: str) -> None:
        """Measure ``BENCHMARK.p50``, ``.p99`` and ``.p99.9`` of single iterations in ns of the wall clock.

        The times come from ``QUANTILE_PROCESSES`` fresh processes, in equal parts. Raises MeasurementError
        where the candidate cannot run it.
        """
        candidate = self._gate.candidate.artifact(self._settings.artifact)
        each = -(-self._settings.samples // QUANTILE_PROCESSES)
        times = [
            ns
            for seed in range(1, QUANTILE_PROCESSES + 1)
            for ns in self._pairing.times(candidate, benchmark, each, seed)
        ]
        self._gate.measure_quantiles(benchmark, times, UNIT)

    def _compare(
        self, candidate: Path, now: Sequence[str], baseline: Path, before: Sequence[str], version: str
    ) -> None:
        self._record_unmatched((*before, *now))
        for name in before:
            if name not in now:
                lost = f"{version} has this benchmark, and the candidate has lost it"
                self._absent(self._gate.missing, name, lost)
        both = [name for name in now if name in before]
        limits = {name: self._limits(name) for name in both}
        for name, series in self._measure_suite(candidate, baseline, limits).items():
            self._gate.measure_paired(
                _measured(name),
                series.paired,
                UNIT,
                value=series.per_operation_ns("candidate"),
                baseline=series.per_operation_ns("baseline"),
            )
        new = [name for name in now if name not in before]
        self._measure_alone(candidate, new, no_baseline=f"{version} has no such benchmark")

    def _measure_suite(
        self, candidate: Path, baseline: Path, limits: Mapping[str, Sequence[Limit]]
    ) -> dict[str, Series]:
        """Measure a suite and return what can be judged of it; what failed is recorded as that."""
        chances = sum(map(directions, limits.values()))
        suite = measure_rounds(
            limits,
            plan=self._settings.plan(max(chances, 1)),
            measure=lambda name, seed, first: self._process(candidate, baseline, name, seed, first),
            may_differ=lambda name: _any(self._settings.changed_work, name),
            random=Random(SystemRandom().getrandbits(64)),
        )
        self._suite |= suite
        for name, series in suite.items():
            if series.failure is not None:
                self._absent(self._gate.failed, name, str(series.failure))
            elif not is_equivalent(series.paired, series.limits):
                series.paired = self._counted(series.paired, candidate, baseline, name)
        return {name: series for name, series in suite.items() if series.failure is None}

    def _process(
        self, candidate: Path, baseline: Path, name: str, seed: int, first: Side
    ) -> tuple[ProcessRun, Noise]:
        before = sample()
        run = self._pairing.measure(candidate, baseline, name, seed, first)
        return run, noise(before, sample(), me=os.getpid())

    def _counted(self, paired: Paired, candidate: Path, baseline: Path, name: str) -> Paired:
        """Count the instructions of one iteration on both sides; without valgrind the judge says so."""
        try:
            before, now = (self._pairing.instructions(file, name) for file in (baseline, candidate))
        except (ProbeUnavailable, MeasurementError) as error:
            self._uncounted[name] = str(error)
            return paired
        if before is None or now is None:
            return paired
        return msgspec.structs.replace(paired, instructions=(before, now))

    def _measure_alone(self, candidate: Path, names: Sequence[str], *, no_baseline: str = "") -> None:
        """Measure the candidate beside itself: for the reader, for absolute limits, and for the trend."""
        alone = dict.fromkeys(names, ())
        for name, series in self._measure_suite(candidate, candidate, alone).items():
            value, samples = series.per_operation_ns("candidate"), len(series.runs)
            self._gate.measure(_measured(name), value, UNIT, samples=samples, no_baseline=no_baseline)

    def _record_unmatched(self, names: Sequence[str]) -> None:
        for pattern in self._settings.benchmarks:
            if not any(fnmatchcase(name, pattern) for name in names):
                self._absent(self._gate.missing, pattern, "neither build has a benchmark of this name")

    def _absent(self, record: Callable[[str, str], None], name: str, because: str) -> None:
        record(_measured(name), because)
        if not any(matches(rule.name, _measured(name)) for rule in self._gate.limits):
            self._unjudged.append(f"{_measured(name)}: {because}")

    def _check_judged(self) -> None:
        if self._unjudged:
            raise MeasurementError(
                f"no limit of the policy would notice: {'; '.join(self._unjudged[:NAMED])}.",
                slug="benchmark-unjudged",
                hint="Give it a limit ('*.cpu_time' covers all), or leave it out by 'exclude'",
            )

    def _chosen(self, names: Sequence[str]) -> list[str]:
        said = self._settings
        return [name for name in names if _any(said.benchmarks, name) and not _any(said.exclude, name)]

    def _limits(self, name: str) -> list[Limit]:
        rules = (rule for rule in self._gate.limits if matches(rule.name, _measured(name)))
        return [rule.baseline for rule in rules if rule.baseline is not None]

    def _attach(self) -> None:
        details = {
            "conditions": conditions(),
            "benchmarks": {name: _details(series) for name, series in self._suite.items()},
            "instructions_not_counted": self._uncounted,
        }
        file = self._folder / "benchmark.json"
        file.write_bytes(msgspec.json.format(msgspec.json.encode(details)))
        self._gate.attach(file.name, file)


def _details(series: Series) -> dict[str, Any]:
    runs = series.runs
    return {
        "failure": str(series.failure or ""),
        "builds": runs[0].builds if runs else None,
        "compilers": runs[0].compilers if runs else None,
        "cpu_s": sum(run.cpu_s for run in runs),
        "wall_s": sum(run.wall_s for run in runs),
        "paired": series.paired,
    }


def _measured(benchmark: str) -> str:
    return f"{benchmark}.cpu_time"


def _any(patterns: Sequence[str], name: str) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
