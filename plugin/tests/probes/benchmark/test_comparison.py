"""Benchmarks of two real shared objects, measured in turn and judged by the rules of a policy."""

from __future__ import annotations

import dataclasses
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import msgspec
import pytest

from release_gates.errors import MeasurementError
from release_gates.host.quiet import UNKNOWN, Noise
from release_gates.judge.limits import judge_measurements
from release_gates.judge.tails import tail_of, value_at
from release_gates.model.candidate import ReleaseCandidate
from release_gates.model.event import Live
from release_gates.model.limit import LimitRule
from release_gates.model.measurement import Measurement
from release_gates.model.outcome import Outcome
from release_gates.model.paired import Paired, Side
from release_gates.model.verdict import LimitJudgement
from release_gates.policy.grammar import parse_limit
from release_gates.probes.benchmark.comparison import GateBenchmark
from release_gates.probes.benchmark.rounds import MOST_PREEMPTED, is_preempted, measure_rounds
from release_gates.probes.benchmark.runner import ProcessRun
from release_gates.probes.benchmark.settings import BenchmarkSettings

SOURCE = """
#include <stdlib.h>
#include "paired.h"

#ifndef WORK
#define WORK 100
#endif
#ifndef CHANGE
#define CHANGE 0
#endif

static void* create(uint64_t seed) {
    uint64_t* state = malloc(sizeof *state);
    *state = seed | 1;
    return state;
}

static void work(uint64_t count) {
    uint64_t value = 3;
    for (uint64_t i = 0; i < count; ++i) {
        value *= 0x9E3779B97F4A7C15U;
        __asm__ volatile("" : "+r"(value));
    }
}

static uint64_t run(void* state, uint64_t iterations) {
    for (uint64_t i = 0; i < iterations; ++i) {
        work(WORK);
    }
#ifdef CRASH
    abort();
#endif
    return *(uint64_t*)state + iterations + CHANGE;
}

static uint64_t steady(void* state, uint64_t iterations) {
#ifndef IDLE
    for (uint64_t i = 0; i < iterations; ++i) {
        work(100);
    }
#endif
    return *(uint64_t*)state + iterations;
}

static const struct paired_benchmark table[] = {
    {"book/match", 1, create, run, free},
#ifdef RENAMED
    {"book/steadier", 1, create, steady, free},
#else
    {"book/steady", 1, create, steady, free},
#endif
};
static const struct paired_fact facts[] = {{"ring.index_distance", 64, "B"}};
PAIRED_SUITE_WITH_FACTS(table, facts)
"""

LIVE = Live(
    environment="staging",
    candidate=ReleaseCandidate(name="e", version="1.0.0", commit="c", artifacts=()),
    since=datetime(2026, 1, 31, tzinfo=UTC),
)
QUICK = {"looks": [6, 12], "confirm": 6, "pairs": 30, "slice_us": 200, "timeout_s": 30.0}


@dataclass
class Build:
    """A candidate or baseline that is one shared object."""

    library: Path
    version: str = "1.1.0"

    def artifact(self, name: str) -> Path:
        assert name == "core-benchmarks.so"
        return self.library


@dataclass
class Gate:
    """The gate's side of the probe, which keeps what is recorded."""

    candidate: Build
    baseline: Build | None
    said: dict[str, object] = field(default_factory=dict)
    limits: tuple[LimitRule, ...] = (
        LimitRule(name="*.cpu_time", baseline=parse_limit("<= 4 %", "baseline")),
    )
    recorded: list[Measurement] = field(default_factory=list)
    attached: list[str] = field(default_factory=list)

    def settings(self, kind: type[BenchmarkSettings]) -> BenchmarkSettings:
        return msgspec.convert({**QUICK, **self.said}, kind)

    def measure(
        self, name: str, value: float, unit: str, *, samples: int | None = None, no_baseline: str = ""
    ) -> None:
        self.recorded.append(
            Measurement(name=name, value=value, unit=unit, samples=samples, no_baseline=no_baseline)
        )

    def measure_paired(self, name: str, paired: Paired, unit: str, *, value: float, baseline: float) -> None:
        self.recorded.append(Measurement(name=name, value=value, unit=unit, baseline=baseline, paired=paired))

    def measure_quantiles(self, name: str, values: Sequence[float], unit: str) -> None:
        ordered = sorted(values)
        bounds = [bound for rule in self.limits if rule.limit for bound in rule.limit.bounds]
        tail = tail_of(ordered, unit, 0.99, bounds)
        self.recorded.append(
            Measurement(name=f"{name}.p99", value=value_at(ordered, 0.99), unit=unit, tail=tail)
        )

    def failed(self, name: str, because: str) -> None:
        self.recorded.append(Measurement(name=name, absent="error", because=because))

    def missing(self, name: str, because: str) -> None:
        self.recorded.append(Measurement(name=name, absent="missing", because=because))

    def attach(self, name: str, path: Path) -> None:
        self.attached.append(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One shared object for each way in which a build can differ."""
    import release_gates.probes.benchmark as probe

    native = Path(probe.__file__).parent / "native"
    folder = tmp_path_factory.mktemp("libraries")
    (folder / "suite.c").write_text(SOURCE, encoding="utf-8")
    flags = {
        "live": ['-DPAIRED_RELEASE="1.0.0"'],
        "same": [],
        "slow": ["-DWORK=112"],
        "crash": ["-DCRASH"],
        "idle": ["-DIDLE"],
        "other": ["-DCHANGE=7"],
        "renamed": ["-DRENAMED"],
        "unnamed": ["-UPAIRED_RELEASE"],
    }
    compiler = shutil.which("gcc") or "cc"
    for name, define in flags.items():
        options = ["-O2", "-shared", "-fPIC", "-fvisibility=hidden", "-Wl,-Bsymbolic", "-Wl,--build-id"]
        out = str(folder / f"{name}.so")
        release = [] if name in ("live", "unnamed") else ['-DPAIRED_RELEASE="1.1.0"']
        subprocess.run(
            [compiler, *options, f"-I{native}", *define, *release, str(folder / "suite.c"), "-o", out],
            check=True,
        )
    return {name: folder / f"{name}.so" for name in flags}


def judged(gate: Gate, folder: Path, *, live: Live | None = LIVE) -> dict[str, LimitJudgement]:
    GateBenchmark(gate, folder).measure()
    found = judge_measurements(gate.limits, gate.recorded, live=live)
    return {judgement.name: judgement for judgement in found}


def gate(libraries: dict[str, Path], candidate: str, baseline: str | None = "live", **said: object) -> Gate:
    live = None if baseline is None else Build(libraries[baseline], "1.0.0")
    return Gate(Build(libraries[candidate]), live, said)


def test_the_same_build_is_equivalent(libraries: dict[str, Path], tmp_path: Path) -> None:
    same = gate(libraries, "same")
    found = judged(same, tmp_path)
    assert sorted(found) == ["book/match.cpu_time", "book/steady.cpu_time"]
    assert not [
        judgement for judgement in found.values() if judgement.outcome in (Outcome.FAIL, Outcome.ERROR)
    ]
    assert same.recorded[0] == Measurement(name="ring.index_distance", value=64, unit="B")
    details = msgspec.json.decode(same.attached[0])
    assert details["conditions"]["cpu_model"]
    assert details["benchmarks"]["book/match"]["builds"][0]


def test_a_slower_one_is_found_confirmed_and_counted(libraries: dict[str, Path], tmp_path: Path) -> None:
    found = judged(gate(libraries, "slow", benchmarks=["book/match"]), tmp_path)["book/match.cpu_time"]
    assert found.outcome is Outcome.FAIL, found
    assert "slower than the baseline" in found.because
    assert "Instructions: +1" in found.because


@pytest.mark.parametrize(
    ("candidate", "name", "outcome", "because"),
    [
        ("crash", "book/match", Outcome.ERROR, "SIGABRT"),
        ("idle", "book/steady", Outcome.ERROR, "does no work in the candidate"),
        ("other", "book/match", Outcome.ERROR, "does other work"),
        ("renamed", "book/steady", Outcome.MISSING, "the candidate has lost it"),
        ("renamed", "book/steadier", Outcome.WARN, "no baseline yet: 1.0.0 has no such benchmark"),
    ],
)
def test_what_cannot_be_compared_is_said_by_name(
    libraries: dict[str, Path], tmp_path: Path, candidate: str, name: str, outcome: Outcome, because: str
) -> None:
    found = judged(gate(libraries, candidate), tmp_path)[f"{name}.cpu_time"]
    assert found.outcome is outcome, found
    assert because in found.because


def test_one_that_crashes_leaves_the_others(libraries: dict[str, Path], tmp_path: Path) -> None:
    found = judged(gate(libraries, "crash"), tmp_path)
    assert found["book/steady.cpu_time"].outcome is not Outcome.ERROR


def test_what_no_limit_covers_is_not_lost_in_silence(libraries: dict[str, Path], tmp_path: Path) -> None:
    renamed = gate(libraries, "renamed")
    renamed.limits = (LimitRule(name="book/match.cpu_time", baseline=parse_limit("<= 4 %", "baseline")),)
    with pytest.raises(
        MeasurementError, match=r"would notice: book/steady.cpu_time: 1.0.0 has this benchmark"
    ):
        GateBenchmark(renamed, tmp_path).measure()
    assert [each.name for each in renamed.recorded if each.absent] == ["book/steady.cpu_time"]


def test_work_may_change_where_policy_says_so(libraries: dict[str, Path], tmp_path: Path) -> None:
    other = gate(libraries, "other", changed_work=["book/match"])
    other.limits = (LimitRule(name="*.cpu_time", baseline=parse_limit("± 4 %", "baseline")),)
    found = judged(other, tmp_path)
    assert found["book/match.cpu_time"].outcome is not Outcome.ERROR
    plans = [each.paired.plan for each in other.recorded if each.paired]
    assert [plan.benchmarks for plan in plans] == [4, 4]  # each of both may get neither slower nor faster


def test_a_pattern_that_names_nothing_is_missing(libraries: dict[str, Path], tmp_path: Path) -> None:
    found = judged(gate(libraries, "same", benchmarks=["book/steady", "ring/*"]), tmp_path)
    assert found["ring/*.cpu_time"].outcome is Outcome.MISSING
    assert "book/match.cpu_time" not in found


@pytest.mark.parametrize(
    ("live", "outcome"),
    [
        (None, Outcome.INCONCLUSIVE),
        (msgspec.structs.replace(LIVE, candidate=None, reason="new venue"), Outcome.WARN),
    ],
)
def test_without_a_baseline_only_a_recorded_first_release_goes_on(
    libraries: dict[str, Path], tmp_path: Path, live: Live | None, outcome: Outcome
) -> None:
    found = judged(gate(libraries, "same", None), tmp_path, live=live)
    assert {judgement.outcome for judgement in found.values()} == {outcome}


@pytest.mark.parametrize(("limit", "outcome"), [("<= 10 s", Outcome.PASS), ("<= 1 ns", Outcome.FAIL)])
def test_quantiles_of_single_times(
    libraries: dict[str, Path], tmp_path: Path, limit: str, outcome: Outcome
) -> None:
    single = gate(libraries, "same", samples=12_000)
    single.limits = (LimitRule(name="*.p99", limit=parse_limit(limit)),)
    GateBenchmark(single, tmp_path).measure_quantiles("book/match")
    found = judge_measurements(single.limits, single.recorded, live=LIVE)
    assert [judgement.outcome for judgement in found] == [outcome]
    assert single.recorded[0].tail is not None
    assert single.recorded[0].tail.samples == 12_000


def test_quantiles_of_one_that_crashes_or_is_not_there(libraries: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(MeasurementError, match="SIGABRT"):
        GateBenchmark(gate(libraries, "crash"), tmp_path).measure_quantiles("book/match")
    with pytest.raises(MeasurementError, match="cannot be measured"):
        GateBenchmark(gate(libraries, "same"), tmp_path).measure_quantiles("book/none")


def test_an_object_without_a_table_is_refused(tmp_path: Path, libraries: dict[str, Path]) -> None:
    text = tmp_path / "text.so"
    text.write_text("no library", encoding="utf-8")
    with pytest.raises(MeasurementError, match="cannot be measured"):
        GateBenchmark(Gate(Build(text), Build(libraries["same"])), tmp_path).measure()


@pytest.mark.parametrize(
    ("candidate", "baseline", "because"),
    [
        ("live", "live", "of 1.1.0 says that it belongs to 1.0.0"),
        ("same", "same", "of 1.0.0 says that it belongs to 1.1.0"),
        ("unnamed", "live", "of 1.1.0 names no release"),
    ],
)
def test_an_object_of_another_release_is_refused(
    libraries: dict[str, Path], tmp_path: Path, candidate: str, baseline: str, because: str
) -> None:
    with pytest.raises(MeasurementError, match=because):
        GateBenchmark(gate(libraries, candidate, baseline), tmp_path).measure()


@pytest.mark.parametrize(
    "said",
    [
        {"looks": []},
        {"looks": [2]},
        {"looks": [12, 6]},
        {"confirm": 1},
        {"false_alarm": 0.0},
        {"wrong_pass": 1.0},
        {"pairs": 1},
        {"slice_us": 1},
        {"timeout_s": 0.0},
        {"benchmarks": []},
        {"looks": [2000]},
        {"samples": 1},
        {"threshold": 3},
    ],
)
def test_settings_that_decide_nothing_are_refused(said: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({**QUICK, **said}, BenchmarkSettings)


def run_of(kept: int, dropped: int, *, idle: tuple[Side, ...] = ()) -> ProcessRun:
    return ProcessRun(
        benchmark="book/match",
        seed=1,
        first="baseline",
        iterations=10,
        operations=1,
        pairs=((100.0, 100.0),) * kept,
        dropped=dropped,
        cpu_s=0.1,
        wall_s=0.1,
        same_work=True,
        idle=idle,
        builds=("", ""),
        compilers=("", ""),
    )


@pytest.mark.parametrize(
    ("kept", "dropped", "wasted"),
    [(80, 0, False), (10, 70, False), (9, 71, True), (0, 80, True), (1, 0, False)],
)
def test_a_process_that_was_hardly_left_alone_is_preempted(kept: int, dropped: int, wasted: bool) -> None:
    assert is_preempted(run_of(kept, dropped)) is wasted


def test_wasted_processes_are_replaced_and_not_for_ever() -> None:
    asked: list[int] = []

    def measure(name: str, seed: int, first: Side) -> tuple[ProcessRun, Noise]:
        asked.append(seed)
        return run_of(0, 80), UNKNOWN

    limits = {"book/match": [parse_limit("<= 4 %", "baseline")]}
    plan = BenchmarkSettings().plan(1)
    suite = measure_rounds(limits, plan=plan, measure=measure, may_differ=lambda _: False, random=Random(1))
    assert len(asked) == MOST_PREEMPTED + 1
    assert "preempted in nearly all slices" in str(suite["book/match"].failure)


@pytest.mark.parametrize(("idle", "failure"), [(2, ""), (3, "does no work in the candidate")])
def test_only_what_is_idle_again_and_again_is_idle(idle: int, failure: str) -> None:
    ratios = iter(range(1, 1000))

    def measure(name: str, seed: int, first: Side) -> tuple[ProcessRun, Noise]:
        number = next(ratios)
        run = run_of(80, 0, idle=("candidate",) if number <= idle else ())
        pairs = ((1000.0, 1000.0 + number % 5),) * 80
        return dataclasses.replace(run, pairs=pairs, first=first), UNKNOWN

    limits = {"book/match": [parse_limit("<= 4 %", "baseline")]}
    plan = BenchmarkSettings().plan(1)
    suite = measure_rounds(limits, plan=plan, measure=measure, may_differ=lambda _: False, random=Random(1))
    assert failure in str(suite["book/match"].failure or "")
    assert len(suite["book/match"].paired.processes) == (0 if failure else 6)
