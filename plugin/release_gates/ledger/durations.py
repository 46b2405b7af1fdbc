"""How long the newest runs for an entry took, and each of their tests: for telling how much time is left."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median

from release_gates.errors import GateError
from release_gates.ledger.evidence import read_evidence
from release_gates.ledger.history import RunView, runs
from release_gates.model.event import Event
from release_gates.model.evidence import Evidence

MOST_RUNS = 3
LARGEST_BYTES = 8 * 1024 * 1024
"""A larger evidence file is not read for this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Durations:
    """Medians over ``of`` runs, in seconds: the whole run from begin to end, and each test by its id."""

    of: int
    whole_s: float
    tests: dict[str, float]

    def left_s(self, expected: Collection[str], done: Collection[str]) -> float:
        """Return how much is left if the tests share the time as they did: an estimate for people."""
        usual = fmean(self.tests.values()) if self.tests else 0.0
        every = sum(self.tests.get(test, usual) for test in expected)
        rest = sum(self.tests.get(test, usual) for test in expected if test not in done)
        return self.whole_s * rest / every if every > 0 else 0.0


def durations(events: Sequence[Event], environment: str, root: Path) -> Durations | None:
    """Return how long the newest measured runs for an entry took; None where no evidence of one is there."""
    own = [view for view in runs(events) if view.started.environment == environment and view.verdict]
    found = [part for view in reversed(own[-MOST_RUNS:]) for part in _parts(view, root)]
    whole = [(part.end.ended - part.header.started).total_seconds() for part in found if part.end]
    if not whole:
        return None
    seen: dict[str, list[float]] = defaultdict(list)
    for part in found:
        for record in part.tests:
            seen[record.id].append(record.duration_s)
    tests = {test: median(times) for test, times in seen.items()}
    return Durations(of=len(whole), whole_s=median(whole), tests=tests)


def _parts(view: RunView, root: Path) -> Iterator[Evidence]:
    """Yield a run's evidence if it is one file; what cannot be read tells nothing."""
    if len(view.started.evidence) == 1 and (path := root / view.started.evidence[0]).is_file():
        try:
            if path.stat().st_size <= LARGEST_BYTES:
                yield read_evidence(path)
        except (GateError, OSError):
            return
