"""What every executor can do, and where it works."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from release_gates.model.candidate import ReleaseCandidate
from release_gates.model.deployment import Change, DeployPolicy, Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Where an executor works.

    ``root`` is the project's folder, ``state`` its ``.gates`` (artifacts by digest, attestations by run).
    """

    root: Path
    state: Path
    environment: str
    policy: DeployPolicy


class Executor(Protocol):
    """Carries a candidate into one environment, by digests only.

    Steps are idempotent: a deployment that was killed is resumed by applying its steps again, those that had
    ended too. Everything that goes wrong is a ``DeployError``; none is ever hidden.
    """

    def plan(self, change: Change) -> Sequence[Step]:
        """Return the steps of a change without changing anything; the same for the same change."""
        ...

    def apply(self, change: Change, step: Step) -> str:
        """Do one step and return what was done, in words."""
        ...

    def undo(self, change: Change, step: Step) -> str:
        """Take one step back, also one that was begun only; return what was done, in words."""
        ...

    def verify(self, candidate: ReleaseCandidate | None) -> str:
        """Read back what is live and return it in words; changes nothing.

        None is a place in which nothing was ever deployed. ``LiveDiffers`` if what is there is anything else;
        any other ``DeployError`` where nobody can tell.
        """
        ...
