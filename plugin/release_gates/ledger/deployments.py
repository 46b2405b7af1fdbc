"""What the events say of deployments: which are unfinished, whose they are, and what was live before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from msgspec import UNSET

from release_gates.model.candidate import ReleaseCandidate
from release_gates.model.deployment import Change, Step
from release_gates.model.event import (
    Adopted,
    DeploymentStarted,
    DeploymentStep,
    DeploymentTaken,
    DeploymentUndone,
    Event,
    FirstRelease,
    Promoted,
    RolledBack,
)

Entered = Adopted | Promoted | RolledBack | FirstRelease
"""What changes what is live in an environment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentView:
    """One deployment with everything that the ledger says of it.

    ``owner`` is the number of the event by which it was taken into hand last, ``by`` and ``place`` say by
    whom; ``notes`` are its steps with their times, the newest last. ``ended`` is "" while it is unfinished.
    """

    started: DeploymentStarted
    seq: int
    at: datetime
    owner: int
    by: str
    place: str
    taking_back: bool = False
    notes: tuple[tuple[datetime, DeploymentStep], ...] = ()
    ended: Literal["", "promoted", "rolled back", "undone", "adopted"] = ""

    @property
    def change(self) -> Change:
        """What it is to change."""
        return Change(
            deployment=self.started.deployment,
            purpose=self.started.purpose,
            environment=self.started.environment,
            candidate=self.started.candidate,
            previous=self.started.previous,
            run=self.started.run,
            by=self.started.by,
            approved_by=self.started.approved_by,
        )

    @property
    def begun(self) -> tuple[Step, ...]:
        """The steps that may have changed something, in the order in which they were applied."""
        names = {note.step for _, note in self.notes if note.action == "apply"}
        return tuple(step for step in self.started.steps if step.name in names)

    @property
    def applied(self) -> tuple[Step, ...]:
        """The steps whose newest note says that they are applied."""
        last = {note.step: note for _, note in self.notes if note.action in ("apply", "undo")}
        return tuple(
            step
            for step in self.started.steps
            if step.name in last and (last[step.name].action, last[step.name].stage) == ("apply", "done")
        )

    @property
    def backed_up(self) -> bool:
        """Whether its backup has ended well."""
        return any((note.action, note.stage) == ("backup", "done") for _, note in self.notes)

    @property
    def is_taken_back(self) -> bool:
        """Whether somebody decided to take it back, or began to."""
        return self.taking_back or any(note.action == "undo" for _, note in self.notes)

    @property
    def running(self) -> tuple[datetime, DeploymentStep] | None:
        """Return the step that was begun and has not ended, with when it began; None if there is none."""
        return self.notes[-1] if self.notes and self.notes[-1][1].stage == "begun" else None

    @property
    def standing(self) -> str:
        """How far it came, in words."""
        done = f"{len(self.applied)} of {len(self.started.steps)} steps are applied"
        if not self.notes:
            return f"{done}; none was begun"
        _, last = self.notes[-1]
        said = f" ({last.sentence.removesuffix('.')})" if last.stage == "failed" and last.sentence else ""
        return f"{done}; last: {last.action} of {last.step} {last.stage}{said}"


def deployments(events: Sequence[Event]) -> tuple[DeploymentView, ...]:
    """Return every deployment in the order in which they were begun."""
    views: dict[str, DeploymentView] = {}
    for event in events:
        fact = event.fact
        if isinstance(fact, DeploymentStarted):
            views[fact.deployment] = DeploymentView(
                started=fact, seq=event.seq, at=event.at, owner=event.seq, by=fact.by, place=fact.place
            )
        else:
            for name in _concerned(event, views):
                views[name] = _after(views[name], event)
    return tuple(views.values())


def unfinished(events: Sequence[Event], environment: str) -> DeploymentView | None:
    """Return the deployment that nobody has ended in an environment; None if there is none."""
    own = (view for view in deployments(events) if view.started.environment == environment)
    return next((view for view in own if not view.ended), None)


def entered(events: Sequence[Event], environment: str) -> tuple[tuple[Event, Entered], ...]:
    """Return every event that told what is live in an environment, the newest last."""
    return tuple(
        (event, event.fact)
        for event in events
        if isinstance(event.fact, (Adopted, Promoted, RolledBack, FirstRelease))
        and event.fact.environment == environment
    )


def rollbacks(events: Sequence[Event], environment: str) -> tuple[RolledBack, ...]:
    """Return every rollback of an environment, the newest last."""
    return tuple(fact for _, fact in entered(events, environment) if isinstance(fact, RolledBack))


def _concerned(event: Event, views: dict[str, DeploymentView]) -> Iterator[str]:
    """Yield the names of the unfinished deployments that an event is about."""
    fact = event.fact
    if isinstance(fact, Adopted):
        yield from [
            name
            for name, view in views.items()
            if not view.ended and view.started.environment == fact.environment
        ]
    elif isinstance(fact, (DeploymentTaken, DeploymentStep, DeploymentUndone, Promoted, RolledBack)):
        name = fact.deployment
        if name is not UNSET and name in views and not views[name].ended:
            yield name


def _after(view: DeploymentView, event: Event) -> DeploymentView:
    fact = event.fact
    if isinstance(fact, DeploymentTaken):
        return replace(
            view, owner=event.seq, by=fact.by, place=fact.place, taking_back=fact.purpose == "undo"
        )
    if isinstance(fact, DeploymentStep):
        return replace(view, notes=(*view.notes, (event.at, fact)))
    if isinstance(fact, DeploymentUndone):
        return replace(view, ended="undone")
    if isinstance(fact, Promoted):
        return replace(view, ended="promoted")
    return replace(view, ended="rolled back" if isinstance(fact, RolledBack) else "adopted")


def placed_candidate(events: Sequence[Event], environment: str) -> ReleaseCandidate | None:
    """Return the candidate that an executor's place has to name; None also for what runs outside of it."""
    told = entered(events, environment)
    fact = told[-1][1] if told else None
    outside = isinstance(fact, Adopted) and fact.outside is not UNSET
    return None if outside else live_candidate(events, environment)


def live_candidate(events: Sequence[Event], environment: str) -> ReleaseCandidate | None:
    """Return the candidate that is live in an environment; None for nothing, or where nobody knows."""
    told = entered(events, environment)
    return None if not told or isinstance(told[-1][1], FirstRelease) else told[-1][1].candidate
