"""The first failures in full, for people: what was asked, and what came."""

from __future__ import annotations

from collections import Counter

from release_gates.probes.load.recorder import FailureKind
from release_gates.probes.load.traffic import Request

MOST = 3


class FailureLog:
    """Prints the first failures of each kind of each endpoint to the log of the run; all are only counted."""

    def __init__(self) -> None:
        self._seen: Counter[tuple[str, FailureKind]] = Counter()

    def note(self, request: Request, kind: FailureKind, what: str) -> None:
        """Print a failure, unless there were enough of its kind."""
        key = request.endpoint, kind
        self._seen[key] += 1
        if self._seen[key] <= MOST:
            print(
                f"{kind}: {request.endpoint}, {request.method} {request.path:.200}: {what:.300}", flush=True
            )
