"""What `status` tells of what is live: who brought it there, what is unfinished, and whether it is that."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from msgspec import UNSET, structs

from release_gates.errors import DeployError, LiveDiffers
from release_gates.ledger.deployments import DeploymentView, Entered, entered, placed_candidate, unfinished
from release_gates.model.event import Adopted, Event, FirstRelease, Promoted, RolledBack
from release_gates.model.gate import EnvironmentPolicy
from release_gates.promotion.deployment import named, ways_out
from release_gates.promotion.entering import site_of
from release_gates.promotion.executors.registry import executor_for
from release_gates.promotion.taking import only_back

PATIENCE_S = 15.0
"""So long an executor may take to read back what is live, where policy gives it more."""


class LiveTold(NamedTuple):
    """Sentences on what is live, "" for none; ``wrong`` says that somebody has to act."""

    how: str
    unfinished: str
    read_back: str
    drift: bool

    @property
    def wrong(self) -> bool:
        """Whether what is live is not what the ledger says, or nobody knows what it is."""
        return bool(self.unfinished) or self.drift


def told_live(environment: EnvironmentPolicy, events: Sequence[Event], root: Path) -> LiveTold:
    """Return what the ledger says of an environment, and what its executor reads back."""
    told, view = entered(events, environment.name), unfinished(events, environment.name)
    said, drift = ("", False) if view else _read_back(environment, events, root)
    return LiveTold(
        how=_how(*told[-1]) if told else "", unfinished=_unfinished(view), read_back=said, drift=drift
    )


def _how(event: Event, fact: Entered) -> str:
    when = f"{event.at:%Y-%m-%d %H:%M} UTC"
    if isinstance(fact, FirstRelease):
        return f"first release, said {fact.by} on {when}: {fact.reason}"
    deployment = UNSET if isinstance(fact, Adopted) else fact.deployment
    by = "" if deployment is UNSET else f", by {deployment}"
    if isinstance(fact, RolledBack):
        return f"rolled back by {fact.by} on {when}{by}: {fact.reason}"
    if isinstance(fact, Promoted):
        return f"promoted by {fact.by} on {when} on run {fact.run}{by}"
    outside = "" if fact.outside is UNSET else f", outside of {fact.outside}"
    return f"adopted by {fact.by} on {when}{outside}: {fact.reason}"


def _unfinished(view: DeploymentView | None) -> str:
    if view is None:
        return ""
    environment, what = view.started.environment, "promotion of"
    if view.started.purpose == "rollback":
        what = "rollback to"
    way = f"`release-gates rollback {environment}`." if only_back(view) else ways_out(environment)
    return (
        f"UNFINISHED: the {what} {named(view.started.candidate)}, begun by {view.started.by} at "
        f"{view.at:%Y-%m-%d %H:%M:%S} UTC ({view.started.deployment}): {view.standing}. Nobody knows what is "
        f"live. If nobody is at work on it: {way}"
    )


def _read_back(environment: EnvironmentPolicy, events: Sequence[Event], root: Path) -> tuple[str, bool]:
    """Return what an executor reads back, and whether that is another than the ledger says."""
    policy = environment.deploy
    brief = structs.replace(policy, timeout_s=min(policy.timeout_s, PATIENCE_S))
    try:
        executor = executor_for(site_of(structs.replace(environment, deploy=brief), root))
        if executor is None or not entered(events, environment.name):
            return "", False
        return f"read back: {executor.verify(placed_candidate(events, environment.name))}", False
    except LiveDiffers as error:
        way = f"`release-gates adopt {environment.name}` ends it."
        return f"DRIFT: {error.message} Find out who changed it; {way}", True
    except DeployError as error:
        return f"nobody can tell whether it is that: {error.message}", False
