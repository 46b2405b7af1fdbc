"""What a run says of its target's resources: memory, threads, descriptors, processor time a request. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from release_gates.model.measurement import Measurement
from release_gates.model.series import Series
from release_gates.probes.load.drive import Run
from release_gates.probes.load.plan import BLOCK_S
from release_gates.probes.load.resources import Usage
from release_gates.probes.load.scopes import spans


def resources(run: Run, horizon_s: float | None) -> tuple[Measurement, ...]:
    """Return the series of the target's resources over all that is judged; none if its process is unknown.

    ``horizon_s`` is how far ahead a drift is projected. Where the target's process ended meanwhile, that is
    what every one of them says.
    """
    seen = _within(run, *run.judged)
    if not run.usage:
        return ()
    return tuple(_resources(run, seen, horizon_s))


def cpu_per_request_s(run: Run, tag: str, rate: float) -> float | None:
    """Return the target's processor time for one of ``rate`` requests a second; None if nobody saw it."""
    seen = _within(run, tag)
    if len(seen) < 2 or rate <= 0:
        return None
    first, last = seen[0], seen[-1]
    return (last.cpu_s - first.cpu_s) / (last.at_s - first.at_s) / rate


def _resources(run: Run, seen: Sequence[Usage], horizon_s: float | None) -> Iterator[Measurement]:
    names = (("memory", "B"), ("threads", "count"), ("descriptors", "count"))
    at_s = tuple(usage.at_s - run.started_s for usage in seen)
    columns = ([u.rss_bytes for u in seen], [u.threads for u in seen], [u.descriptors for u in seen])
    for (name, unit), column in zip(names, columns, strict=True):
        if not seen:
            yield Measurement(name=f"target.{name}", absent="error", because="the target's process ended")
            continue
        values = tuple(map(float, column))
        series = Series(at_s=at_s, values=values, horizon_s=horizon_s)
        yield Measurement(
            name=f"target.{name}", value=values[-1], unit=unit, samples=len(values), series=series
        )


def _within(run: Run, *tags: str) -> tuple[Usage, ...]:
    """Return what was seen of the target during some phases."""
    found = [spans(run.plan.phases)[tag] for tag in tags]
    return tuple(
        usage
        for usage in run.usage
        if any(span.start * BLOCK_S <= usage.at_s - run.started_s <= span.stop * BLOCK_S for span in found)
    )
