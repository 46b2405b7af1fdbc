"""Outcomes, severities, effects: the closed sets of words that everything else is judged in."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum


class Outcome(StrEnum):
    """What became of a measurement, a test or a gate; declared from best to worst."""

    PASS = "PASS"  # noqa: S105 - no password
    WARN = "WARN"
    WAIVED = "WAIVED"
    INCONCLUSIVE = "INCONCLUSIVE"
    MISSING = "MISSING"
    ERROR = "ERROR"
    FAIL = "FAIL"

    @property
    def rank(self) -> int:
        """Position in the order, 0 for the best."""
        return _RANK[self]

    @property
    def promotes(self) -> bool:
        """Whether a blocking gate with this outcome lets a candidate in."""
        return self in _PROMOTING


_RANK = {outcome: rank for rank, outcome in enumerate(Outcome)}
_PROMOTING = frozenset({Outcome.PASS, Outcome.WARN, Outcome.WAIVED})


def worst(outcomes: Iterable[Outcome]) -> Outcome:
    """Return the worst of the outcomes; MISSING where there is none, as no data is never a pass."""
    return max(outcomes, key=_RANK.__getitem__, default=Outcome.MISSING)


class Severity(StrEnum):
    """What a gate's bad outcome does: hold the candidate, or only be shown."""

    BLOCKING = "blocking"
    ADVISORY = "advisory"
    INFO = "info"


class Mode(StrEnum):
    """Whether a gate or a whole entry acts on what is judged, or only says what it would have done."""

    ENFORCE = "enforce"
    OBSERVE = "observe"


class Effect(StrEnum):
    """What a gate does to the place that it runs against; production accepts ``read`` only."""

    READ = "read"
    WRITE = "write"
    DESTRUCTIVE = "destructive"
