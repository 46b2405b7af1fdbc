"""Whether a route can be gone until a certain time: a forecast by what the ledger knows; decides nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from release_gates.errors import GateError
from release_gates.judge.timetable import shown
from release_gates.ledger.bearing import history
from release_gates.ledger.deployments import deployments, rollbacks, unfinished
from release_gates.ledger.durations import Longest, longest
from release_gates.ledger.owed import owed
from release_gates.model.candidate import ReleaseCandidate
from release_gates.model.event import Event, Promoted
from release_gates.model.gate import EnvironmentPolicy
from release_gates.model.record import Record
from release_gates.model.route import BREAK_GLASS
from release_gates.promotion.allowed import Question, check_ready
from release_gates.promotion.approvals import check_approvals
from release_gates.promotion.checks import check_stored
from release_gates.promotion.deployment import named
from release_gates.promotion.gate_times import GateTime, gate_times
from release_gates.promotion.rollback import way_back
from release_gates.promotion.routes import check_nothing_owed
from release_gates.promotion.soak import check_soak
from release_gates.promotion.windows import standing_of, window_sentence, zone_of

NEWEST = 5
"""So many deployments and rollbacks tell how long one takes."""


class WayBack(Record, frozen=True, kw_only=True):
    """What a rollback would do: ``to`` is "" where there is none, and ``why_not`` says why."""

    to: str
    why_not: str
    took_s: tuple[float, ...]
    within_s: float | None
    fits: bool | None


class Outlook(Record, frozen=True, kw_only=True):
    """What is known of going a route ``by`` a moment; ``fits`` is None where nobody knows.

    ``run`` is a run that would still count then, so that no gate has to run; "" for none. ``ready`` is when
    the candidate would be live, None where nobody knows. ``obstacles`` is what no time removes until then.
    """

    environment: str
    route: str
    candidate: str
    now: datetime
    by: datetime
    zone: str
    fits: bool | None
    way_back: WayBack
    run: str
    gates: tuple[GateTime, ...]
    beside_s: float | None
    deploy_s: float | None
    ready: datetime | None
    obstacles: tuple[str, ...]
    approvals: tuple[str, ...]
    window: str
    soak: str
    owed: str
    within_s: float | None
    unproven: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Who wants to go where until when: ``zone`` is the one to show times in, ``root`` the project's folder.

    ``expected`` are the node ids by gate, ``local`` whether the ledger is unsigned scratch.
    """

    environment: EnvironmentPolicy
    candidate: ReleaseCandidate
    rules: str
    expected: Mapping[str, Sequence[str]]
    root: Path
    local: bool
    now: datetime
    by: datetime
    zone: str
    workers: int = 1


def outlook(events: Sequence[Event], asked: Asked) -> Outlook:
    """Return what stands between now and an entry, by the ledger, the policy and the clock."""
    entry, name = asked.environment, asked.environment.name
    run, approvals = _proven(events, asked)
    known = longest(events, name, asked.root)
    gates = () if run else _gates(asked, known)
    deploy_s = _deploy_s(events, entry)
    ready = _ready(asked, gates, deploy_s)
    late = [] if ready is None or ready <= asked.by else [f"it would be live at {_at(asked, ready)} only"]
    obstacles = (*_obstacles(events, asked, run, ready), *_closed(asked, ready), *late)
    debt = owed(events, name)
    return Outlook(
        environment=name,
        route=entry.route_name,
        candidate=named(asked.candidate),
        now=asked.now,
        by=asked.by,
        zone=asked.zone,
        fits=_fits(gates, ready, obstacles),
        way_back=_way_back(events, asked),
        run=run,
        gates=gates,
        beside_s=None if run else known.beside_s,
        deploy_s=deploy_s,
        ready=ready,
        obstacles=obstacles,
        approvals=approvals,
        window=window_sentence(entry, asked.now),
        soak=_refusal(lambda: check_soak(events, entry, asked.candidate, now=asked.now)),
        owed=debt.sentence(asked.now) if debt else "",
        within_s=entry.route.full_within_s if entry.route else None,
        unproven=entry.left_out,
    )


def _fits(gates: Sequence[GateTime], ready: datetime | None, obstacles: Sequence[str]) -> bool | None:
    if obstacles or any(gate.fits is False for gate in gates):
        return False
    return None if ready is None else True


def _proven(events: Sequence[Event], asked: Asked) -> tuple[str, tuple[str, ...]]:
    """Return the run that would still let the candidate in at the end, and what it lacks of approvals."""
    entry = asked.environment
    try:
        question = Question(
            environment=entry,
            candidate=asked.candidate,
            rules=asked.rules,
            now=asked.by,
            root=asked.root,
            local=asked.local,
        )
        run, verdict = check_ready(events, question)
    except GateError:
        return "", tuple(
            f"{role.least} of {role.name}: {', '.join(role.persons)}" for role in entry.approvals
        )
    missing = _refusal(lambda: check_approvals(events, run, verdict, entry, asked.candidate, now=asked.by))
    return run.started.run, (missing,) if missing else ()


def _gates(asked: Asked, known: Longest) -> tuple[GateTime, ...]:
    return gate_times(
        asked.environment, asked.expected, known, begins=asked.now, by=asked.by, workers=asked.workers
    )


def _ready(asked: Asked, gates: Sequence[GateTime], deploy_s: float | None) -> datetime | None:
    ends = [gate.ends for gate in gates]
    if deploy_s is None or None in ends:
        return None
    return max([asked.now, *(each for each in ends if each)]) + timedelta(seconds=deploy_s)


def _deploy_s(events: Sequence[Event], entry: EnvironmentPolicy) -> float | None:
    """Return the longest of the newest promotions, None where an executor never carried one here."""
    if entry.deploy.executor == "record":
        return 0.0
    began = {view.started.deployment: view.at for view in deployments(events)}
    took = [
        (event.at - began[event.fact.deployment]).total_seconds()
        for event in events
        if isinstance(event.fact, Promoted)
        and event.fact.environment == entry.name
        and event.fact.deployment in began
    ]
    return max(took[-NEWEST:], default=None)


def _obstacles(events: Sequence[Event], asked: Asked, run: str, ready: datetime | None) -> Iterator[str]:
    """Yield what would hold the candidate however fast its gates are."""
    entry, name = asked.environment, asked.environment.name
    if view := unfinished(events, name):
        yield f"a deployment of {named(view.started.candidate)} by {view.by} is unfinished"
    yield from _said(lambda: check_nothing_owed(events, entry, now=min(ready or asked.by, asked.by)))
    yield from _said(lambda: check_soak(events, entry, asked.candidate, now=asked.by))
    if entry.approvals and not asked.candidate.authors:
        yield "nobody knows the authors of the candidate, and authors may not approve"
    if not run:
        yield from _held_already(events, asked)


def _held_already(events: Sequence[Event], asked: Asked) -> Iterator[str]:
    """Yield why a new run would end in HOLD, whatever it measures."""
    entry = asked.environment
    known = history(
        events, candidate=asked.candidate.digest, environment=entry.name, rules=asked.rules, run=""
    )
    compares = any(rule.baseline for gate in entry.gates for rule in gate.limits)
    if known.live is None and compares:
        yield f"nobody knows what is live in {entry.name}: `release-gates adopt` tells the ledger"
    if known.live and known.live.candidate and known.live.candidate.digest == asked.candidate.digest:
        yield f"it is live in {entry.name} already"
    if len(known.unproven_runs) >= entry.attempts:
        yield f"all {entry.attempts} attempts of these digests are used up"
    asks = {gate.name for gate in entry.gates}
    for each in known.failures:
        if each.gate in asks or entry.route_name != BREAK_GLASS:
            yield f"gate {each.gate} failed for these digests in run {each.run}: {each.because}"


def _closed(asked: Asked, ready: datetime | None) -> Iterator[str]:
    """Yield why the environment is not open between readiness and the end."""
    at = asked.now if ready is None else min(ready, asked.by)
    try:
        found = standing_of(asked.environment, at)
    except GateError as error:
        yield f"closed: {error.message}"
        return
    if found and found.closed and (found.opens is None or found.opens > asked.by):
        yield f"{asked.environment.name} is closed then: {'; '.join(found.closed)}"


def _way_back(events: Sequence[Event], asked: Asked) -> WayBack:
    entry = asked.environment
    took = [each.took_s for each in rollbacks(events, entry.name) if each.took_s is not None][-NEWEST:]
    to, why_not = "", ""
    try:
        _, before = way_back(events, entry.name)
        to = named(before)
        check_stored(before, asked.root)
    except GateError as error:
        why_not = error.message
    left_s = (asked.by - asked.now).total_seconds()
    known = max(took) <= left_s if took else True if entry.deploy.executor == "record" else None
    return WayBack(
        to=to,
        why_not=why_not,
        took_s=tuple(took),
        within_s=entry.deploy.rollback_within_s,
        fits=False if why_not else known,
    )


def _refusal(check: Callable[[], None]) -> str:
    """Return why a check refuses, "" where it does not."""
    try:
        check()
    except GateError as error:
        return error.message
    return ""


def _said(check: Callable[[], None]) -> Iterator[str]:
    if said := _refusal(check):
        yield said.removesuffix(".")


def _at(asked: Asked, moment: datetime) -> str:
    return shown(moment, zone_of(asked.zone))
