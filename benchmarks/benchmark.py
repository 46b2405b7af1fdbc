"""How often the benchmark gate is right, beside a busy process: ``make accuracy-benchmark``.

Every shape is paired with itself, with builds of another layout, and with builds slower by a known part.
Many processes of each are really measured; decisions are then drawn from them as a run would draw them. The
processes are kept in ``build/accuracy-benchmark/``.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from random import Random
from statistics import median

import msgspec

from benchmarks.resampling import PLAN, SUITE, Pool, Process, attempted, decide, pool_of, promoted
from benchmarks.rules import PROCESSES, RULES, Rule
from benchmarks.shapes import CPU_BOUND, LAYOUTS, build
from benchmarks.table import Row, report, row
from release_gates.host.quiet import UNKNOWN
from release_gates.judge.pairs import SAME_INSTRUCTIONS
from release_gates.model.paired import Paired
from release_gates.probes.benchmark.rounds import SIDES, Series, check_work, process_of
from release_gates.probes.benchmark.runner import PairedRunner, ProcessRun

FOLDER = Path(__file__).resolve().parents[1] / "build" / "accuracy-benchmark"
SAME = "baseline"
OTHER_LAYOUTS = tuple(f"layout_{number}" for number in LAYOUTS)
MISSED_AT_MOST = {2: 20.0, 3: 5.0, 5: 1.0}
"""Percent slower -> percent of decisions that may miss it."""
PAIRS, SLICE_US, TIMEOUT_S = 80, 500, 60.0
SUITES, DECISIONS = 1000, 1000
ATTEMPTED_SUITES = 300

Pools = Mapping[str, Mapping[str, Pool]]
"""Build -> shape -> its processes against the plain build."""


def measure(quick: bool) -> list[Row]:
    """Measure processes of every pair of builds, then decide with them over and over."""
    builds = build(FOLDER)
    runner = PairedRunner(environ=os.environ)
    with busy():
        count = 40 if quick else 100
        processes = collect(runner, builds, count)
    pools = {
        name: {shape: pool_of(found) for shape, found in each.items()} for name, each in processes.items()
    }
    random = Random(1)
    return [
        row("processes of each shape and build, from which all is drawn", [count], "count", None),
        *identical(pools[SAME], random),
        *slower(pools, random),
        layouts(runner, builds, pools, random),
        *costs(pools, random),
        *other_tools(pools, random),
    ]


@contextmanager
def busy() -> Iterator[None]:
    """Keep one processor busy meanwhile, as a neighbour would."""
    neighbour = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        neighbour.kill()
        neighbour.wait()


def collect(
    runner: PairedRunner, builds: Mapping[str, Path], processes: int
) -> dict[str, dict[str, list[Process]]]:
    """Measure every shape of every build against the plain one in so many processes, in rounds."""
    shapes = runner.benchmarks(builds[SAME])
    found: dict[str, dict[str, list[Process]]] = {name: {shape: [] for shape in shapes} for name in builds}
    todo = [(name, shape) for name in builds for shape in shapes]
    random = Random(2)
    for number in range(processes):
        for name, shape in random.sample(todo, len(todo)):
            found[name][shape].append(one(runner, builds[SAME], builds[name], shape, number))
        print(f"\r{number + 1} of {processes} processes of each", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    (FOLDER / "processes.json").write_bytes(msgspec.json.encode(found))
    return found


def one(runner: PairedRunner, baseline: Path, candidate: Path, shape: str, number: int) -> Process:
    """Measure one process; as in the gate, another takes the place of one that says nothing."""
    start, series = time.monotonic(), Series(limits=(), paired=Paired(plan=PLAN, processes=()))
    seeds = count(number + 1, 1000)
    while series.discard(shape, run := measured(runner, baseline, candidate, shape, next(seeds), number)):
        pass
    check_work(shape, run, may_differ=False)
    return Process(
        pair=process_of(run, UNKNOWN),
        baseline_ns=median(pair[0] for pair in run.pairs),
        candidate_ns=median(pair[1] for pair in run.pairs),
        cpu_s=run.cpu_s,
        wall_s=time.monotonic() - start,
    )


def measured(
    runner: PairedRunner, baseline: Path, candidate: Path, shape: str, seed: int, number: int
) -> ProcessRun:
    """Run one process; every second one loads the candidate first."""
    return runner.measure(
        baseline=baseline,
        candidate=candidate,
        benchmark=shape,
        pairs=PAIRS,
        slice_us=SLICE_US,
        seed=seed,
        first=SIDES[number % 2],
        timeout_s=TIMEOUT_S,
    )


def identical(pools: Mapping[str, Pool], random: Random) -> Iterator[Row]:
    """Tell how often a build is held against itself: called slower, left open, and after all attempts.

    A suite is held unless one attempt finds all of its benchmarks equivalent.
    """
    alarms = [any(_kind(pool, random) == "slower" for pool in suite(pools, random)) for _ in range(SUITES)]
    yield percent(f"identical, suite of {SUITE}: any called slower", alarms, 1.0)
    bound = cpu_bound(pools)
    left_open = [
        _kind(random.choice(bound), random) not in ("slower", "equivalent") for _ in range(DECISIONS)
    ]
    yield percent("identical, CPU-bound: left open", left_open, 3.0)
    for what, chosen, bar in (("CPU-bound suite", bound, 1.0), ("suite", list(pools.values()), None)):
        held = [not promoted(random.choices(chosen, k=SUITE), random) for _ in range(ATTEMPTED_SUITES)]
        yield percent(f"identical, {what} of {SUITE}: held after three attempts", held, bar)


def slower(pools: Pools, random: Random) -> Iterator[Row]:
    """Tell how often a true slowdown is not found, and how often it is let through."""
    for by, bar in MISSED_AT_MOST.items():
        bound = cpu_bound(pools[f"slower_{by}"])
        missed = [_kind(random.choice(bound), random) != "slower" for _ in range(DECISIONS)]
        yield percent(f"{by} % slower, CPU-bound: not found", missed, bar)
    every = list(pools["slower_5"].values())
    passed = [_kind(random.choice(every), random) == "equivalent" for _ in range(DECISIONS)]
    yield percent("5 % slower, any shape: called equivalent", passed, 1.0)
    bound = cpu_bound(pools["slower_3"])
    through = [attempted(random.choice(bound), random) == "equivalent" for _ in range(DECISIONS)]
    yield percent("3 % slower, CPU-bound: through in three attempts", through, 5.0)


def layouts(runner: PairedRunner, builds: Mapping[str, Path], pools: Pools, random: Random) -> Row:
    """Tell how often another layout is called slower without LAYOUT: its instructions decide that."""
    silent = []
    for name in OTHER_LAYOUTS:
        for shape, pool in pools[name].items():
            before, now = (
                runner.instructions(builds[each], shape, timeout_s=TIMEOUT_S) for each in (SAME, name)
            )
            says_so = abs(now / before - 1) < SAME_INSTRUCTIONS
            silent += [_kind(pool, random) == "slower" and not says_so for _ in range(DECISIONS // 10)]
    return percent("another layout: called slower without LAYOUT", silent, 0.0)


def costs(pools: Pools, random: Random) -> Iterator[Row]:
    """Tell what one decision takes, over all builds and shapes."""
    every = [pool for each in pools.values() for pool in each.values()]
    decisions = [decide(random.choice(every), random) for _ in range(DECISIONS)]
    cpu = [sum(process.cpu_s for process in decision.used) for decision in decisions]
    wall = [sum(process.wall_s for process in decision.used) for decision in decisions]
    yield row("one benchmark decided: CPU, instructions not counted", cpu, "s", 0.6)
    yield row("one benchmark decided: wall, beside a busy process", wall, "s", 3.0)


def other_tools(pools: Pools, random: Random) -> Iterator[Row]:
    """Tell what other tools' rules say of the same processes."""
    bound = cpu_bound(pools["slower_3"])
    for tool, rule in RULES.items():
        alarms = [any(ruled(rule, pool, random) for pool in suite(pools[SAME], random)) for _ in range(100)]
        yield percent(f"{tool}: identical, suite of {SUITE}: any called slower", alarms, None)
        missed = [not ruled(rule, random.choice(bound), random) for _ in range(DECISIONS)]
        yield percent(f"{tool}: 3 % slower, CPU-bound: not found", missed, None)


def ruled(rule: Rule, pool: Pool, random: Random) -> bool:
    """Tell whether another tool's rule calls it slower, from its number of processes."""
    drawn = [process for each in pool.values() for process in random.sample(list(each), PROCESSES // 2)]
    return rule([process.baseline_ns for process in drawn], [process.candidate_ns for process in drawn])


def suite(pools: Mapping[str, Pool], random: Random) -> Iterator[Pool]:
    """Draw the benchmarks of a suite."""
    every = list(pools.values())
    return (random.choice(every) for _ in range(SUITE))


def cpu_bound(pools: Mapping[str, Pool]) -> Sequence[Pool]:
    """Return the shapes whose time the processor decides, and not the memory."""
    return [pools[shape] for shape in CPU_BOUND]


def percent(what: str, cases: Sequence[bool], bar: float | None) -> Row:
    """Return the row of a share."""
    made = row(what, [100 * sum(cases) / len(cases)], "%", bar)
    made["samples"] = len(cases)
    return made


def _kind(pool: Pool, random: Random) -> str:
    return decide(pool, random).kind


if __name__ == "__main__":
    sys.exit(report("benchmark", measure))
