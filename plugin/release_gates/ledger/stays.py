"""Which candidate was live where and when, and what spoke against it there, according to the ledger."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import msgspec
from msgspec import UNSET

from release_gates.ledger.history import RunView
from release_gates.model.candidate import ReleaseCandidate
from release_gates.model.chronicle import Stay
from release_gates.model.event import (
    Adopted,
    Event,
    FirstRelease,
    GateFailed,
    Promoted,
    RolledBack,
    RunFinished,
    RunInvalidated,
)
from release_gates.model.verdict import CandidateName

Change = Adopted | Promoted | RolledBack | FirstRelease


@dataclass(frozen=True, slots=True, kw_only=True)
class Sign:
    """Something that speaks against a build after it went live."""

    seq: int
    at: datetime
    sentence: str


def stays(
    events: Sequence[Event], views: Sequence[RunView], first_seen: Mapping[str, datetime]
) -> tuple[Stay, ...]:
    """Return every time that a candidate was live somewhere, in the order in which they began.

    ``views`` are the runs of these events, ``first_seen`` says since when the ledger knows each digest.
    """
    signs, taken_back = _signs(events, views), _taken_back(events)
    changes: dict[str, list[tuple[Event, Change]]] = defaultdict(list)
    for event in events:
        if isinstance(event.fact, (Adopted, Promoted, RolledBack, FirstRelease)):
            changes[event.fact.environment].append((event, event.fact))
    found = [
        stay
        for own in changes.values()
        for stay in _in_one_place(_without_repeats(own), signs, taken_back, first_seen)
    ]
    return tuple(sorted(found, key=lambda stay: stay.since))


def _without_repeats(changes: Sequence[tuple[Event, Change]]) -> list[tuple[Event, Change]]:
    """Leave out an adoption of what is live already: it changes nothing."""
    kept: list[tuple[Event, Change]] = []
    live = None
    for event, fact in changes:
        digest = None if isinstance(fact, FirstRelease) else fact.candidate.digest
        if not (isinstance(fact, Adopted) and digest == live):
            kept.append((event, fact))
        live = digest
    return kept


def _in_one_place(
    changes: Sequence[tuple[Event, Change]],
    signs: Mapping[tuple[str, str], Sequence[Sign]],
    taken_back: Mapping[str, Sequence[Sign]],
    first_seen: Mapping[str, datetime],
) -> Iterator[Stay]:
    before: set[str] = set()
    for (event, fact), following in zip(changes, [*changes[1:], None], strict=True):
        if isinstance(fact, FirstRelease):
            continue
        name = name_of(fact.candidate)
        run = fact.run if isinstance(fact, Promoted) else ""
        stay = Stay(
            environment=fact.environment,
            candidate=name,
            how=_how(fact),
            by=fact.by,
            since=event.at,
            until=following[0].at if following else None,
            run=run,
            returned=name.digest in before,
            lead_s=(event.at - first_seen.get(name.digest, event.at)).total_seconds(),
        )
        stay = _on_its_route(stay, fact)
        before.add(name.digest)
        against = [*signs.get((fact.environment, name.digest), ()), *taken_back.get(run, ())]
        yield _judged(stay, event.seq, against, following, before)


def _on_its_route(stay: Stay, fact: Adopted | Promoted | RolledBack) -> Stay:
    if not isinstance(fact, Promoted) or fact.route is UNSET:
        return stay
    return msgspec.structs.replace(stay, route=fact.route, ticket=fact.ticket or "", why=fact.reason or "")


def _how(fact: Adopted | Promoted | RolledBack) -> Literal["promoted", "adopted", "rolled back"]:
    if isinstance(fact, Promoted):
        return "promoted"
    return "rolled back" if isinstance(fact, RolledBack) else "adopted"


def _judged(
    stay: Stay,
    seq: int,
    against: Sequence[Sign],
    following: tuple[Event, Change] | None,
    before: set[str],
) -> Stay:
    """Add the first sign of a failure: one in the ledger, else that it was rolled back or replaced."""
    last = following[0].seq if following else None
    within = [sign for sign in against if sign.seq > seq and (last is None or sign.seq < last)]
    sign = min(within, key=lambda each: each.seq, default=None)
    if sign is None and following and not isinstance(following[1], FirstRelease):
        back = following[1].candidate
        if isinstance(following[1], RolledBack):
            sign = Sign(seq=seq, at=stay.since, sentence=f"rolled back: {following[1].reason}")
        elif back.digest in before and back.digest != stay.candidate.digest:
            sign = Sign(seq=seq, at=stay.since, sentence=f"{back.name} {back.version} came back")
    if sign is None:
        return stay
    restored = None if stay.until is None else max(0.0, (stay.until - sign.at).total_seconds())
    return msgspec.structs.replace(stay, failed=sign.sentence, restored_s=restored)


def _signs(events: Sequence[Event], views: Sequence[RunView]) -> dict[tuple[str, str], list[Sign]]:
    """Return each FAIL that counts, by environment and digest."""
    forgiven = {view.started.run: view.forgiven for view in views}
    found: dict[tuple[str, str], list[Sign]] = defaultdict(list)
    for event in events:
        fact = event.fact
        if isinstance(fact, GateFailed):
            place, because = (fact.environment, fact.candidate), f"gate {fact.gate}: {fact.because}"
        elif isinstance(fact, RunFinished) and _is_broken(fact):
            verdict = fact.verdict
            place, because = (verdict.environment, verdict.candidate.digest), verdict.because
        else:
            continue
        if event.seq > forgiven.get(fact.run, 0):
            found[place].append(Sign(seq=event.seq, at=event.at, sentence=because))
    return found


def _is_broken(fact: RunFinished) -> bool:
    return fact.verdict.kind == "broken" and not fact.verdict.is_observed


def _taken_back(events: Sequence[Event]) -> dict[str, list[Sign]]:
    found: dict[str, list[Sign]] = defaultdict(list)
    for event in events:
        if isinstance(event.fact, RunInvalidated):
            sentence = f"its run was invalidated: {event.fact.reason.strip() or 'no reason was given'}"
            found[event.fact.run].append(Sign(seq=event.seq, at=event.at, sentence=sentence))
    return found


def name_of(candidate: ReleaseCandidate) -> CandidateName:
    """Return how a candidate is named beside its digest."""
    return CandidateName(
        name=candidate.name,
        version=candidate.version,
        commit=candidate.commit,
        digest=candidate.digest,
    )
