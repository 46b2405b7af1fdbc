"""Tell the whole ledger: every candidate at every entry, what was delivered, how the gates behaved."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from msgspec import structs

from release_gates.ledger.acceptances import told_waivers
from release_gates.ledger.behaviour import told_gates
from release_gates.ledger.chain import Damage
from release_gates.ledger.history import RunView, runs
from release_gates.ledger.owed import owed
from release_gates.ledger.periods import deliveries
from release_gates.ledger.stays import name_of, stays
from release_gates.model.chronicle import Answer, Chronicle, Stay, ToldCandidate, ToldEntry, ToldRun
from release_gates.model.event import (
    Adopted,
    Approved,
    Event,
    FirstRelease,
    GatesProved,
    Promoted,
    RolledBack,
    RunFinished,
)
from release_gates.model.record import digest
from release_gates.model.verdict import CandidateName


def chronicle(
    events: Sequence[Event],
    *,
    made: datetime,
    head: str,
    local: bool,
    damage: Sequence[Damage] = (),
    path: Sequence[str] = (),
) -> Chronicle:
    """Return everything that the events tell. ``path`` orders the environments as far as it names them.

    ``damage`` is what verifying the chain found; it is told, and forgives nothing.
    """
    views = runs(events)
    told = _told_runs(events, views)
    seen = _first_seen(events, told)
    environments = _environments(events, views, path)
    debts = {name: debt.sentence(made) for name in environments if (debt := owed(events, name))}
    live = tuple(
        structs.replace(stay, owed=debts.get(stay.environment, "")) if stay.until is None else stay
        for stay in stays(events, views, seen)
    )
    return Chronicle(
        made=made,
        head=head,
        local=local,
        events=len(events),
        first=events[0].at if events else None,
        last=events[-1].at if events else None,
        damage=tuple(each.sentence for each in damage),
        environments=environments,
        candidates=_candidates(environments, told, live, seen),
        deliveries=tuple(deliveries(name, live, events[0].at, made) for name in environments),
        gates=tuple(gate for name in environments for gate in told_gates(name, views, events)),
        waivers=told_waivers(views, live),
    )


def _told_runs(events: Sequence[Event], views: Sequence[RunView]) -> tuple[ToldRun, ...]:
    ended = {event.seq: event.at for event in events if isinstance(event.fact, RunFinished)}
    said: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        if isinstance(event.fact, Approved):
            said[event.fact.run].append(event)
    return tuple(_told(view, ended.get(view.verdict_seq), said.get(view.started.run, ())) for view in views)


def _answers(view: RunView, said: Sequence[Event]) -> Iterator[Answer]:
    """Yield what people said to exactly this verdict."""
    if not said or view.verdict is None:
        return
    about = view.started.environment, view.started.candidate.digest, digest(view.verdict)
    for event in said:
        fact = event.fact
        if not isinstance(fact, Approved) or event.seq <= view.verdict_seq:
            continue
        if (fact.environment, fact.candidate, fact.verdict) == about:
            yield Answer(by=fact.by, role=fact.role, answer=fact.answer, reason=fact.reason, at=event.at)


def _told(view: RunView, ended: datetime | None, said: Sequence[Event]) -> ToldRun:
    started, verdict = view.started, view.verdict
    title = verdict.title if verdict else "no verdict"
    because = verdict.because if verdict else "it is in progress, or it was killed"
    return ToldRun(
        run=started.run,
        environment=started.environment,
        candidate=name_of(started.candidate),
        actor=started.actor,
        began=view.at,
        title=f"{title}, taken back" if view.invalidated else title,
        because=because,
        ended=ended if verdict else None,
        invalidated=view.invalidated,
        answers=tuple(_answers(view, said)),
    )


def _first_seen(events: Sequence[Event], told: Sequence[ToldRun]) -> dict[str, datetime]:
    """Return when the ledger heard of each digest first: by a run, or as what is live."""
    moments = [(run.began, run.candidate.digest) for run in told]
    for event in events:
        if isinstance(event.fact, (Adopted, Promoted, RolledBack)):
            moments.append((event.at, event.fact.candidate.digest))
    return {digest: at for at, digest in sorted(moments, reverse=True)}


def _environments(events: Sequence[Event], views: Sequence[RunView], path: Sequence[str]) -> tuple[str, ...]:
    named = [
        event.fact.environment
        for event in events
        if isinstance(event.fact, (Adopted, Promoted, RolledBack, FirstRelease, GatesProved))
    ]
    known = dict.fromkeys([*(view.started.environment for view in views), *named])
    return tuple(dict.fromkeys([*(name for name in path if name in known), *known]))


def _candidates(
    environments: Sequence[str],
    told: Sequence[ToldRun],
    live: Sequence[Stay],
    seen: Mapping[str, datetime],
) -> tuple[ToldCandidate, ...]:
    """Return every candidate, the one that was heard of last first."""
    by_place: dict[tuple[str, str], list[ToldRun]] = defaultdict(list)
    stays_at: dict[tuple[str, str], list[Stay]] = defaultdict(list)
    names: dict[str, CandidateName] = {}
    last: dict[str, datetime] = {}
    for stay in live:
        digest = stay.candidate.digest
        stays_at[digest, stay.environment].append(stay)
        names[digest], last[digest] = stay.candidate, stay.since
    for run in told:
        digest = run.candidate.digest
        by_place[digest, run.environment].append(run)
        names[digest] = run.candidate
        last[digest] = max(last.get(digest, run.began), run.ended or run.began)
    found = (
        ToldCandidate(
            candidate=name,
            first_seen=seen[digest],
            last_seen=last[digest],
            entries=tuple(
                ToldEntry(
                    environment=environment,
                    runs=tuple(by_place.get((digest, environment), ())),
                    stays=tuple(stays_at.get((digest, environment), ())),
                )
                for environment in environments
            ),
        )
        for digest, name in names.items()
    )
    return tuple(sorted(found, key=lambda each: each.last_seen, reverse=True))
