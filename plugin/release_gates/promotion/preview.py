"""What a promotion would change, before it changes anything."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from release_gates.errors import DeployError, GateError, LiveDiffers
from release_gates.ledger.deployments import live_candidate, rollbacks
from release_gates.ledger.history import RunView
from release_gates.model.candidate import ReleaseCandidate
from release_gates.model.deployment import Change, Step
from release_gates.model.event import Event
from release_gates.model.record import Record
from release_gates.model.verdict import Verdict
from release_gates.promotion.checks import check_stored
from release_gates.promotion.deployment import named
from release_gates.promotion.entering import Checked, Entry
from release_gates.promotion.executors.protocol import Executor
from release_gates.promotion.executors.registry import executor_for
from release_gates.promotion.taking import check_nobody_deploys, planned

LAST = 5
"""So many rollbacks are told of, the newest."""


class Preview(Record, frozen=True, kw_only=True):
    """What a promotion would do now.

    ``artifacts`` are name, digest that is live ("" for none) and digest that would be. ``read_back`` says
    whether what is live is what the ledger says, ``way_back`` what a rollback would need, both in words.
    """

    environment: str
    candidate: ReleaseCandidate
    previous: ReleaseCandidate | None
    run: str
    decided: datetime
    approved_by: tuple[str, ...]
    executor: str
    steps: tuple[Step, ...]
    backup: tuple[str, ...]
    artifacts: tuple[tuple[str, str, str], ...]
    read_back: str
    drift: bool
    way_back: str
    rollbacks_s: tuple[float, ...]
    rollback_within_s: float | None


def preview(events: Sequence[Event], entry: Entry, checked: Checked, *, now: datetime) -> Preview:
    """Return what would happen, or refuse as ``enter`` would; asks the executor, and changes nothing."""
    name, executor = entry.environment.name, executor_for(entry.site)
    check_nobody_deploys(events, name)
    run, verdict = checked(events)
    change = entry.change(events, run, verdict, "dry run", now=now)
    return _told(events, entry, change, run, verdict, executor)


def _told(
    events: Sequence[Event],
    entry: Entry,
    change: Change,
    run: RunView,
    verdict: Verdict,
    executor: Executor | None,
) -> Preview:
    said, drift = _read_back(executor, change.previous)
    live = live_candidate(events, change.environment)
    policy = entry.environment.deploy
    taken = [each.took_s for each in rollbacks(events, change.environment) if each.took_s is not None]
    return Preview(
        environment=change.environment,
        candidate=change.candidate,
        previous=live,
        run=run.started.run,
        decided=verdict.decided,
        approved_by=change.approved_by,
        executor=policy.executor,
        steps=planned(executor, change) if executor else (),
        backup=policy.backup,
        artifacts=_compared(live, change.candidate),
        read_back=said,
        drift=drift,
        way_back=_way_back(live, entry),
        rollbacks_s=tuple(taken[-LAST:]),
        rollback_within_s=policy.rollback_within_s,
    )


def _read_back(executor: Executor | None, live: ReleaseCandidate | None) -> tuple[str, bool]:
    if executor is None:
        return "nobody can tell: no executor reads it back", False
    try:
        return executor.verify(live), False
    except LiveDiffers as error:
        return error.message, True
    except DeployError as error:
        return f"nobody can tell: {error.message}", False


def _compared(live: ReleaseCandidate | None, new: ReleaseCandidate) -> tuple[tuple[str, str, str], ...]:
    before = {each.name: each.sha256 for each in (live.artifacts if live else ())}
    after = {each.name: each.sha256 for each in new.artifacts}
    return tuple((name, before.get(name, ""), after.get(name, "")) for name in sorted({*before, *after}))


def _way_back(previous: ReleaseCandidate | None, entry: Entry) -> str:
    if previous is None:
        return "none: this is the first release"
    try:
        check_stored(previous, entry.root)
    except GateError as error:
        return f"none from here: {error.message}"
    return f"to {named(previous)}, whose artifacts are in the store"
