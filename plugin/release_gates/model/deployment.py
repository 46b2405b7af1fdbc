"""A deployment: what a promotion or a rollback changes, in which steps, and how policy wants it done."""

from __future__ import annotations

from typing import Any, Literal

from release_gates.model.candidate import ReleaseCandidate
from release_gates.model.record import Record

Purpose = Literal["promotion", "rollback"]
Action = Literal["backup", "apply", "verify", "undo"]
Stage = Literal["begun", "done", "failed"]


class DeployPolicy(Record, frozen=True, kw_only=True):
    """How a candidate gets into an environment. ``settings`` are those of the executor, checked by it.

    ``backup`` is a command that runs before the first step, () for none. ``timeout_s`` is for each step;
    a rollback that took longer than ``rollback_within_s`` is reported as too slow, None asks for nothing.
    ``env`` names the variables that commands get besides PATH, HOME and LANG.
    """

    executor: str = "record"
    settings: dict[str, Any] = {}
    backup: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    timeout_s: float = 300.0
    rollback_within_s: float | None = None


class Step(Record, frozen=True, kw_only=True):
    """One step of a deployment: a name that is stable for the same change, and what it does, in words."""

    name: str
    does: str


class Change(Record, frozen=True, kw_only=True):
    """What one deployment is to change: ``candidate`` is to be live instead of ``previous``.

    ``deployment`` is its name in the ledger, the same when it is resumed. ``run`` is the run whose verdict
    allows it, "" for a rollback; ``by`` is who asked for it, ``approved_by`` who said yes.
    """

    deployment: str
    purpose: Purpose
    environment: str
    candidate: ReleaseCandidate
    previous: ReleaseCandidate | None
    run: str = ""
    by: str
    approved_by: tuple[str, ...] = ()
