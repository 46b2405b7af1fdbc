"""Adoption of what runs in an environment: read back where an executor can; it ends what is unfinished."""

from __future__ import annotations

from pathlib import Path

from release_gates.errors import DeployError, LiveDiffers, PromotionRefused
from release_gates.ledger.deployments import deployments, unfinished
from release_gates.ledger.protocol import Ledger
from release_gates.model.candidate import ReleaseCandidate
from release_gates.model.event import Event
from release_gates.model.gate import EnvironmentPolicy
from release_gates.promotion.at_work import at_work
from release_gates.promotion.deployment import Clock
from release_gates.promotion.entering import site_of
from release_gates.promotion.executors.protocol import Executor, Site
from release_gates.promotion.executors.registry import executor_for
from release_gates.promotion.taking import check_gone
from release_gates.promotion.telling import adopt


def adopt_live(
    ledger: Ledger,
    *,
    environment: EnvironmentPolicy,
    candidate: ReleaseCandidate,
    by: str,
    reason: str,
    clock: Clock,
    root: Path,
    outside: bool = False,
) -> tuple[Event, str]:
    """Record that a candidate is live already; return the event, and what was read back, in words.

    It ends a drift, and an unfinished deployment there. Refused where an executor reads back something else,
    and while somebody still deploys. ``outside``: it runs, but the executor never deployed anything there and
    reads back nothing at all; nothing is written into its place, because that would be a promotion.
    """
    site = site_of(environment, root)
    executor = executor_for(site)
    with at_work(site, by=by) as place:
        view = unfinished(tuple(ledger.events()), environment.name)
        if view is not None:
            check_gone(view, site, place, clock())
        said = _nothing_there(executor, site, ledger) if outside else _read_back(executor, candidate)
        event = adopt(
            ledger,
            environment=environment.name,
            candidate=candidate,
            by=by,
            reason=reason,
            now=clock(),
            outside=site.policy.executor if outside else "",
        )
    return event, said


def _read_back(executor: Executor | None, candidate: ReleaseCandidate) -> str:
    if executor is None:
        return ""
    try:
        return f"read back: {executor.verify(candidate)}"
    except LiveDiffers as error:
        raise PromotionRefused(
            f"that is not what runs there: {error.message}",
            slug="drift",
            hint="Adopt what does: --candidate FILE; or --outside, if the executor never deployed there.",
        ) from error
    except DeployError as error:
        return f"nobody could read it back: {error.message}"


def _nothing_there(executor: Executor | None, site: Site, ledger: Ledger) -> str:
    """Return that a place says nothing at all, in words; refuse where it does, did, or nobody can tell."""
    name = site.policy.executor
    if executor is None:
        raise PromotionRefused(
            f"the executor of {site.environment} is 'record', and nothing is outside of the ledger alone.",
            slug="no-executor",
            hint="Leave --outside out.",
        )
    done = [
        view.started.deployment
        for view in deployments(tuple(ledger.events()))
        if (view.started.environment, view.started.executor) == (site.environment, name)
        and view.ended in ("promoted", "rolled back")
    ]
    if done:
        raise PromotionRefused(
            f"{name} has deployed to {site.environment} before (last by {done[-1]}), so its place has to say "
            "what is live.",
            slug="not-outside",
            hint=f"Set it back; or `release-gates rollback {site.environment}`.",
        )
    try:
        return f"read back: {executor.verify(None)}. The first deployment begins from there."
    except LiveDiffers as error:
        raise PromotionRefused(
            f"it does not run outside of {name}, whose place says something: {error.message}",
            slug="drift",
            hint="Adopt what it says: --candidate FILE, without --outside.",
        ) from error
    except DeployError as error:
        raise PromotionRefused(
            f"nobody can tell whether {name}'s place says nothing: {error.message}",
            slug=error.slug,
            hint=error.hint,
        ) from error
