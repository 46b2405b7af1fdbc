"""Whether the artifacts that lie on the disk now are still those that the candidate names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from release_gates.candidate.content import file_sha256, resolve_inside
from release_gates.candidate.form import artifact_mistakes
from release_gates.model.candidate import Artifact, ReleaseCandidate


def verify_artifacts(candidate: ReleaseCandidate, root: Path) -> tuple[str, ...]:
    """Return a sentence for each artifact that is not what the candidate says; none means that all agree.

    ``root`` is the folder of ``candidate.toml``. Images are content-addressed by their ``ref`` and have
    no file to look at: here only the ref is checked against the digest.
    """
    if not candidate.artifacts:
        return (f"the candidate {candidate.name} {candidate.version} names no artifact",)
    return tuple(sentence for artifact in candidate.artifacts for sentence in _problems(artifact, root))


def _problems(artifact: Artifact, root: Path) -> Iterator[str]:
    if wrong := artifact_mistakes(artifact):
        yield from wrong
    elif artifact.kind != "oci":
        yield from _file_problems(artifact, root)


def _file_problems(artifact: Artifact, root: Path) -> Iterator[str]:
    try:
        found = file_sha256(resolve_inside(root, artifact.path))
    except FileNotFoundError:
        yield f"artifact '{artifact.name}': {root / artifact.path} is absent"
    except OSError as error:
        yield f"artifact '{artifact.name}': {root / artifact.path}: {error.strerror or error}"
    else:
        if found != artifact.sha256:
            yield (
                f"artifact '{artifact.name}': {root / artifact.path} has SHA-256 {found}, "
                f"the candidate says {artifact.sha256}"
            )
