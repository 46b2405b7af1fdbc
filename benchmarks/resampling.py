"""Decisions over and over on processes that were really measured."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

import msgspec

from release_gates.judge.sequential import Kind, find, next_step
from release_gates.model.paired import Paired, PairPlan, ProcessPair

SUITE = 50
ATTEMPTS = 3
PLAN = PairPlan(looks=(6, 12, 24), confirm=8, false_alarm=0.01, wrong_pass=0.01, benchmarks=SUITE)
"""The defaults of `BenchmarkSettings`, for a suite of 50 benchmarks."""
LIMIT = math.log1p(0.015)
"""``baseline = "<= 1.5 %"``, as the policy of this repository has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """One process that was measured: its pair, both sides' medians in ns a slice, and what it took."""

    pair: ProcessPair
    baseline_ns: float
    candidate_ns: float
    cpu_s: float
    wall_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What was decided, and the processes that it took."""

    kind: Kind
    used: tuple[Process, ...]


Pool = Mapping[str, Sequence[Process]]
"""Processes by the side that was loaded first."""


def pool_of(processes: Sequence[Process]) -> Pool:
    """Divide processes by the side that was loaded first."""
    return {side: [p for p in processes if p.pair.first == side] for side in ("baseline", "candidate")}


def decide(pool: Pool, random: Random) -> Decision:
    """Draw processes, none twice, as the sequence asks for them, until it is decided or ends."""
    drawn = {side: random.sample(list(each), len(each)) for side, each in pool.items()}
    paired, used = Paired(plan=PLAN, processes=()), []
    while (step := next_step(paired, LIMIT)) is not None:
        more, fresh = step.processes - len(paired.processes), step.confirmation
        taken = [drawn[("baseline", "candidate")[number % 2]].pop() for number in range(more or fresh)]
        used += taken
        pairs = tuple(process.pair for process in taken)
        change = {"processes": (*paired.processes, *pairs)} if more else {"confirmation": pairs}
        paired = msgspec.structs.replace(paired, **change)
    return Decision(kind=find(paired, LIMIT).kind, used=tuple(used))


def attempted(pool: Pool, random: Random) -> Kind:
    """Decide as policy lets a run: what stayed open is measured again, ``ATTEMPTS`` times in all."""
    kind: Kind = "undecided"
    for _ in range(ATTEMPTS):
        kind = decide(pool, random).kind
        if kind in ("slower", "equivalent"):
            break
    return kind


def promoted(suite: Sequence[Pool], random: Random) -> bool:
    """Tell whether a suite gets through: one attempt finds all equivalent, and none finds any slower."""
    for _ in range(ATTEMPTS):
        kinds = {decide(pool, random).kind for pool in suite}
        if kinds == {"equivalent"} or "slower" in kinds:
            return "slower" not in kinds
    return False
