"""What the events say: what is live, which runs there were, and what bears on one decision."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from release_gates.model.event import (
    Adopted,
    Event,
    FirstRelease,
    GateFailed,
    History,
    Live,
    PriorFailure,
    Promoted,
    RunFinished,
    RunInvalidated,
    RunStarted,
)
from release_gates.model.outcome import Outcome, Severity
from release_gates.model.verdict import GateJudgement, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class RunView:
    """One run with everything that the ledger says of it; ``verdict`` is None while it has none."""

    started: RunStarted
    at: datetime
    verdict: Verdict | None
    verdict_seq: int
    invalidated: str
    """Why it counts for nothing; "" where it counts."""

    @property
    def promotes(self) -> bool:
        """Whether this run stands for a PROMOTE."""
        return self.verdict is not None and self.verdict.promotes and not self.invalidated


def history(events: Iterable[Event], *, candidate: str, environment: str, rules: str, run: str) -> History:
    """Return what bears on deciding ``run``: the live build, earlier FAILs, earlier runs that proved nothing.

    FAILs count for the same artifact digests and environment under any rules; unproven runs are
    counted under the same rules only. Invalidated runs count for neither.
    """
    known = list(events)
    earlier = [
        view
        for view in runs(known)
        if view.started.run != run
        and view.started.environment == environment
        and view.started.candidate.digest == candidate
        and not view.invalidated
    ]
    counted = {view.started.run for view in earlier}
    return History(
        live=live_in(known, environment),
        failures=tuple(_failures(known, counted)),
        unproven_runs=tuple(
            view.started.run for view in earlier if view.started.rules == rules and not view.promotes
        ),
    )


def live_in(events: Iterable[Event], environment: str) -> Live | None:
    """Return what an environment runs; None if the ledger does not know."""
    live = None
    for event in events:
        fact = event.fact
        if isinstance(fact, (Adopted, Promoted)) and fact.environment == environment:
            live = Live(environment=environment, candidate=fact.candidate, since=event.at)
        elif isinstance(fact, FirstRelease) and fact.environment == environment:
            live = Live(environment=environment, candidate=None, since=event.at, reason=fact.reason)
    return live


def runs(events: Sequence[Event]) -> tuple[RunView, ...]:
    """Return all runs in the order in which they started."""
    invalidated = {
        event.fact.run: event.fact.reason for event in events if isinstance(event.fact, RunInvalidated)
    }
    finished = {event.fact.run: event for event in events if isinstance(event.fact, RunFinished)}
    return tuple(
        RunView(
            started=event.fact,
            at=event.at,
            verdict=_verdict(finished.get(event.fact.run)),
            verdict_seq=finished[event.fact.run].seq if event.fact.run in finished else 0,
            invalidated=invalidated.get(event.fact.run, ""),
        )
        for event in events
        if isinstance(event.fact, RunStarted)
    )


def _verdict(event: Event | None) -> Verdict | None:
    return event.fact.verdict if event is not None and isinstance(event.fact, RunFinished) else None


def _failures(events: Sequence[Event], counted: set[str]) -> Iterator[PriorFailure]:
    seen: set[tuple[str, str]] = set()
    for event in events:
        for failure in _failures_in(event):
            if failure.run in counted and (failure.run, failure.gate) not in seen:
                seen.add((failure.run, failure.gate))
                yield failure


def _failures_in(event: Event) -> Iterator[PriorFailure]:
    fact = event.fact
    if isinstance(fact, GateFailed):
        yield PriorFailure(run=fact.run, gate=fact.gate, test=fact.test, because=fact.because)
    elif isinstance(fact, RunFinished):
        for gate in fact.verdict.gates:
            if gate.severity is Severity.BLOCKING:
                yield from _own_failures(fact.run, gate)


def _own_failures(run: str, gate: GateJudgement) -> Iterator[PriorFailure]:
    """Yield what failed in this run itself, not what it had to repeat from an earlier one."""
    for limit in gate.limits:
        if limit.outcome is Outcome.FAIL:
            yield PriorFailure(run=run, gate=gate.name, test=limit.test, because=limit.because)
    for problem in gate.problems:
        if problem.outcome is Outcome.FAIL and not problem.run:
            yield PriorFailure(run=run, gate=gate.name, test=problem.test, because=problem.because)
