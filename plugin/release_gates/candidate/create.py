"""A new candidate: hashes of its files, and where they come from according to git."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from release_gates.candidate.content import file_sha256, resolve_inside
from release_gates.errors import CandidateError
from release_gates.model.candidate import Artifact, ArtifactKind, ReleaseCandidate

_GIT_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a candidate's sources come from. ``commit`` is "" only if the caller says so."""

    commit: str
    ref: str = ""
    dirty: bool = False
    authors: tuple[str, ...] = ()


def create_candidate(
    *,
    name: str,
    version: str,
    artifacts: Mapping[str, Path],
    root: Path,
    kinds: Mapping[str, ArtifactKind] | None = None,
    images: Mapping[str, str] | None = None,
    origin: Origin | None = None,
    built_by: str = "",
) -> ReleaseCandidate:
    """Return the candidate made of these files.

    ``artifacts`` maps names to files, absolute or relative to ``root``, the folder that
    ``candidate.toml`` will lie in; ``kinds`` says which are not a plain "file". ``images`` maps names to
    references that end in their digest. Without ``origin``, git is asked in ``root``. ``CandidateError``
    for a file that is absent or outside of ``root``, and where git knows no commit.
    """
    origin = origin if origin is not None else git_origin(root)
    kinds = kinds or {}
    return ReleaseCandidate(
        name=name,
        version=version,
        commit=origin.commit,
        ref=origin.ref,
        dirty=origin.dirty,
        authors=origin.authors,
        built_by=built_by,
        artifacts=(
            *(_artifact(root, each, path, kinds) for each, path in artifacts.items()),
            *(_image(each, ref) for each, ref in (images or {}).items()),
        ),
    )


def git_origin(folder: Path, *, since: str = "") -> Origin:
    """Return what git says of the commit that is checked out in ``folder``.

    Authors are those of that commit, or of all commits after ``since``, co-authors included. Files that
    are changed or untracked make it dirty.
    """
    commit = _git(folder, "rev-parse", "--verify", "HEAD^{commit}")
    branch = _git(folder, "rev-parse", "--abbrev-ref", "HEAD")
    return Origin(
        commit=commit,
        ref="" if branch == "HEAD" else branch,
        dirty=bool(_git(folder, "status", "--porcelain", "--untracked-files=normal")),
        authors=_authors(folder, since),
    )


def _artifact(root: Path, name: str, path: Path, kinds: Mapping[str, ArtifactKind]) -> Artifact:
    try:
        real = resolve_inside(root, path)
        sha256 = file_sha256(real)
    except OSError as error:
        raise CandidateError(
            f"artifact '{name}': {root / path}: {error.strerror or error}.",
            slug="artifact-unreadable",
            hint="Build it first, and write candidate.toml to a folder that contains all its artifacts.",
        ) from error
    relative = real.relative_to(root.resolve()).as_posix()
    return Artifact(name=name, kind=kinds.get(name, "file"), sha256=sha256, path=relative)


def _image(name: str, ref: str) -> Artifact:
    return Artifact(name=name, kind="oci", sha256=ref.rpartition("@sha256:")[2], ref=ref)


def _authors(folder: Path, since: str) -> tuple[str, ...]:
    shape = "--format=%an <%ae>%n%(trailers:key=Co-authored-by,valueonly)"
    which = ["-1", "HEAD"] if not since else [f"{_commit(folder, since)}..HEAD"]
    return _distinct(_git(folder, "log", shape, *which, "--").splitlines())


def _commit(folder: Path, revision: str) -> str:
    return _git(folder, "rev-parse", "--verify", "--end-of-options", f"{revision}^{{commit}}")


def _distinct(lines: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({line.strip() for line in lines} - {""}))


def _git(folder: Path, *arguments: str) -> str:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    command = ["git", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(
            command,
            env={**environment, "LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=_GIT_TIMEOUT_S,
            check=True,
        )
    except subprocess.CalledProcessError as error:
        raise _no_origin(
            folder, error.stderr.strip() or f"git ended with status {error.returncode}"
        ) from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _no_origin(folder, str(error)) from error
    return done.stdout.strip()


def _no_origin(folder: Path, because: str) -> CandidateError:
    return CandidateError(
        f"{folder}: git cannot tell the candidate's commit: {because}.",
        slug="no-commit",
        hint="Run it in the checkout that was built, or give the commit yourself (commit '' for none).",
    )
