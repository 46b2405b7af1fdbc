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
from release_gates.model.outcome import Outcome

MOST_RUNS = 3
MOST_MEASURED = 10
"""So many of the newest runs tell the longest that each test took."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Longest:
    """The longest of the newest ``MOST_MEASURED`` runs, in seconds: each test that passed, by its id.

    ``gates`` says in how many of them each gate had a test that passed; ``beside_s`` is what a run took
    beside its tests, None where no whole run is there.
    """

    tests: dict[str, float]
    gates: dict[str, int]
    beside_s: float | None


def longest(events: Sequence[Event], environment: str, root: Path) -> Longest:
    """Return how long tests of an entry took at most, on whatever route.

    A test that did not pass tells nothing, as it may have ended early; nor does what other tools measured.
    """
    own = [view for view in runs(events) if view.started.environment == environment and view.verdict]
    tests: dict[str, float] = defaultdict(float)
    gates: dict[str, set[str]] = defaultdict(set)
    beside: list[float] = []
    for view in own[-MOST_MEASURED:]:
        for part in _files(view, root):
            if part.header.sources or part.end is None:
                continue
            whole = (part.end.ended - part.header.started).total_seconds()
            beside.append(max(0.0, whole - sum(record.duration_s for record in part.tests)))
            for record in part.tests:
                if record.outcome is Outcome.PASS:
                    tests[record.id] = max(tests[record.id], record.duration_s)
                    gates[record.gate].add(view.started.run)
    return Longest(
        tests=dict(tests),
        gates={gate: len(found) for gate, found in gates.items()},
        beside_s=max(beside, default=None),
    )


def _parts(view: RunView, root: Path) -> Iterator[Evidence]:
    """Yield a run's evidence if it is one file."""
    if len(view.started.evidence) == 1:
        yield from _files(view, root)


def _files(view: RunView, root: Path) -> Iterator[Evidence]:
    """Yield the evidence of a run; what cannot be read tells nothing."""
    for name in view.started.evidence:
        path = root / name
        try:
            if path.is_file() and path.stat().st_size <= LARGEST_BYTES:
                yield read_evidence(path)
        except (GateError, OSError):
            continue
