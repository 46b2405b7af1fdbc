"""One deployment in hand: each step is in the ledger before and after, and who lost it moves nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from release_gates.errors import DeployError, GateError, LedgerError, PromotionRefused
from release_gates.ledger.deployments import DeploymentView, deployments, entered
from release_gates.ledger.protocol import Ledger
from release_gates.model.candidate import ReleaseCandidate
from release_gates.model.deployment import Action, Change, Stage, Step
from release_gates.model.event import DeploymentStep, DeploymentUndone, Event, Fact
from release_gates.promotion.executors.protocol import Executor, Site
from release_gates.promotion.executors.running import run_json

Clock = Callable[[], datetime]


class DeploymentLost(PromotionRefused):
    """Somebody else took the deployment over or ended it; nothing further moves by this process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """With what somebody deploys: the ledger, the executor, where it works, and the time."""

    ledger: Ledger
    executor: Executor
    site: Site
    clock: Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """A deployment that this process has in hand since the ledger's event ``owner``.

    Every method raises ``DeployError`` for what went wrong in the environment, which is in the ledger then;
    ``LedgerError`` where the ledger takes no more, and ``DeploymentLost`` where somebody else has it: then
    nothing further moves.
    """

    desk: Desk
    change: Change
    steps: tuple[Step, ...]
    owner: int

    def check_before(self) -> None:
        """Read back that what is live is what the ledger says."""
        self._do("verify", "previous", partial(self.desk.executor.verify, self.change.previous))

    def back_up(self) -> None:
        """Run the backup that policy declares, if it declares one."""
        words = self.desk.site.policy.backup
        if words:
            told = {"action": "backup", **self._named()}
            self._do("backup", "backup", partial(_backed_up, words, told, self.desk.site))

    def carry(self) -> None:
        """Apply every step, also those that ended once, and read back that the candidate is live."""
        for step in self.steps:
            self._do("apply", step.name, partial(self.desk.executor.apply, self.change, step))
        self._do("verify", "candidate", partial(self.desk.executor.verify, self.change.candidate))

    def take_back(self, because: str, *, by: str) -> Event:
        """Undo every step that was begun, the last first, and read back that the previous one is live."""
        begun = self._ours(tuple(self.desk.ledger.events())).begun
        for step in reversed(begun):
            self._do("undo", step.name, partial(self.desk.executor.undo, self.change, step))
        self._do("verify", "previous", partial(self.desk.executor.verify, self.change.previous))
        return self.give_up(because, by=by)

    def give_up(self, because: str, *, by: str) -> Event:
        """End it as undone: everything is as it was before."""
        fact = DeploymentUndone(
            deployment=self.change.deployment, environment=self.change.environment, by=by, because=because
        )
        return self.end(lambda _: fact)

    def end(self, decide: Callable[[Sequence[Event]], Fact]) -> Event:
        """End it by what ``decide`` makes of the events, if it is still in hand and nothing else is live."""

        def checked(events: Sequence[Event]) -> Fact:
            view = self._ours(events)
            told = entered(events, self.change.environment)
            if told and told[-1][0].seq > view.seq:
                raise DeploymentLost(
                    f"what is live in {self.change.environment} was changed by event {told[-1][0].seq} while "
                    f"deployment {self.change.deployment} was at work.",
                    slug="deployment-lost",
                    hint="Find out what is live there, and `release-gates adopt` it.",
                )
            return decide(events)

        return self._append(checked)

    def _do(self, action: Action, step: str, act: Callable[[], str]) -> None:
        self._note(action, step, "begun")
        try:
            said = act()
        except GateError as error:
            self._note(action, step, "failed", error.message)
            kind = type(error) if isinstance(error, DeployError) else DeployError
            raise kind(
                f"{action} of {step} failed: {error.message}", slug=error.slug, hint=error.hint
            ) from error
        self._note(action, step, "done", said)

    def _note(self, action: Action, step: str, stage: Stage, sentence: str = "") -> None:
        fact = DeploymentStep(
            deployment=self.change.deployment, action=action, step=step, stage=stage, sentence=sentence
        )

        def checked(events: Sequence[Event]) -> DeploymentStep:
            self._ours(events)
            return fact

        self._append(checked)

    def _append(self, decide: Callable[[Sequence[Event]], Fact]) -> Event:
        try:
            return self.desk.ledger.append_after(decide, at=self.desk.clock())
        except LedgerError as error:
            raise LedgerError(
                f"{error.message} Deployment {self.change.deployment} to {self.change.environment} stays "
                "unfinished, and nothing further moves.",
                slug=error.slug,
                hint=f"{error.hint} Then {ways_out(self.change.environment)}",
            ) from error

    def _ours(self, events: Sequence[Event]) -> DeploymentView:
        """Return what the ledger says of this deployment, if it is still in the hand of this process."""
        name = self.change.deployment
        view = next(each for each in deployments(events) if each.started.deployment == name)
        if view.ended or view.owner != self.owner:
            what = f"was ended ({view.ended})" if view.ended else f"was taken over by {view.by}"
            raise DeploymentLost(
                f"deployment {name} to {self.change.environment} {what}; nothing further moves here.",
                slug="deployment-lost",
                hint="`release-gates status` tells who does what.",
            )
        return view

    def _named(self) -> dict[str, str | None]:
        previous = self.change.previous
        return {
            "environment": self.change.environment,
            "deployment": self.change.deployment,
            "candidate": self.change.candidate.digest,
            "previous": None if previous is None else previous.digest,
        }


def ways_out(environment: str) -> str:
    """Return how an unfinished promotion is ended."""
    return f"`release-gates promote --to {environment} --resume`, or `release-gates rollback {environment}`."


def named(candidate: ReleaseCandidate | None) -> str:
    """Return how a sentence names a candidate."""
    if candidate is None:
        return "nothing"
    return f"{candidate.name} {candidate.version} ({candidate.digest[:12]})"


def _backed_up(words: Sequence[str], told: object, site: Site) -> str:
    run_json(words, told, site, changes=True)
    return "the backup ended well"
