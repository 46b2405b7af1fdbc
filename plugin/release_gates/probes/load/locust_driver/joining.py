"""The frames of several workers as one: samples are all of theirs, the processor the busiest one's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from release_gates.probes.load.frames import BlockHealth, Progress


def join(told: Mapping[str, Sequence[Progress]]) -> Progress:
    """Return what workers told since the last time.

    ``at_s`` is how far the slowest of them is. Processor times of a block are those of the worker that used
    most of its own: idle ones beside it must not make it look idle.
    """
    frames = [frame for each in told.values() for frame in each]
    busiest = max(told, key=lambda worker: _share(told[worker]), default="")
    return Progress(
        at_s=min((each[-1].at_s for each in told.values() if each), default=0.0),
        cells=tuple(cell for frame in frames for cell in frame.cells),
        health=tuple(
            health if worker == busiest else replace(health, cpu_s=0.0, wall_s=0.0)
            for worker, each in told.items()
            for frame in each
            for health in frame.health
        ),
    )


def _share(frames: Sequence[Progress]) -> float:
    health: list[BlockHealth] = [each for frame in frames for each in frame.health]
    wall_s = sum(each.wall_s for each in health)
    return sum(each.cpu_s for each in health) / wall_s if wall_s else 0.0
