"""Artifacts by digest at a URL that several hosts share (fsspec): a folder, an object store, another host."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec

from release_gates.errors import CandidateError, ProbeUnavailable
from release_gates.model.record import Record

VARIABLE = "GATE_ARTIFACTS"
"""Environment variable that names the URL."""
_LARGEST_NOTE = 4096


class Note(Record, frozen=True, kw_only=True):
    """What a store by digest does not know of a file: whether it is a program, and since when it is so."""

    executable: bool
    mtime_ns: int


class RemoteStore:
    """Files named by the SHA-256 of what is in them, each with a note beside it.

    What it gives is not believed: whoever fetches hashes it. Raises ``CandidateError`` for what cannot be
    written, read or found, and names the file without the password that a URL may have.
    """

    def __init__(self, url: str) -> None:
        """Use the folder at ``url``; ``ProbeUnavailable`` without fsspec, or what its scheme needs."""
        try:
            import fsspec

            self._files, self._root = fsspec.core.url_to_fs(url)
        except (ImportError, ValueError) as error:
            raise ProbeUnavailable(
                f"{VARIABLE}: a store of that kind cannot be opened ({error}).",
                slug="artifacts-unavailable",
                hint="pip install 'pytest-release-gates[artifacts]', and what its scheme needs (s3fs).",
            ) from error

    def put(self, file: Path, sha256: str, note: Note) -> None:
        """Keep a file that is not there yet: under another name first, so that none is ever there in part."""
        try:
            if self._has(sha256, file.stat().st_size):
                return
            incoming = self._path(f".incoming-{sha256}-{os.urandom(4).hex()}")
            self._files.makedirs(self._root, exist_ok=True)
            self._files.pipe_file(self._path(f"{sha256}.json"), msgspec.json.encode(note))
            self._files.put_file(str(file), incoming)
            self._files.mv(incoming, self._path(sha256))
        except Exception as error:  # each kind of store has errors of its own
            raise CandidateError(
                f"{self._path(sha256)}: cannot be stored ({_said(error)}).",
                slug="artifact-not-stored",
                hint=f"Look at the store that {VARIABLE} names: its address, its rights, its space.",
            ) from error

    def fetch(self, sha256: str, target: Path) -> Note | None:
        """Write what is stored under a digest into a file, and return its note; None if nothing is there."""
        try:
            if not self._files.exists(self._path(sha256)):
                return None
            self._files.get_file(self._path(sha256), str(target))
            with self._files.open(self._path(f"{sha256}.json"), "rb") as file:
                return msgspec.json.decode(file.read(_LARGEST_NOTE), type=Note)
        except Exception as error:  # as in put; what was not fetched is an error, never absent
            raise CandidateError(
                f"{self._path(sha256)}: cannot be fetched ({_said(error)}).",
                slug="artifact-not-fetched",
                hint=f"Look at the store that {VARIABLE} names, or store the artifact of that digest again.",
            ) from error

    def _has(self, sha256: str, size: int) -> bool:
        """Tell whether it is there whole; what is there in another size is written anew."""
        names = (self._path(sha256), self._path(f"{sha256}.json"))
        there: list[Any] = [self._files.info(name) if self._files.exists(name) else None for name in names]
        return all(there) and there[0]["size"] == size

    def _path(self, name: str) -> str:
        return f"{self._root.rstrip('/')}/{name}"


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".strip().rstrip(":")


def named_store() -> RemoteStore | None:
    """Return the store that the environment names, None for none."""
    url = os.environ.get(VARIABLE)
    return RemoteStore(url) if url else None
