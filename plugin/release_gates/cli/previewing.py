"""The one screen of ``promote --dry-run``, and how long rollbacks take."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from release_gates.promotion.deployment import named
from release_gates.promotion.preview import Preview
from release_gates.report.text import wrapped

MOST_ARTIFACTS = 5
MOST_STEPS = 7
SHORT = 12
"""So many hex digits of an artifact's digest are shown."""


def preview_lines(told: Preview, width: int) -> list[str]:
    """Return what a promotion would do, on one screen."""
    lines = [f"Entry of {named(told.candidate)} to {told.environment}: nothing was changed"]
    for name, text in _rows(told):
        first, *more = wrapped(text, width - 14) or [""]
        lines += [f"  {name:<11} {first}", *(f"{'':14}{each}" for each in more)]
    return lines


def timing(took_s: float, within_s: float | None) -> str:
    """Return how long a rollback took, and whether that is what policy asks for."""
    took = f"the rollback took {took_s:.1f} s"
    if within_s is None:
        return took
    if took_s <= within_s:
        return f"{took}, within the {within_s:g} s that policy asks for"
    return f"{took}: TOO SLOW, policy asks for {within_s:g} s"


def _rows(told: Preview) -> Iterator[tuple[str, str]]:
    yield "from", named(told.previous)
    yield "to", named(told.candidate)
    yield from _artifacts(told)
    yield "live now", f"DRIFT: {told.read_back}" if told.drift else told.read_back
    yield "verdict", f"run {told.run}, decided {told.decided:%Y-%m-%d %H:%M} UTC"
    yield "approved by", ", ".join(told.approved_by) or "nobody was asked"
    yield "backup", shlex.join(told.backup) if told.backup else "none"
    yield from _steps(told)
    yield "rollback", told.way_back
    yield "", _rollbacks(told)


def _artifacts(told: Preview) -> Iterator[tuple[str, str]]:
    changed = [each for each in told.artifacts if each[1] != each[2]]
    same = len(told.artifacts) - len(changed)
    for index, (name, before, after) in enumerate(changed[:MOST_ARTIFACTS]):
        change = f"{name}: {before[:SHORT] or 'new'} -> {after[:SHORT] or 'gone'}"
        yield "" if index else "changes", change
    if len(changed) > MOST_ARTIFACTS:
        yield "", f"and {len(changed) - MOST_ARTIFACTS} more"
    if same:
        yield "same", f"{same} artifact{'s' if same > 1 else ''}"


def _steps(told: Preview) -> Iterator[tuple[str, str]]:
    if not told.steps:
        yield "steps", f"none: executor {told.executor}, the ledger alone says what is live"
    for index, step in enumerate(told.steps[:MOST_STEPS]):
        yield "" if index else "steps", f"{index + 1}. {step.name}: {step.does}"
    if len(told.steps) > MOST_STEPS:
        yield "", f"and {len(told.steps) - MOST_STEPS} more"


def _rollbacks(told: Preview) -> str:
    within = "" if told.rollback_within_s is None else f"; policy asks for {told.rollback_within_s:g} s"
    if not told.rollbacks_s:
        return f"none was ever timed here{within}"
    return f"the last took {', '.join(f'{each:.1f} s' for each in reversed(told.rollbacks_s))}{within}"
