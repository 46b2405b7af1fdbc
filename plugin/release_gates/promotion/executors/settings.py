"""What an executor is told by policy, and what it takes from a candidate."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import msgspec

from release_gates.candidate.store import ArtifactStore
from release_gates.errors import CandidateError, DeployError
from release_gates.model.candidate import Artifact, ReleaseCandidate
from release_gates.model.deployment import Step
from release_gates.promotion.executors.protocol import Site

Settings = TypeVar("Settings", bound=msgspec.Struct)


def settings_of(site: Site, kind: type[Settings]) -> Settings:
    """Return the settings of a site's executor; ``DeployError`` if they do not fit."""
    try:
        return msgspec.convert(site.policy.settings, kind, strict=True)
    except msgspec.ValidationError as error:
        raise DeployError(
            f"environment {site.environment}: the settings of '{site.policy.executor}' do not fit: {error}.",
            slug="deploy-settings",
            hint="Mend them in the environment's deploy table.",
        ) from None


def named(candidate: ReleaseCandidate, name: str) -> Artifact:
    """Return an artifact of a candidate; ``DeployError`` if it has none of that name."""
    artifact = candidate.artifact(name)
    if artifact is None:
        names = ", ".join(each.name for each in candidate.artifacts)
        raise DeployError(
            f"{candidate.name} {candidate.version} has no artifact {name}; it has {names}.",
            slug="deploy-artifact",
            hint="Name one of them in the environment's deploy table, or build the candidate with it.",
        )
    return artifact


def image(candidate: ReleaseCandidate, name: str) -> str:
    """Return the digest (``sha256:…``) of an image of a candidate; ``DeployError`` if it is none."""
    artifact = named(candidate, name)
    if artifact.kind != "oci":
        raise DeployError(
            f"artifact {name} of {shown(candidate)} is of kind {artifact.kind}, and no image.",
            slug="deploy-artifact",
            hint="Name an artifact of kind oci, whose digest is that of a manifest or index.",
        )
    return f"sha256:{artifact.sha256}"


def check_step(step: Step, *known: str) -> None:
    """Refuse a step that this executor never planned."""
    if step.name not in known:
        raise DeployError(
            f"there is no step '{step.name}' here, only {', '.join(known)}.",
            slug="deploy-step",
            hint="The executor's settings or version changed since this deployment began: roll it back.",
        )


def stored(site: Site, artifact: Artifact) -> Path:
    """Return an artifact's file in the store, hashed again; ``DeployError`` if it is not that."""
    try:
        return ArtifactStore(site.state / "artifacts").get(artifact.sha256)
    except CandidateError as error:
        raise DeployError(error.message, slug=error.slug, hint=error.hint) from None


def shown(candidate: ReleaseCandidate | None) -> str:
    """Return a candidate in words, "nothing" for None."""
    return "nothing" if candidate is None else printable(f"{candidate.name} {candidate.version}")


def printable(text: str, most: int = 300) -> str:
    """Return what somebody else wrote as one line that does nothing to a terminal or a form."""
    line = " ".join(text.split())
    return "".join(each if each.isprintable() else "?" for each in line)[:most]
