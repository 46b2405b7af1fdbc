"""Adoption of what runs in an environment: read back where an executor can; it ends what is unfinished."""

from __future__ import annotations

from pathlib import Path

from release_gates.errors import DeployError, LiveDiffers, PromotionRefused
from release_gates.ledger.deployments import unfinished
from release_gates.ledger.protocol import Ledger
from release_gates.model.candidate import ReleaseCandidate
from release_gates.model.event import Event
from release_gates.model.gate import EnvironmentPolicy
from release_gates.promotion.at_work import at_work
from release_gates.promotion.deployment import Clock
from release_gates.promotion.entering import site_of
from release_gates.promotion.executors.protocol import Executor
from release_gates.promotion.executors.registry import executor_for
from release_gates.promotion.promote import adopt
from release_gates.promotion.taking import check_gone


def adopt_live(
    ledger: Ledger,
    *,
    environment: EnvironmentPolicy,
    candidate: ReleaseCandidate,
    by: str,
    reason: str,
    clock: Clock,
    root: Path,
) -> tuple[Event, str]:
    """Record that a candidate is live already; return the event, and what was read back, in words.

    It ends a drift, and an unfinished deployment there. Refused where an executor reads back something else,
    and while somebody still deploys.
    """
    site = site_of(environment, root)
    executor = executor_for(site)
    with at_work(site, by=by) as place:
        view = unfinished(tuple(ledger.events()), environment.name)
        if view is not None:
            check_gone(view, site, place, clock())
        said = _read_back(executor, candidate)
        event = adopt(
            ledger, environment=environment.name, candidate=candidate, by=by, reason=reason, now=clock()
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
            hint="Adopt what does: --candidate FILE.",
        ) from error
    except DeployError as error:
        return f"nobody could read it back: {error.message}"
