"""What is different from what is live: artifacts by digest, the policy line by line."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import msgspec

from release_gates.candidate.store import ArtifactStore
from release_gates.errors import GateError
from release_gates.ledger.history import RunView, live_in, live_since, runs
from release_gates.model.candidate import ReleaseCandidate
from release_gates.model.event import Event, Promoted
from release_gates.model.release import ArtifactChange, Changes

MOST_LINES = 40
MOST_COMMITS = 20
LARGEST_COMPARED = 200_000
"""Characters of a file up to which its lines are compared: lists of tests may be longer."""


def changes_since(
    events: Sequence[Event], view: RunView, *, root: Path, commits: Sequence[str] | None
) -> Changes | None:
    """Return what a run's candidate and rules changed against what is live; None where nothing is."""
    live = live_in(events, view.started.environment)
    if live is None or live.candidate is None:
        return None
    before = live.candidate
    policy, notes = _policy_changes(events, view, root)
    if commits is None:
        notes = ("The commits between them are unknown here.", *notes)
    since = f"live since {live.since:%Y-%m-%d %H:%M} UTC"
    return Changes(
        since=f"{before.name} {before.version} ({before.digest[:12]}, {since})",
        commits=tuple(commits or ())[:MOST_COMMITS],
        more_commits=max(0, len(commits or ()) - MOST_COMMITS),
        artifacts=tuple(_artifacts(before, view.started.candidate)),
        policy=policy,
        notes=notes,
    )


def _artifacts(before: ReleaseCandidate, after: ReleaseCandidate) -> Iterator[ArtifactChange]:
    then = {artifact.name: artifact.sha256 for artifact in before.artifacts}
    now = {artifact.name: artifact.sha256 for artifact in after.artifacts}
    for name in sorted(then.keys() | now.keys()):
        if then.get(name) != now.get(name):
            yield ArtifactChange(name=name, before=then.get(name, ""), after=now.get(name, ""))


def _policy_changes(
    events: Sequence[Event], view: RunView, root: Path
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    entered = live_since(events, view.started.environment)
    fact = next((event.fact for event in events if event.seq == entered), None)
    if not isinstance(fact, Promoted):
        return (), ("What is live was not promoted by these gates, so there are no rules to compare with.",)
    rules = next((each.started.rules for each in runs(events) if each.started.run == fact.run), "")
    if rules == view.started.rules:
        return (), ()
    try:
        then, now = _snapshot(rules, root), _snapshot(view.started.rules, root)
    except (GateError, OSError, msgspec.MsgspecError) as error:
        return (), (f"The rules are others, and cannot be compared: {error}",)
    lines = list(islice(_lines(then, now), MOST_LINES + 1))
    more = ("… more lines differ",) if len(lines) > MOST_LINES else ()
    return (*lines[:MOST_LINES], *more), ()


def _snapshot(rules: str, root: Path) -> dict[str, str]:
    stored = ArtifactStore(root / ".gates" / "artifacts").get(rules).read_bytes()
    return msgspec.json.decode(stored, type=dict[str, str])


def _lines(then: dict[str, str], now: dict[str, str]) -> Iterator[str]:
    for name in sorted(then.keys() | now.keys()):
        before, after = then.get(name, ""), now.get(name, "")
        shown = name.removeprefix("/")
        if before == after:
            continue
        if max(len(before), len(after)) > LARGEST_COMPARED:
            yield f"{shown}: changed"
            continue
        for line in islice(difflib.unified_diff(before.splitlines(), after.splitlines(), n=0), 2, None):
            if not line.startswith("@@"):
                yield f"{shown}: {line[0]} {line[1:].strip()}"
