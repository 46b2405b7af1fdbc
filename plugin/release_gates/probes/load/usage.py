"""What a run says of its target's resources: memory, threads, descriptors, processor time a request. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from statistics import fmean

from release_gates.judge.drift import flaw_of_series, trend_of
from release_gates.model.measurement import Measurement
from release_gates.model.series import Series
from release_gates.probes.load.drive import Run
from release_gates.probes.load.plan import BLOCK_S
from release_gates.probes.load.resources import Usage
from release_gates.probes.load.scopes import spans

GONE_S = 2.0
"""A process that is not seen for so long before the end is not there any more."""
NAMES = ("target.memory", "target.threads", "target.descriptors", "target.cpu", "target.memory_growth")


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
    if because := _gone(run, seen):
        yield from (Measurement(name=name, absent="error", because=because) for name in NAMES)
        return
    at_s = tuple(usage.at_s - run.started_s for usage in seen)
    columns = ([u.rss_bytes for u in seen], [u.threads for u in seen], [u.descriptors for u in seen])
    for name, unit, column in zip(NAMES, ("B", "count", "count"), columns, strict=False):
        values = tuple(map(float, column))
        series = Series(at_s=at_s, values=values, horizon_s=horizon_s)
        yield Measurement(name=name, value=values[-1], unit=unit, samples=len(values), series=series)
    yield _cores(at_s, seen)
    yield _growth(run, Series(at_s=at_s, values=tuple(map(float, columns[0]))))


def _gone(run: Run, seen: Sequence[Usage]) -> str:
    """Tell since when the target's process was not there; "" where it was there to the end."""
    if not seen:
        return "the target's process was not there while it was judged"
    end_s = max((block + 1) * BLOCK_S for block in run.blocks(*run.judged) or (0,))
    missing_s = end_s - (seen[-1].at_s - run.started_s)
    return f"the target's process was gone {missing_s:.1f} s before the end" if missing_s > GONE_S else ""


def _cores(at_s: Sequence[float], seen: Sequence[Usage]) -> Measurement:
    """Return how many processor cores the target used from look to look."""
    pairs = tuple(pairwise(seen))
    name = NAMES[3]
    if not pairs:
        return Measurement(name=name, absent="inconclusive", because="one look tells no use: run it longer")
    values = tuple((after.cpu_s - before.cpu_s) / (after.at_s - before.at_s) for before, after in pairs)
    series = Series(at_s=tuple(at_s[1:]), values=values)
    return Measurement(name=name, value=fmean(values), unit="cores", samples=len(values), series=series)


def _growth(run: Run, memory: Series) -> Measurement:
    """Return by how much memory grows with each request: its slope over time, by the rate of requests."""
    name, blocks = NAMES[-1], run.blocks(*run.judged)
    requests = sum(run.recording.tally(endpoint, blocks).requests for endpoint in run.recording.endpoints)
    trend = None if flaw_of_series(memory) else trend_of(memory)
    if trend is None or requests == 0:
        because = f"{len(memory.values)} looks at {requests} requests tell no trend: run it longer"
        return Measurement(name=name, absent="inconclusive", because=because)
    rate = requests / (len(blocks) * BLOCK_S)
    ends = (trend.low / rate, trend.high / rate)
    value = trend.slope / rate
    return Measurement(name=name, value=value, unit="B/req", samples=len(memory.values), interval=ends)


def _within(run: Run, *tags: str) -> tuple[Usage, ...]:
    """Return what was seen of the target during some phases."""
    found = [spans(run.plan.phases)[tag] for tag in tags]
    return tuple(
        usage
        for usage in run.usage
        if any(span.start * BLOCK_S <= usage.at_s - run.started_s <= span.stop * BLOCK_S for span in found)
    )
