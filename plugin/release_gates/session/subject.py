"""A candidate (or the live baseline) as gate tests see it: its data, and its artifacts by digest."""

from __future__ import annotations

from pathlib import Path

from release_gates.candidate.store import ArtifactStore
from release_gates.errors import CandidateError
from release_gates.model.candidate import Artifact, ReleaseCandidate


class Subject:
    """What is measured. Every artifact is re-hashed when it is asked for."""

    def __init__(self, candidate: ReleaseCandidate, *, store: ArtifactStore, root: Path | None) -> None:
        self._candidate = candidate
        self._store = store
        self._root = root
        self.name = candidate.name
        self.version = candidate.version
        self.commit = candidate.commit
        self.digest = candidate.digest

    def artifact(self, name: str) -> Path:
        """Return the path of an artifact in the store; ``CandidateError`` if it is absent or damaged."""
        return self._store.get(self._known(name).sha256)

    def artifact_digest(self, name: str) -> str:
        """Return the SHA-256 of an artifact, in hex; ``CandidateError`` if there is none of that name."""
        return self._known(name).sha256

    def artifact_source(self, name: str) -> Path | None:
        """Return where an artifact was built, or None where nobody knows or that file is gone."""
        path = self._known(name).path
        if self._root is None or not path:
            return None
        built = self._root / path
        return built if built.is_file() else None

    def _known(self, name: str) -> Artifact:
        artifact = self._candidate.artifact(name)
        if artifact is None:
            names = ", ".join(known.name for known in self._candidate.artifacts)
            raise CandidateError(
                f"{self.name} {self.version} has no artifact '{name}'.",
                slug="unknown-artifact",
                hint=f"It has: {names}.",
            )
        return artifact
