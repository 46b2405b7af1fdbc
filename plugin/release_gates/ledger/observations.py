"""What runs under ``mode = "observe"`` would have held, according to the ledger alone."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import groupby
from typing import NamedTuple

from release_gates.ledger.history import RunView, runs
from release_gates.model.event import Event
from release_gates.model.observation import Observations, ObservedEntry, ObservedGate, ObservedReason
from release_gates.model.outcome import Outcome, Severity
from release_gates.model.verdict import CandidateName, Reason, Verdict

ELLIPSIS = "…"
_RUN = r"\d{8}T\d{6}Z-[0-9a-f]{6}"
_HEX = r"(?=\d*[a-f])(?=[a-f]*\d)[0-9a-f]{7,64}"
_NUMBER = r"[+-]?\d+(?:[ .,:_-]?\d+)*(?:[eE][+-]?\d+)?"
_SHAPED = re.compile(rf"(?<![\w.])(?:{_RUN}|{_HEX}|{_NUMBER})(?!\w)")


class Sighting(NamedTuple):
    """One observed run with its verdict."""

    at: datetime
    verdict: Verdict


def observations(
    events: Sequence[Event], *, environment: str | None = None, since: datetime | None = None
) -> Observations:
    """Add up all runs that observed an entry or a gate, and that nobody invalidated.

    ``environment`` and ``since`` (when the run began) leave out others.
    """
    views = [
        view
        for view in runs(events)
        if environment in (None, view.started.environment)
        and (since is None or view.at >= since)
        and not view.invalidated
        and _observes(view)
    ]
    views.sort(key=lambda view: view.started.environment)
    entries = (_entry(name, list(own)) for name, own in groupby(views, lambda view: view.started.environment))
    return Observations(since=since, entries=tuple(entries))


def shape(sentence: str) -> str:
    """Return a sentence with "…" for each number, digest and run in it: one cause, one sentence."""
    return _SHAPED.sub(ELLIPSIS, sentence)


def _observes(view: RunView) -> bool:
    return view.observed or (view.verdict is not None and bool(_gates(view.verdict)))


def _gates(verdict: Verdict) -> tuple[str, ...]:
    """Return the gates that a verdict only observed and that would have held; "" for the run as a whole."""
    names = [
        gate.name
        for gate in verdict.gates
        if gate.severity is Severity.BLOCKING and (verdict.is_observed or gate.is_observed)
    ]
    whole = any(not reason.gate for reason in verdict.would_hold)
    return (*names, "") if whole else tuple(names)


def _entry(environment: str, views: Sequence[RunView]) -> ObservedEntry:
    seen = [Sighting(view.at, view.verdict) for view in views if view.verdict is not None]
    broken, not_proven = _held([each.verdict.would_hold for each in seen])
    gates = dict.fromkeys(gate for each in seen for gate in _gates(each.verdict))
    return ObservedEntry(
        environment=environment,
        runs=len(seen),
        broken=broken,
        not_proven=not_proven,
        unfinished=len(views) - len(seen),
        first=views[0].at,
        last=views[-1].at,
        candidates=len(_candidates(seen)),
        held=_held_candidates(seen),
        gates=tuple(_gate(name, seen) for name in gates),
    )


def _held_candidates(seen: Sequence[Sighting]) -> tuple[CandidateName, ...]:
    newest = {each.verdict.candidate.digest: each for each in seen}
    stuck = {each.verdict.candidate.digest for each in seen if _is_broken(each.verdict.would_hold)}
    return tuple(
        each.verdict.candidate
        for digest, each in newest.items()
        if digest in stuck or each.verdict.would_hold
    )


def _gate(name: str, seen: Sequence[Sighting]) -> ObservedGate:
    own = [each for each in seen if name in _gates(each.verdict)]
    reasons = [[reason for reason in each.verdict.would_hold if reason.gate == name] for each in own]
    broken, not_proven = _held(reasons)
    return ObservedGate(
        gate=name,
        runs=len(own),
        broken=broken,
        not_proven=not_proven,
        first=own[0].at,
        last=own[-1].at,
        reasons=tuple(_reasons(own, reasons)),
    )


def _reasons(own: Sequence[Sighting], reasons: Sequence[Sequence[Reason]]) -> Iterator[ObservedReason]:
    """Yield each shape of a reason, the most frequent first, counted once a run."""
    found: dict[tuple[Outcome, str], list[tuple[Sighting, Reason]]] = {}
    for sighting, said in zip(own, reasons, strict=True):
        for key, reason in {(each.outcome, shape(each.sentence)): each for each in said}.items():
            found.setdefault(key, []).append((sighting, reason))
    ranked = sorted(found.items(), key=lambda each: (-len(each[1]), -each[0][0].rank, each[0][1]))
    for (outcome, text), times in ranked:
        yield ObservedReason(
            outcome=outcome,
            shape=text,
            newest=times[-1][1].sentence,
            runs=len(times),
            first=times[0][0].at,
            last=times[-1][0].at,
            candidates=_candidates([sighting for sighting, _ in times]),
        )


def _candidates(seen: Sequence[Sighting]) -> tuple[CandidateName, ...]:
    return tuple({each.verdict.candidate.digest: each.verdict.candidate for each in seen}.values())


def _held(runs: Sequence[Sequence[Reason]]) -> tuple[int, int]:
    """Return how many runs would have been broken, and how many not proven."""
    broken = sum(_is_broken(reasons) for reasons in runs)
    return broken, sum(bool(reasons) for reasons in runs) - broken


def _is_broken(reasons: Sequence[Reason]) -> bool:
    return any(reason.outcome is Outcome.FAIL for reason in reasons)
