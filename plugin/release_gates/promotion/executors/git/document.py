"""What a file in a repository says is live: a kustomization, or a file that is ours alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import msgspec

from release_gates.errors import DeployError
from release_gates.model.candidate import Artifact, ReleaseCandidate
from release_gates.model.record import SCHEMA, Record
from release_gates.promotion.executors.git.kustomization import digests_in, with_digests
from release_gates.promotion.executors.settings import image, printable


class Document(Protocol):
    """A file that says which candidate is live."""

    def fits(self, candidate: ReleaseCandidate) -> None:
        """Refuse a candidate of which the file could not tell, by ``DeployError``."""
        ...

    def differs(self, data: bytes | None, candidate: ReleaseCandidate | None) -> str:
        """Return what the file says else than that this candidate is live, "" if it says just that."""
        ...

    def written(self, data: bytes | None, candidate: ReleaseCandidate | None) -> bytes | None:
        """Return the file as it says that this candidate is live, None for no file."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Kustomization:
    """The digests of images; ``images`` is image -> artifact of the candidate."""

    place: str
    images: Mapping[str, str]

    def fits(self, candidate: ReleaseCandidate) -> None:
        """Refuse a candidate without the artifacts."""
        self._wanted(candidate)

    def differs(self, data: bytes | None, candidate: ReleaseCandidate | None) -> str:
        """Return which images have other digests."""
        found = digests_in(self._there(data), self.images, self.place)
        wanted = self._wanted(candidate)
        others = sorted(name for name in wanted if found[name] != wanted[name])
        return printable(", ".join(f"{name} has {found[name] or 'no digest'}" for name in others))

    def written(self, data: bytes | None, candidate: ReleaseCandidate | None) -> bytes:
        """Return the file with the candidate's digests."""
        return with_digests(self._there(data), self._wanted(candidate), self.place)

    def _there(self, data: bytes | None) -> bytes:
        if data is None:
            raise DeployError(
                f"{self.place}: is not there.",
                slug="deploy-git-path",
                hint="Commit the file with its images first: the executor only sets their digests.",
            )
        return data

    def _wanted(self, candidate: ReleaseCandidate | None) -> dict[str, str | None]:
        if candidate is None:
            return dict.fromkeys(self.images)
        return {name: image(candidate, own) for name, own in self.images.items()}


class Live(Record, frozen=True, kw_only=True):
    """The file that is ours: the candidate that is live, by the digests of all its artifacts."""

    schema: int = SCHEMA
    candidate: str
    name: str
    version: str
    artifacts: tuple[Artifact, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveFile:
    """A file of JSON in which nobody else writes; no file: nothing is live."""

    place: str

    def fits(self, candidate: ReleaseCandidate) -> None:
        """Take every candidate."""

    def differs(self, data: bytes | None, candidate: ReleaseCandidate | None) -> str:
        """Return which other candidate the file names, or that it names none."""
        if data is None:
            return "" if candidate is None else "no candidate is named"
        try:
            live = msgspec.json.decode(data, type=Live)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            return printable(f"it cannot be read ({error})")
        if live.schema != SCHEMA:
            return f"it has schema {live.schema}, and {SCHEMA} is known here"
        same = candidate is not None and live.candidate == candidate.digest
        if same and _digests(live.artifacts) == _digests(candidate.artifacts if candidate else ()):
            return ""
        return printable(f"{live.name} {live.version} (sha256:{live.candidate}) is named")

    def written(
        self,
        data: bytes | None,  # noqa: ARG002 - nothing of what was there is kept
        candidate: ReleaseCandidate | None,
    ) -> bytes | None:
        """Return the file for a candidate."""
        if candidate is None:
            return None
        live = Live(
            candidate=candidate.digest,
            name=candidate.name,
            version=candidate.version,
            artifacts=tuple(
                Artifact(name=each.name, kind=each.kind, sha256=each.sha256) for each in candidate.artifacts
            ),
        )
        return msgspec.json.format(msgspec.json.encode(live), indent=2) + b"\n"


def _digests(artifacts: tuple[Artifact, ...]) -> set[tuple[str, str]]:
    return {(each.kind, each.sha256) for each in artifacts}
