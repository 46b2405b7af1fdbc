"""What the ledger knows that bears on one decision."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import takewhile

from release_gates.ledger.history import failures, runs
from release_gates.ledger.owed import compared_with
from release_gates.model.event import Event, History


def history(events: Iterable[Event], *, candidate: str, environment: str, rules: str, run: str) -> History:
    """Return what bears on deciding ``run``: the live build, earlier FAILs, earlier runs that proved nothing.

    FAILs count for the same artifact digests and environment under any rules; unproven runs are those that
    started before, under the same rules. Runs that somebody else invalidated count for neither, nor does what
    was only observed.
    """
    known = list(events)
    return History(
        live=compared_with(known, environment, candidate),
        failures=tuple(
            failure
            for _, failure in failures(known, candidate=candidate, environment=environment)
            if failure.run != run
        ),
        unproven_runs=tuple(
            view.started.run
            for view in takewhile(lambda view: view.started.run != run, runs(known))
            if view.started.environment == environment
            and view.started.candidate.digest == candidate
            and view.started.rules == rules
            and not (view.promotes or view.forgiven or view.observed)
        ),
    )
