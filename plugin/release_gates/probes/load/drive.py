"""One run against one target: the generator, what is seen of the target meanwhile, and what both tell."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import Literal

import msgspec

from release_gates.errors import MeasurementError
from release_gates.probes.load.generator import Ended, Generator, Watch
from release_gates.probes.load.health import short, unfit, unfit_in
from release_gates.probes.load.open.schedule import due
from release_gates.probes.load.plan import BLOCK_S, Plan
from release_gates.probes.load.recording import Health, Recording
from release_gates.probes.load.resources import Observer, Usage
from release_gates.probes.load.scopes import judged, spans
from release_gates.probes.load.settled import settled
from release_gates.probes.load.targets import Target

RECORDING = "recording.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What came of one run.

    ``usage`` are the target's resources, empty where its process is not known; ``started_s`` is the first
    request's moment on the host's monotonic clock.
    """

    plan: Plan
    ended: Ended
    recording: Recording
    usage: tuple[Usage, ...]
    started_s: float

    @property
    def stopped(self) -> str:
        """For which measurement it was ended early, "" for a whole run."""
        return self.ended.because if self.ended.how == "stopped" else ""

    @property
    def judged(self) -> tuple[str, ...]:
        """The tags of the phases that are judged."""
        return judged(self.plan.phases)

    @property
    def unfit(self) -> str:
        """Why the generator's run decides nothing about the target, "" for one that does."""
        parts = ((tag, self.blocks(tag)) for tag in self.judged)
        found = (unfit_in(tag, self.recording.condition(blocks)) for tag, blocks in parts if blocks)
        return unfit(self._condition) or next(filter(None, found), "")

    @property
    def starved(self) -> bool:
        """Whether closed-loop users sent less than they stand for, which a slow target does to them."""
        return not self.plan.traffic and bool(short(self._condition))

    @property
    def _condition(self) -> Health:
        return self.recording.condition(self.blocks(*self.judged))

    def blocks(self, *tags: str) -> tuple[int, ...]:
        """Return the blocks of the phases with these tags, whole ones only where the run was ended early."""
        found = (block for tag, each in spans(self.plan.phases).items() if tag in tags for block in each)
        return self.seen(tuple(found))

    def seen(self, blocks: tuple[int, ...], within_s: float = 0.0) -> tuple[int, ...]:
        """Return those blocks that the run got to the end of, and ``within_s`` seconds beyond."""
        last = int((self.recording.at_s - within_s) / BLOCK_S)
        return tuple(block for block in blocks if block < last) if self.stopped else blocks

    def settled(self, blocks: tuple[int, ...]) -> tuple[int, ...]:
        """Return those blocks before the first of which not every request has ended."""
        if not self.stopped:
            return blocks
        return tuple(takewhile(partial(settled, self.recording, self.plan), self.seen(blocks)))


def drive(plan: Plan, target: Target, *, folder: Path, watch: Watch, variables: Sequence[str] = ()) -> Run:
    """Run a plan against a target. The generator sees little of our environment, and these ``variables``.

    ``MeasurementError`` where the generator could not do it or did not come to an end: there is no evidence
    then, neither for nor against the target.
    """
    folder.mkdir(parents=True, exist_ok=True)
    driver: Literal["open", "locust"] = "open" if plan.traffic else "locust"
    generator = Generator(driver, plan, folder=folder, environ=os.environ, variables=variables)
    with Observer(target.pid) as observer:
        ended = generator.run(watch)
    _keep(generator.recording, folder)
    if ended.how in ("failed", "died") or generator.started_s is None:
        raise MeasurementError(
            f"load on {plan.target}: {_what(ended)}",
            slug="load-not-run",
            hint=f"What was seen until then is in {folder}.",
        )
    if (lost := _lost(plan, ended, generator.recording)) > 0:
        raise MeasurementError(
            f"load on {plan.target}: the generator did not tell what became of {lost} requests.",
            slug="load-not-run",
            hint=f"What was seen is in {folder}.",
        )
    return Run(
        plan=plan,
        ended=ended,
        recording=generator.recording,
        usage=tuple(observer.seen),
        started_s=generator.started_s,
    )


def _lost(plan: Plan, ended: Ended, recording: Recording) -> int:
    """Return how many arrivals of a whole run nothing was told of; closed loops have none that were due."""
    if ended.how != "finished" or not plan.traffic:
        return 0
    asked = sum(health.asked for health in recording.health.values())
    told = sum(tally.requests for blocks in recording.tallies.values() for tally in blocks.values())
    return due(plan.phases) - min(asked, told)


def _what(ended: Ended) -> str:
    if ended.how == "died":
        return f"the generator died: {ended.because}"
    return ended.because or "the generator could not do it, and did not say why"


def _keep(recording: Recording, folder: Path) -> None:
    """Write what was seen to ``RECORDING``, for people and for the evidence."""
    (folder / RECORDING).write_bytes(msgspec.json.encode(recording.plain()))
