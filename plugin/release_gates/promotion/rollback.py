"""Back to what was live before: an unfinished promotion is taken back, or its predecessor deployed again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from release_gates.errors import DeployError, PromotionRefused
from release_gates.ledger.deployments import (
    DeploymentView,
    deployments,
    entered,
    live_candidate,
    placed_candidate,
    unfinished,
)
from release_gates.ledger.protocol import Ledger
from release_gates.model.candidate import ReleaseCandidate
from release_gates.model.deployment import Change
from release_gates.model.event import Event, FirstRelease, RolledBack
from release_gates.model.gate import EnvironmentPolicy
from release_gates.promotion.at_work import at_work
from release_gates.promotion.checks import check_stored
from release_gates.promotion.deployment import Clock, Deployment, Desk, named
from release_gates.promotion.entering import site_of
from release_gates.promotion.executors.registry import executor_for
from release_gates.promotion.taking import begin, check_nobody_deploys, new_name, take


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """Who wants an environment back where it was, and why; ``root`` is the project's folder."""

    environment: EnvironmentPolicy
    by: str
    reason: str
    root: Path


def rollback(ledger: Ledger, wish: Wish, *, clock: Clock) -> Event:
    """Take an unfinished promotion back, or deploy again what was live before; return the event that ends it.

    It needs no verdict, approval or window, but a name and a reason. Raises ``PromotionRefused`` where
    nothing was changed: nothing was live before, or what is live came by a rollback itself. Raises
    ``DeployError`` where it did not end: it is unfinished then, and is to be called again.
    """
    _check_said(wish)
    site = site_of(wish.environment, wish.root)
    executor = executor_for(site)
    if executor is None:
        return ledger.append_after(lambda events: _told(events, wish), at=clock())
    desk = Desk(ledger=ledger, executor=executor, site=site, clock=clock)
    with at_work(site, by=wish.by) as place:
        view = unfinished(tuple(ledger.events()), site.environment)
        if view is not None and view.started.purpose == "promotion":
            return _taken_back(take(desk, place, view, back=True, by=wish.by), wish)
        if view is not None:
            _check_target(ledger, view)
            return _carried(take(desk, place, view, back=False, by=wish.by), wish)
        name = new_name(desk)
        return _carried(
            begin(desk, place, lambda events: _change(events, wish, name), reason=wish.reason), wish
        )


def way_back(events: Sequence[Event], environment: str) -> tuple[ReleaseCandidate, ReleaseCandidate]:
    """Return what is live and what was live before it; ``PromotionRefused`` where there is no way back."""
    told = [fact for _, fact in entered(events, environment)]
    if not told or isinstance(told[-1], FirstRelease):
        raise _no_way_back(f"nothing is known to be live in {environment}")
    live = told[-1].candidate
    while told and not isinstance(last := told[-1], FirstRelease) and last.candidate.digest == live.digest:
        if isinstance(last, RolledBack):
            raise PromotionRefused(
                f"{named(live)} is live in {environment} by a rollback of {last.by} ({last.reason}), and a "
                "rollback is not rolled back.",
                slug="rollback-of-rollback",
                hint="What was live before was bad: promote a mended candidate.",
            )
        told.pop()
    if not told or isinstance(told[-1], FirstRelease):
        raise _no_way_back(f"{named(live)} is the first that the ledger knows in {environment}")
    return live, told[-1].candidate


def _check_target(ledger: Ledger, view: DeploymentView) -> None:
    """Refuse to go on with a rollback to anything but what was live before."""
    before = [event for event in ledger.events() if event.seq < view.seq]
    _, target = way_back(before, view.started.environment)
    if target.digest != view.started.candidate.digest:
        raise PromotionRefused(
            f"the unfinished rollback is to {named(view.started.candidate)}, and live before was "
            f"{named(target)}.",
            slug="deployment-unsound",
            hint="Find out who wrote it; repair by hand, and `release-gates adopt` what is live.",
        )


def _change(events: Sequence[Event], wish: Wish, deployment: str) -> Change:
    _, before = way_back(events, wish.environment.name)
    return Change(
        deployment=deployment,
        purpose="rollback",
        environment=wish.environment.name,
        candidate=before,
        previous=placed_candidate(events, wish.environment.name),
        by=wish.by,
    )


def _carried(deployment: Deployment, wish: Wish) -> Event:
    """Carry what was live before, and end by ``RolledBack``. It is never taken back itself."""
    change = deployment.change
    try:
        deployment.carry()
    except DeployError as error:
        raise DeployError(
            f"the rollback of {change.environment} to {named(change.candidate)} did not end: {error.message} "
            "It is UNFINISHED.",
            slug="rollback-unfinished",
            hint=f"Repair it, then `release-gates rollback {change.environment}` goes on; or `release-gates "
            "adopt` what is live there then.",
        ) from error
    return deployment.end(lambda events: _rolled_back(events, wish, change, deployment.desk.clock()))


def _rolled_back(events: Sequence[Event], wish: Wish, change: Change, now: datetime) -> RolledBack:
    began = next(view.at for view in deployments(events) if view.started.deployment == change.deployment)
    live = live_candidate(events, change.environment)
    return RolledBack(
        environment=change.environment,
        candidate=change.candidate,
        instead_of=live.digest if live else "",
        by=wish.by,
        reason=wish.reason,
        took_s=max(0.0, (now - began).total_seconds()),
        within_s=wish.environment.deploy.rollback_within_s,
        deployment=change.deployment,
    )


def _taken_back(deployment: Deployment, wish: Wish) -> Event:
    environment = deployment.change.environment
    try:
        return deployment.take_back(wish.reason, by=wish.by)
    except DeployError as error:
        raise DeployError(
            f"the deployment of {named(deployment.change.candidate)} to {environment} could not be taken "
            f"back: {error.message} It is UNFINISHED.",
            slug="deployment-not-undone",
            hint=f"Repair it, then `release-gates rollback {environment}` once more; or `release-gates "
            "adopt` what is live there then.",
        ) from error


def _told(events: Sequence[Event], wish: Wish) -> RolledBack:
    """Return what the ledger alone says, where no executor carries anything."""
    check_nobody_deploys(events, wish.environment.name)
    live, before = way_back(events, wish.environment.name)
    check_stored(before, wish.root)
    return RolledBack(
        environment=wish.environment.name,
        candidate=before,
        instead_of=live.digest,
        by=wish.by,
        reason=wish.reason,
    )


def _check_said(wish: Wish) -> None:
    if not wish.by.strip():
        raise PromotionRefused(
            "nobody is named, and the ledger keeps who did it.", slug="no-by", hint="Set GATE_ACTOR."
        )
    if not wish.reason.strip():
        raise PromotionRefused("a rollback needs a reason.", slug="no-reason", hint="--reason TEXT.")


def _no_way_back(sentence: str) -> PromotionRefused:
    return PromotionRefused(
        f"{sentence}, so there is nothing to roll back to.",
        slug="nothing-to-roll-back-to",
        hint="Promote a mended candidate.",
    )
