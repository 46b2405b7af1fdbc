"""A promotion by an executor: carried, read back, and taken back by itself where that fails; resumed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from release_gates.errors import DeployError, GateError, LiveDiffers, PromotionRefused
from release_gates.ledger.deployments import DeploymentView, unfinished
from release_gates.model.candidate import ReleaseCandidate
from release_gates.model.deployment import Change
from release_gates.model.event import Event, Promoted
from release_gates.promotion.at_work import at_work
from release_gates.promotion.deployment import Deployment, DeploymentLost, Desk, named
from release_gates.promotion.taking import begin, check_same_plan, take

Allowed = Callable[[Sequence[Event]], Change]
"""Returns the change that may be made now, or refuses by ``PromotionRefused``."""

Entering = Callable[[Sequence[Event], Change], Promoted]
"""Returns what ends a promotion, or refuses what no longer stands by ``PromotionRefused``."""


Began = Callable[[Sequence[Event], DeploymentView], None]
"""Refuses by ``PromotionRefused`` a deployment that was not allowed when the ledger says that it began."""


def deploy(desk: Desk, allowed: Allowed, entering: Entering, *, by: str) -> Event:
    """Carry a candidate into an environment and return the ``Promoted`` that ends it.

    Raises ``PromotionRefused`` where nothing was changed, and ``DeployError`` where something was: its
    sentence says whether what was live before is live again.
    """
    with at_work(desk.site, by=by) as place:
        deployment = begin(desk, place, allowed)
        _prepare(deployment, backed_up=False, by=by)
        return _finish(deployment, entering, by=by)


def resume(desk: Desk, candidate: ReleaseCandidate, began: Began, entering: Entering, *, by: str) -> Event:
    """Go on with the unfinished promotion of exactly this candidate, as ``deploy`` would.

    Refused where ``began`` refuses it, or the executor plans other steps now. What no longer stands (a FAIL,
    an invalidation, a no since then) is taken back instead.
    """
    with at_work(desk.site, by=by) as place:
        events = tuple(desk.ledger.events())
        view = _resumable(events, desk.site.environment, candidate)
        began(events, view)
        check_same_plan(desk, view)
        try:
            entering(events, view.change)
        except PromotionRefused as refused:
            raise _undone(take(desk, place, view, back=True, by=by), refused, by=by) from refused
        deployment = take(desk, place, view, back=False, by=by)
        if not view.begun:
            _prepare(deployment, backed_up=view.backed_up, by=by)
        return _finish(deployment, entering, by=by)


def _prepare(deployment: Deployment, *, backed_up: bool, by: str) -> None:
    """Check what is live, and back it up; where that fails the deployment ends before it changed anything."""
    try:
        deployment.check_before()
        if not backed_up:
            deployment.back_up()
    except DeployError as error:
        place = deployment.change.environment
        deployment.give_up(f"nothing was changed: {error.message}", by=by)
        if isinstance(error, LiveDiffers):
            raise PromotionRefused(
                f"DRIFT: {error.message} Nothing was changed.",
                slug="drift",
                hint=f"Find out who changed it; `release-gates adopt {place}` ends it, then decide again.",
            ) from error
        raise PromotionRefused(
            f"{error.message} Nothing was changed.", slug=error.slug, hint=error.hint
        ) from error


def _finish(deployment: Deployment, entering: Entering, *, by: str) -> Event:
    try:
        deployment.carry()
        return deployment.end(lambda events: entering(events, deployment.change))
    except DeploymentLost:
        raise
    except (DeployError, PromotionRefused) as error:
        raise _undone(deployment, error, by=by) from error


def _undone(deployment: Deployment, why: GateError, *, by: str) -> DeployError:
    """Take a deployment back and return the error that says so, or that it could not be."""
    change = deployment.change
    try:
        deployment.take_back(why.message, by=by)
    except DeployError as error:
        return DeployError(
            f"{named(change.candidate)} did not enter {change.environment}: {why.message} It could not be "
            f"taken back either: {error.message} The deployment is UNFINISHED.",
            slug="deployment-not-undone",
            hint=f"Repair it, then `release-gates rollback {change.environment}`; or `release-gates adopt` "
            "what is live there then.",
        )
    before = named(change.previous) if change.previous else "that nothing is there"
    return DeployError(
        f"{named(change.candidate)} did not enter {change.environment}: {why.message} It was taken back; "
        f"{before} was read back.",
        slug="deployment-undone",
        hint=why.hint,
    )


def _resumable(events: Sequence[Event], environment: str, candidate: ReleaseCandidate) -> DeploymentView:
    view = unfinished(events, environment)
    if view is None:
        raise PromotionRefused(
            f"nothing is unfinished in {environment}.",
            slug="nothing-unfinished",
            hint=f"`release-gates promote --to {environment}` begins a deployment.",
        )
    back = f"`release-gates rollback {environment}` goes on with it."
    if view.started.purpose == "rollback":
        raise PromotionRefused(
            f"what is unfinished in {environment} is a rollback.", slug="not-resumable", hint=back
        )
    if view.is_taken_back:
        raise PromotionRefused(
            f"the unfinished deployment of {named(view.started.candidate)} is being taken back.",
            slug="not-resumable",
            hint=back,
        )
    if view.started.candidate.digest != candidate.digest:
        raise PromotionRefused(
            f"what is unfinished in {environment} is {named(view.started.candidate)}, and candidate.toml "
            f"describes {named(candidate)}.",
            slug="not-resumable",
            hint=f"Bring its candidate.toml back, or take it back: `release-gates rollback {environment}`.",
        )
    return view
