"""Taking a candidate into the artifact store, so that it can be measured and run again by digest."""

from __future__ import annotations

from pathlib import Path

from release_gates.candidate.store import ArtifactStore
from release_gates.candidate.verify import verify_artifacts
from release_gates.errors import CandidateError
from release_gates.model.candidate import ReleaseCandidate

_REMEDY = "Build again and write candidate.toml anew: `release-gates candidate create`."


def check_artifacts(candidate: ReleaseCandidate, root: Path) -> None:
    """Refuse by ``CandidateError`` where a file below ``root`` is absent or not what its digest says."""
    if problems := verify_artifacts(candidate, root):
        raise CandidateError("; ".join(problems) + ".", slug="artifact-changed", hint=_REMEDY)


def keep_candidate(candidate: ReleaseCandidate, root: Path, state: Path) -> None:
    """Put every artifact file below ``root`` into ``state/artifacts``.

    Raises ``CandidateError`` if a file is absent, not what its digest says, or changes meanwhile.
    """
    check_artifacts(candidate, root)
    store = ArtifactStore(state / "artifacts")
    for artifact in candidate.artifacts:
        if artifact.path and store.put(root / artifact.path) != artifact.sha256:
            raise CandidateError(
                f"{artifact.path} changed while it was copied.", slug="artifact-changed", hint=_REMEDY
            )
