"""`command`: a program of yours deploys. It hears what to do as JSON on stdin; its exit status is the answer.

::

    {"schema": 1, "action": "apply", "environment": "production", "deployment": "deploy-…",
     "purpose": "promotion", "step": "switch", "candidate": {…}, "previous": {…} or null,
     "artifacts": {"engine": {"sha256": "…", "path": "/…/.gates/artifacts/…"}}}

``plan`` answers ``{"steps": [{"name": "switch", "does": "points the proxy at the new one"}]}``; ``verify`` is
told the environment alone, and answers ``{"candidate": DIGEST}``, or null where nothing was ever deployed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeVar

import msgspec

from release_gates.candidate.store import ArtifactStore
from release_gates.errors import CandidateError, DeployError, LiveDiffers
from release_gates.model.candidate import ReleaseCandidate
from release_gates.model.deploy_settings import CommandSettings
from release_gates.model.deployment import Change, Step
from release_gates.model.record import SCHEMA
from release_gates.promotion.executors.protocol import Site
from release_gates.promotion.executors.running import run_json

Asked = Literal["plan", "apply", "undo"]
Kind = TypeVar("Kind")


class _Planned(msgspec.Struct, frozen=True):
    """What a program answers to ``plan``."""

    steps: list[Step]


class _Read(msgspec.Struct, frozen=True):
    """What a program answers to ``verify``."""

    candidate: str | None


class CommandExecutor:
    """Lets a program carry a candidate (see ``release_gates.promotion.executors.protocol.Executor``)."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._words = msgspec.convert(site.policy.settings, CommandSettings).run

    def plan(self, change: Change) -> Sequence[Step]:
        """Return the steps that the program says."""
        answer = run_json(self._words, self._told("plan", change), self._site, changes=False)
        return tuple(self._answer(answer, _Planned, "plan").steps)

    def apply(self, change: Change, step: Step) -> str:
        """Let the program do one step."""
        run_json(self._words, self._told("apply", change, step), self._site, changes=True)
        return step.does

    def undo(self, change: Change, step: Step) -> str:
        """Let the program take one step back."""
        run_json(self._words, self._told("undo", change, step), self._site, changes=True)
        return f"taken back: {step.does}"

    def verify(self, candidate: ReleaseCandidate | None) -> str:
        """Ask the program what is live, without telling it what should be."""
        told = {"schema": SCHEMA, "action": "verify", "environment": self._site.environment}
        answer = run_json(self._words, told, self._site, changes=False)
        found = self._answer(answer, _Read, "verify").candidate
        wanted = None if candidate is None else candidate.digest
        if found != wanted:
            raise LiveDiffers(
                f"{self._site.environment} runs {_shown(found)}, and not {_shown(wanted)}.",
                slug="live-differs",
                hint="Find out who changed it.",
            )
        return f"{self._site.environment} runs {_shown(found)}"

    def _told(self, action: Asked, change: Change, step: Step | None = None) -> dict[str, object]:
        return {
            "schema": SCHEMA,
            "action": action,
            "environment": change.environment,
            "deployment": change.deployment,
            "purpose": change.purpose,
            "step": step.name if step else None,
            "candidate": _described(change.candidate),
            "previous": None if change.previous is None else _described(change.previous),
            "artifacts": self._stored(change, action),
        }

    def _stored(self, change: Change, action: Asked) -> dict[str, dict[str, str]]:
        """Return where the artifacts lie that are to be live; every file is hashed once more.

        What is not in the store stops no undo and no plan, which may not need it: its path is "" then.
        """
        store, found = ArtifactStore(self._site.state / "artifacts"), {}
        wanted = change.previous if action == "undo" else change.candidate
        for each in wanted.artifacts if wanted else ():
            try:
                path = str(store.get(each.sha256).absolute()) if each.path else ""
            except CandidateError:
                if action == "apply":
                    raise
                path = ""
            found[each.name] = {"sha256": each.sha256, "kind": each.kind, "ref": each.ref, "path": path}
        return found

    def _answer(self, answer: bytes, kind: type[Kind], action: str) -> Kind:
        try:
            return msgspec.json.decode(answer, type=kind)
        except (msgspec.MsgspecError, UnicodeError) as error:
            raise DeployError(
                f"`{self._words[0]}` answered nothing that can be read to {action}: {error}.",
                slug="deploy-answer",
                hint="docs/deployments.md says what it has to write to stdout, and nothing else.",
            ) from error


def _described(candidate: ReleaseCandidate) -> dict[str, object]:
    return {
        "digest": candidate.digest,
        "name": candidate.name,
        "version": candidate.version,
        "commit": candidate.commit,
        "artifacts": msgspec.to_builtins(candidate.artifacts),
    }


def _shown(digest: str | None) -> str:
    return "nothing" if digest is None else digest[:12]
