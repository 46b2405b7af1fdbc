"""What a promotion that may be made does: an executor carries it, or the ledger alone says what is live."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from msgspec import UNSET, UnsetType

from release_gates.errors import PromotionRefused
from release_gates.ledger.deployments import placed_candidate, unfinished
from release_gates.ledger.history import RunView, runs
from release_gates.ledger.protocol import Ledger
from release_gates.model.candidate import ReleaseCandidate
from release_gates.model.deployment import Change
from release_gates.model.event import Event, Promoted
from release_gates.model.gate import EnvironmentPolicy
from release_gates.model.verdict import Verdict, first_of
from release_gates.promotion.approvals import approvers, check_not_refused
from release_gates.promotion.checks import check_still
from release_gates.promotion.deploying import Began, deploy, resume
from release_gates.promotion.deployment import Clock, Desk
from release_gates.promotion.executors.protocol import Site
from release_gates.promotion.executors.registry import executor_for
from release_gates.promotion.routes import Emergency, check_route
from release_gates.promotion.taking import check_nobody_deploys, new_name

Checked = Callable[[Sequence[Event]], tuple[RunView, Verdict]]
"""Returns the run and its verdict on which a candidate may enter now, or refuses by ``PromotionRefused``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Somebody wants a candidate in an environment; ``root`` is the project's folder."""

    environment: EnvironmentPolicy
    candidate: ReleaseCandidate
    by: str
    root: Path
    emergency: Emergency | None = None

    @property
    def site(self) -> Site:
        """Where its executor works."""
        return site_of(self.environment, self.root)

    def change(
        self, events: Sequence[Event], run: RunView, verdict: Verdict, deployment: str, *, now: datetime
    ) -> Change:
        """Return what it changes: what the executor's place names now."""
        return Change(
            deployment=deployment,
            purpose="promotion",
            environment=self.environment.name,
            candidate=self.candidate,
            previous=placed_candidate(events, self.environment.name),
            run=run.started.run,
            by=self.by,
            approved_by=approvers(events, run, verdict, self.environment, self.candidate, now=now),
        )

    def promoted(self, run: RunView, verdict: Verdict, deployment: str | UnsetType = UNSET) -> Promoted:
        """Return the event that says so."""
        return Promoted(
            environment=self.environment.name,
            candidate=self.candidate,
            run=run.started.run,
            by=self.by,
            observed=_observed(verdict),
            deployment=deployment,
            route=self.environment.route.name if self.environment.route else UNSET,
            full_within_s=self.environment.route.full_within_s if self.environment.route else UNSET,
            ticket=self.emergency.ticket.strip() if self.emergency else UNSET,
            reason=self.emergency.reason.strip() if self.emergency else UNSET,
        )

    def ends(self, events: Sequence[Event], change: Change) -> Promoted:
        """Return what ends its deployment, unless a gate failed, or somebody took it back, since it began."""
        run, verdict = check_still(events, change.run, self.candidate, self.environment.name)
        if self.environment.approvals:
            check_not_refused(events, run, verdict, self.environment, self.candidate)
        return self.promoted(run, verdict, change.deployment)


def enter(ledger: Ledger, entry: Entry, checked: Checked, *, clock: Clock) -> Event:
    """Let a candidate enter, and return the ``Promoted``; refused while another deployment is unfinished.

    ``checked`` is asked with nobody else appending in between. Raises ``DeployError`` where an executor
    changed something and failed; its sentence says what is live then.
    """
    name, executor = entry.environment.name, executor_for(entry.site)

    def allowed(events: Sequence[Event]) -> tuple[RunView, Verdict]:
        check_nobody_deploys(events, name)
        return checked(events)

    if executor is None:
        return ledger.append_after(lambda events: entry.promoted(*allowed(events)), at=clock())
    desk = Desk(ledger=ledger, executor=executor, site=entry.site, clock=clock)
    now, deployment = clock(), new_name(desk)
    return deploy(
        desk,
        lambda events: entry.change(events, *allowed(events), deployment, now=now),
        entry.ends,
        by=entry.by,
    )


def resume_entry(ledger: Ledger, entry: Entry, began: Began, *, clock: Clock) -> Event:
    """Go on with the unfinished deployment of exactly this candidate, and return the ``Promoted``.

    ``began`` refuses one that could not have begun. It is taken back instead where a gate failed since then,
    its run was invalidated, or somebody said no.
    """
    events, name = tuple(ledger.events()), entry.environment.name
    view = unfinished(events, name)
    for run in (each for each in runs(events) if view and each.started.run == view.started.run):
        check_route(run, entry.environment)
    desk = desk_of(ledger, entry.environment, entry.root, clock=clock)
    return resume(desk, entry.candidate, began, entry.ends, by=entry.by)


def desk_of(ledger: Ledger, environment: EnvironmentPolicy, root: Path, *, clock: Clock) -> Desk:
    """Return with what somebody deploys to an environment; refused where no executor carries anything."""
    site = site_of(environment, root)
    executor = executor_for(site)
    if executor is None:
        raise PromotionRefused(
            f"nothing carries candidates into {environment.name}: its executor is 'record'.",
            slug="no-executor",
            hint=f"[environment.{environment.name}.deploy] in gates/environments.toml names one.",
        )
    return Desk(ledger=ledger, executor=executor, site=site, clock=clock)


def site_of(environment: EnvironmentPolicy, root: Path) -> Site:
    """Return where the executor of an environment works."""
    return Site(root=root, state=root / ".gates", environment=environment.name, policy=environment.deploy)


def _observed(verdict: Verdict) -> str | UnsetType:
    """Return what would have held, "" for nothing, UNSET where nothing was only observed."""
    if not verdict.is_observed and not any(gate.is_observed for gate in verdict.gates):
        return UNSET
    return first_of(verdict.would_hold) if verdict.would_hold else ""
