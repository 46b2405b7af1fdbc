"""How a deployment gets into a hand: it is begun, or taken over from one that was interrupted."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from release_gates.errors import DeployError, PromotionRefused
from release_gates.ledger.deployments import DeploymentView, placed_candidate, unfinished
from release_gates.model.deployment import Change, Step
from release_gates.model.event import DeploymentStarted, DeploymentTaken, Event
from release_gates.promotion.checks import check_stored
from release_gates.promotion.deployment import Deployment, Desk, named, ways_out
from release_gates.promotion.executors.protocol import Executor, Site

MOST_STEPS = 100
SLACK = timedelta(seconds=30)
"""A command elsewhere may outlive its time by that, until it is ended."""


def check_nobody_deploys(events: Sequence[Event], environment: str) -> None:
    """Refuse while a deployment to an environment is unfinished, and say whose it is."""
    view = unfinished(events, environment)
    if view is None:
        return
    what = "roll back to" if view.started.purpose == "rollback" else "deploy"
    way = f"`release-gates rollback {environment}`." if only_back(view) else ways_out(environment)
    raise PromotionRefused(
        f"{view.started.by} began to {what} {named(view.started.candidate)} in {environment} at "
        f"{view.at:%Y-%m-%d %H:%M:%S} UTC, and that is unfinished: {view.standing}.",
        slug="deployment-unfinished",
        hint=f"Wait for it; if it was interrupted: {way}",
    )


def begin(
    desk: Desk, place: str, decide: Callable[[Sequence[Event]], Change], *, reason: str = ""
) -> Deployment:
    """Begin what ``decide`` allows, with nobody in between; it is asked before the executor plans, and after.

    Raises what ``decide`` raises, ``PromotionRefused`` while another deployment is unfinished, and
    ``DeployError`` where the executor cannot say its steps, ``CandidateError`` where an artifact in the store
    is not what its digest says; then nothing is in the ledger.
    """
    change = decide(tuple(desk.ledger.events()))
    check_stored(change.candidate, desk.site.root)
    steps = planned(desk.executor, change)

    def checked(events: Sequence[Event]) -> DeploymentStarted:
        check_nobody_deploys(events, change.environment)
        if decide(events) != change:
            raise PromotionRefused(
                f"what is live in {change.environment} changed just now.",
                slug="baseline-changed",
                hint="Decide again.",
            )
        return DeploymentStarted(
            deployment=change.deployment,
            purpose=change.purpose,
            environment=change.environment,
            candidate=change.candidate,
            previous=change.previous,
            run=change.run,
            by=change.by,
            reason=reason,
            approved_by=change.approved_by,
            executor=desk.site.policy.executor,
            steps=steps,
            place=place,
        )

    event = desk.ledger.append_after(checked, at=desk.clock())
    return Deployment(desk=desk, change=change, steps=steps, owner=event.seq)


def new_name(desk: Desk) -> str:
    """Return a new deployment's name: ``deploy-20260131T120000Z-3f9a1c``."""
    return f"deploy-{desk.clock():%Y%m%dT%H%M%SZ}-{os.urandom(3).hex()}"


def take(desk: Desk, place: str, view: DeploymentView, *, back: bool, by: str) -> Deployment:
    """Take over an unfinished deployment, to go on or to take it ``back``; who had it moves nothing more.

    Refused where its steps are those of another executor, and while a step of it may still run elsewhere.
    """
    _check_executor(desk, view)
    _check_previous(tuple(desk.ledger.events()), view)

    def checked(events: Sequence[Event]) -> DeploymentTaken:
        found = unfinished(events, view.started.environment)
        if found is None or found.started.deployment != view.started.deployment:
            raise PromotionRefused(
                f"deployment {view.started.deployment} was ended just now.",
                slug="nothing-unfinished",
                hint="`release-gates status` tells what is live.",
            )
        check_gone(found, desk.site, place, desk.clock())
        return DeploymentTaken(
            deployment=view.started.deployment, purpose="undo" if back else "resume", by=by, place=place
        )

    event = desk.ledger.append_after(checked, at=desk.clock())
    return Deployment(desk=desk, change=view.change, steps=view.started.steps, owner=event.seq)


def check_gone(view: DeploymentView, site: Site, place: str, now: datetime) -> None:
    """Refuse while a step may still run in another place, where no lock of ours says that it ended."""
    running = view.running
    if view.place == place or running is None:
        return
    began, note = running
    until = began + timedelta(seconds=site.policy.timeout_s) + SLACK
    if now < until:
        raise PromotionRefused(
            f"{view.by} deploys to {view.started.environment} from another place: {note.action} of "
            f"{note.step} began at {began:%H:%M:%S} UTC and may run until {until:%H:%M:%S}.",
            slug="deploying-elsewhere",
            hint="Wait for it: two at once would leave nobody knows what.",
        )


def _check_executor(desk: Desk, view: DeploymentView) -> None:
    if view.started.executor != desk.site.policy.executor:
        raise PromotionRefused(
            f"deployment {view.started.deployment} was begun with executor {view.started.executor}, and "
            f"policy says {desk.site.policy.executor} now.",
            slug="executor-changed",
            hint="Bring the policy back until it is ended; or repair by hand, and `release-gates adopt`.",
        )


def _check_previous(events: Sequence[Event], view: DeploymentView) -> None:
    """Refuse to bring back what was not live: taking it back would be a promotion of anything."""
    live = placed_candidate([event for event in events if event.seq < view.seq], view.started.environment)
    said = view.started.previous
    if (live and live.digest) != (said and said.digest):
        raise PromotionRefused(
            f"deployment {view.started.deployment} says that {named(said)} was live before it, and the "
            f"ledger says {named(live)}.",
            slug="deployment-unsound",
            hint="Find out who wrote it; repair by hand, and `release-gates adopt` what is live.",
        )


def check_same_plan(desk: Desk, view: DeploymentView) -> None:
    """Refuse to go on with steps that the executor would not take any more."""
    _check_executor(desk, view)
    if planned(desk.executor, view.change) != view.started.steps:
        raise PromotionRefused(
            f"the executor plans other steps now than deployment {view.started.deployment} began with.",
            slug="deploy-plan",
            hint=f"Take it back, and promote again: `release-gates rollback {view.started.environment}`.",
        )


def planned(executor: Executor, change: Change) -> tuple[Step, ...]:
    """Return the steps that an executor plans; ``DeployError`` unless each has a name of its own."""
    steps = tuple(executor.plan(change))
    names = [step.name for step in steps]
    sound = all(name.strip() and name.isprintable() for name in names) and len(set(names)) == len(names)
    if not names or not sound or len(names) > MOST_STEPS:
        raise DeployError(
            f"the executor plans {len(names)} step(s) to deploy {named(change.candidate)}: each needs a name "
            f"of its own, and there are 1 to {MOST_STEPS}.",
            slug="deploy-plan",
            hint="See what it answers to plan: docs/deployments.md.",
        )
    return steps


def only_back(view: DeploymentView) -> bool:
    """Tell whether an unfinished deployment can be ended by `rollback` alone."""
    return view.started.purpose == "rollback" or view.is_taken_back
