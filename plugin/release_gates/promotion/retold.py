"""What the events of a bundle say of its run, counted once more by the bundle's own rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
from msgspec import UNSET

from release_gates.errors import PromotionRefused, TrustError
from release_gates.ledger.attestations.rules import check_rules_approval
from release_gates.ledger.history import RunView, runs
from release_gates.ledger.segment import about_run
from release_gates.model.candidate import ReleaseCandidate
from release_gates.model.event import Approved, DeploymentStarted, Event, Promoted
from release_gates.model.gate import EnvironmentPolicy
from release_gates.model.record import canonical
from release_gates.model.route import BREAK_GLASS
from release_gates.model.trust import Trust
from release_gates.model.verdict import Verdict
from release_gates.promotion.approvals import check_approvals
from release_gates.promotion.checks import check_live, check_no_failure, check_verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Retold:
    """What happened after the verdict: each promotion, each answer, and every event about the run."""

    promoted: tuple[Event, ...]
    answers: tuple[Event, ...]
    about: tuple[Event, ...]


def retold(
    events: Sequence[Event],
    verdict: Verdict,
    candidate: ReleaseCandidate,
    environment: EnvironmentPolicy,
    trust: Trust,
    rules_approval: bytes,
) -> Retold:
    """Return what the events say of a verdict's run, or refuse by ``PromotionRefused`` or ``TrustError``.

    ``environment`` is that of the rules in the bundle; whose signatures count says ``trust`` alone. Each
    promotion has to be one that those rules allowed at its moment, by the events that were there before it.
    """
    entry = msgspec.structs.replace(environment, trust=trust)
    view = _view(events, verdict, candidate)
    about = about_run(events, verdict.run)
    promoted = tuple(event for event in about if isinstance(event.fact, Promoted))
    for event in promoted:
        before = tuple(each for each in events if each.seq < event.seq)
        _check_promotion(event, before, view, entry, candidate, rules_approval)
    return Retold(
        promoted=promoted,
        answers=tuple(event for event in about if isinstance(event.fact, Approved)),
        about=about,
    )


def _view(events: Sequence[Event], verdict: Verdict, candidate: ReleaseCandidate) -> RunView:
    view = next((each for each in runs(events) if each.started.run == verdict.run), None)
    if view is None or view.verdict is None or canonical(view.verdict) != canonical(verdict):
        raise _unfit("its events do not tell of this verdict")
    if canonical(view.started.candidate) != canonical(candidate):
        raise _unfit("its events tell of another candidate")
    if view.invalidated:
        raise _unfit(f"its events say that the run was invalidated: {view.invalidated}")
    return view


def _check_promotion(
    event: Event,
    before: Sequence[Event],
    view: RunView,
    entry: EnvironmentPolicy,
    candidate: ReleaseCandidate,
    rules_approval: bytes,
) -> None:
    fact = event.fact
    if not isinstance(fact, Promoted) or (fact.environment, fact.candidate) != (entry.name, candidate):
        raise _unfit(f"event {event.seq} promoted something else on this run")
    _check_route(event, fact, entry)
    begun = _begun(event, fact, before)
    told, now = tuple(each for each in before if each.seq < begun.seq), begun.at
    try:
        [known] = [each for each in runs(told) if each.started.run == view.started.run and each.verdict]
        verdict = check_verdict(known, entry, now=now, local=False)
        check_no_failure(before, known, candidate, entry.name)
        check_live(told, known, candidate, entry.name)
        check_approvals(told, known, verdict, entry, candidate, now=now)
        if entry.approved_rules and not verdict.is_observed:
            check_rules_approval(
                rules_approval.removesuffix(b"\n"),
                entry.trust or Trust(),
                view.started.rules,
                entry.name,
                now=now,
            )
    except (PromotionRefused, TrustError) as error:
        raise _unfit(f"event {event.seq} promoted it, which its own rules forbade: {error.message}") from None
    except ValueError:
        raise _unfit(f"event {event.seq} promoted it before it had a verdict") from None


def _check_route(event: Event, fact: Promoted, entry: EnvironmentPolicy) -> None:
    """Refuse a promotion that tells another route than its verdict, other terms of it, or no emergency."""
    route = entry.route
    owes = (route.name, route.full_within_s) if route else (UNSET, UNSET)
    if (fact.route, fact.full_within_s) != owes:
        raise _unfit(f"event {event.seq} tells another route than {entry.route_name}, or other terms of it")
    told = bool(fact.ticket and fact.reason)
    if told is not (entry.route_name == BREAK_GLASS):
        raise _unfit(f"event {event.seq} has no ticket and reason of an emergency, or has them without one")


def _begun(event: Event, fact: Promoted, before: Sequence[Event]) -> Event:
    """Return the event at which a promotion had to be allowed: the begin of its deployment, if it had one."""
    for each in before:
        start = each.fact
        if isinstance(start, DeploymentStarted) and (start.deployment, start.run) == (
            fact.deployment,
            fact.run,
        ):
            if (start.environment, start.candidate) != (fact.environment, fact.candidate):
                raise _unfit(f"event {each.seq} began to deploy something else on this run")
            return each
    return event


def _unfit(why: str) -> TrustError:
    return TrustError(f"{why}.", slug="bundle-damaged", hint="")
