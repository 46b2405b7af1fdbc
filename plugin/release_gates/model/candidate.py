"""The release candidate: an immutable set of artifact digests with what is known of its origin."""

from __future__ import annotations

from typing import Literal

from release_gates.model.record import SCHEMA, Record, digest

ArtifactKind = Literal["file", "oci", "manifest", "config"]


class Artifact(Record, frozen=True, kw_only=True):
    """One artifact by content: ``name`` is how gates ask for it, ``path`` where it was built."""

    name: str
    kind: ArtifactKind = "file"
    sha256: str
    path: str = ""
    ref: str = ""


class ReleaseCandidate(Record, frozen=True, kw_only=True):
    """What asks for entry. Promoted as it was tested, never rebuilt."""

    schema: int = SCHEMA
    name: str
    version: str
    commit: str
    ref: str = ""
    dirty: bool = False
    authors: tuple[str, ...] = ()
    built_by: str = ""
    artifacts: tuple[Artifact, ...]

    @property
    def digest(self) -> str:
        """SHA-256 over the sorted artifact digests: identity, whatever the metadata say."""
        return digest(sorted({(artifact.kind, artifact.sha256) for artifact in self.artifacts}))

    def artifact(self, name: str) -> Artifact | None:
        """Return the artifact of that name, or None."""
        return next((artifact for artifact in self.artifacts if artifact.name == name), None)
