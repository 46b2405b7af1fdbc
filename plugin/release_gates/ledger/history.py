"""What the events say: what is live, which runs there were, and what failed.

Read so that no event can hide a FAIL or lend a PROMOTE: a verdict counts for the run, environment, digests
and rules that it names and for no other; of two verdicts of one run the worse counts; an invalidation by the
run's own actor, or by its own process, takes a PROMOTE back but forgives nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from msgspec import UNSET, structs

from release_gates.model.event import (
    Adopted,
    Event,
    Fact,
    FirstRelease,
    GateFailed,
    Live,
    PriorFailure,
    Promoted,
    RolledBack,
    RunFinished,
    RunInvalidated,
    RunStarted,
    ShortPart,
)
from release_gates.model.outcome import Outcome, Severity
from release_gates.model.person import same_person
from release_gates.model.route import named_route
from release_gates.model.verdict import GateJudgement, LimitJudgement, TestProblem, Verdict, own_words

ITS_OWN = "pytest"
"""Who takes back a run from inside its own process (``RunInvalidated.by``)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunView:
    """One run with everything that the ledger says of it; ``verdict`` is None while it has none."""

    started: RunStarted
    at: datetime
    verdict: Verdict | None
    verdict_seq: int
    invalidated: str
    """Why it counts for nothing; "" where it counts."""
    forgiven: int = 0
    """The last event by which somebody else invalidated it: FAILs up to there do not count; 0 for none."""

    @property
    def route_name(self) -> str:
        """The route that it is for."""
        return named_route(self.started.route)

    @property
    def promotes(self) -> bool:
        """Whether this run stands for a PROMOTE."""
        return self.verdict is not None and self.verdict.promotes and not self.invalidated

    @property
    def observed(self) -> bool:
        """Whether the whole entry was only observed: by its verdict, or as it began while it has none."""
        return self.verdict.is_observed if self.verdict is not None else self.started.mode == "observe"


def live_in(events: Iterable[Event], environment: str) -> Live | None:
    """Return what an environment runs; None if the ledger does not know."""
    live = None
    for event in events:
        fact = event.fact
        if isinstance(fact, (Adopted, Promoted, RolledBack)) and fact.environment == environment:
            live = Live(environment=environment, candidate=fact.candidate, since=event.at)
        elif isinstance(fact, FirstRelease) and fact.environment == environment:
            live = Live(environment=environment, candidate=None, since=event.at, reason=fact.reason)
    return live


def live_since(events: Iterable[Event], environment: str) -> int:
    """Return the number of the event that told last what is live in an environment; 0 for none."""
    return max(
        (
            event.seq
            for event in events
            if isinstance(event.fact, (Adopted, Promoted, RolledBack, FirstRelease))
            and event.fact.environment == environment
        ),
        default=0,
    )


def runs(events: Sequence[Event]) -> tuple[RunView, ...]:
    """Return all runs in the order in which they started."""
    finished: dict[str, list[tuple[int, Verdict]]] = {}
    invalidations: dict[str, list[tuple[int, RunInvalidated]]] = {}
    for event in events:
        if isinstance(event.fact, RunFinished):
            finished.setdefault(event.fact.run, []).append((event.seq, event.fact.verdict))
        elif isinstance(event.fact, RunInvalidated):
            invalidations.setdefault(event.fact.run, []).append((event.seq, event.fact))
    return tuple(
        _view(event, event.fact, finished.get(event.fact.run, ()), invalidations.get(event.fact.run, ()))
        for event in events
        if isinstance(event.fact, RunStarted)
    )


def failures(
    events: Sequence[Event], *, candidate: str, environment: str
) -> Iterator[tuple[int, PriorFailure]]:
    """Yield each FAIL of a candidate's digests for an environment, with the number of its event.

    One for each run and gate, the first, with all parts of it where its run says what they were. One that
    was seen before somebody else invalidated its run does
    not count; one that was seen after that does: nobody had a reason for it yet.
    """
    forgiven = {view.started.run: view.forgiven for view in runs(events)}
    seen: set[tuple[str, str]] = set()
    for event in events:
        for failure in _failures_in(event.fact, candidate, environment):
            if event.seq > forgiven.get(failure.run, 0) and (failure.run, failure.gate) not in seen:
                seen.add((failure.run, failure.gate))
                parts = _parts(events, failure)
                yield event.seq, structs.replace(failure, parts=parts) if parts else failure


def _parts(events: Sequence[Event], failure: PriorFailure) -> tuple[ShortPart, ...]:
    """Return what failed in the gate of a run that ended once; nobody knows it of any other."""
    ends = [
        each.fact for each in events if isinstance(each.fact, RunFinished) and each.fact.run == failure.run
    ]
    if len(ends) != 1 or ends[0].short is UNSET:
        return ()
    return tuple(part for part in ends[0].short if part.gate == failure.gate)


def _view(
    event: Event,
    started: RunStarted,
    finished: Sequence[tuple[int, Verdict]],
    invalidations: Sequence[tuple[int, RunInvalidated]],
) -> RunView:
    own = [(seq, verdict) for seq, verdict in finished if seq > event.seq and _is_about(verdict, started)]
    seq, verdict = min(own, key=lambda each: _standing(each[1]), default=(0, None))
    why = next((each.reason.strip() or "no reason was given" for _, each in invalidations), "")
    return RunView(
        started=started,
        at=event.at,
        verdict=verdict,
        verdict_seq=seq,
        invalidated=why,
        forgiven=max(
            (at for at, each in invalidations if at > event.seq and _by_another(each, started)), default=0
        ),
    )


def _standing(verdict: Verdict) -> tuple[bool, bool]:
    """Order verdicts from worst to best: HOLD, HOLD that is only observed, PROMOTE so, PROMOTE."""
    return verdict.promotes, verdict.is_observed is not verdict.promotes


def _is_about(verdict: Verdict, started: RunStarted) -> bool:
    about = (verdict.run, verdict.environment, verdict.candidate.digest, verdict.inputs.rules, verdict.route)
    return about == (
        started.run,
        started.environment,
        started.candidate.digest,
        started.rules,
        started.route,
    )


def _by_another(fact: RunInvalidated, started: RunStarted) -> bool:
    return bool(fact.by.strip()) and not any(same_person(fact.by, own) for own in (started.actor, ITS_OWN))


def _failures_in(fact: Fact, candidate: str, environment: str) -> Iterator[PriorFailure]:
    if isinstance(fact, GateFailed):
        if (fact.candidate, fact.environment) == (candidate, environment):
            yield PriorFailure(run=fact.run, gate=fact.gate, test=fact.test, because=fact.because)
    elif isinstance(fact, RunFinished):
        verdict = fact.verdict
        about = (verdict.candidate.digest, verdict.environment)
        if about == (candidate, environment) and not verdict.is_observed:
            for gate in verdict.gates:
                yield from _own_failures(fact.run, gate)


def _own_failures(run: str, gate: GateJudgement) -> Iterator[PriorFailure]:
    """Yield what failed first in this run itself, not what it had to repeat from an earlier one."""
    if gate.severity is not Severity.BLOCKING or gate.is_observed:
        return
    parts: list[LimitJudgement | TestProblem] = [*gate.limits, *gate.problems]
    failed = [part for part in parts if (part.waived.was if part.waived else part.outcome) is Outcome.FAIL]
    own = [part for part in failed if not (isinstance(part, TestProblem) and part.run)]
    if own:
        yield PriorFailure(run=run, gate=gate.name, test=own[0].test, because=own_words(own[0]))
    elif gate.outcome is Outcome.FAIL and not failed:
        yield PriorFailure(run=run, gate=gate.name, test="", because=gate.because)
