"""The artifact store: files by the digest of their content, hashed again at each read."""

from __future__ import annotations

import hashlib
import io
import os
import stat
import tempfile
import time
from pathlib import Path
from typing import BinaryIO

from release_gates.candidate.content import file_sha256, is_sha256, open_regular
from release_gates.candidate.remote import VARIABLE, Note, RemoteStore, named_store
from release_gates.errors import CandidateError

_CHUNK_BYTES = 1 << 20


class ArtifactStore:
    """A folder of read-only files, each named by the SHA-256 of what is in it.

    Where the environment names a store that hosts share (``candidate.remote``), each file is kept there too,
    and fetched from there once it is asked for and not here.
    """

    def __init__(self, root: Path) -> None:
        """Use ``root`` (``.gates/artifacts``), which is made with the first artifact."""
        self.root = root
        self._shared = named_store()

    def put(self, path: Path) -> str:
        """Keep a copy of a file and return its SHA-256.

        The copy is read-only and keeps the executable bit and the modification time.
        """
        try:
            with open_regular(path) as source:
                status = os.fstat(source.fileno())
                executable = bool(status.st_mode & stat.S_IXUSR)
                return self._keep(source, Note(executable=executable, mtime_ns=status.st_mtime_ns))
        except OSError as error:
            raise CandidateError(
                f"{path}: cannot be stored in {self.root} ({error}).",
                slug="artifact-not-stored",
                hint="Check that the file is there and that the store's disk is writable and not full.",
            ) from error

    def put_bytes(self, data: bytes) -> str:
        """Keep some bytes and return their SHA-256."""
        try:
            return self._keep(io.BytesIO(data), Note(executable=False, mtime_ns=time.time_ns()))
        except OSError as error:
            raise CandidateError(
                f"{len(data)} bytes cannot be stored in {self.root} ({error}).",
                slug="artifact-not-stored",
                hint="Check that the store's disk is writable and not full.",
            ) from error

    def get(self, sha256: str) -> Path:
        """Return the stored file of that digest, after hashing it; ``CandidateError`` if it is not that."""
        path = self._place(sha256)
        if self._shared is not None and not os.path.lexists(path):
            self._fetch(self._shared, sha256)
        try:
            found = file_sha256(path, follow=False)
        except FileNotFoundError:
            raise _absent(path) from None
        except OSError as error:
            raise _damaged(path, str(error)) from error
        if found != sha256:
            raise _damaged(path, f"its content has SHA-256 {found}")
        return path

    def _place(self, sha256: str) -> Path:
        if not is_sha256(sha256):
            raise CandidateError(
                f"'{sha256}' is no artifact digest.",
                slug="not-a-digest",
                hint="A digest is 64 lower-case hex digits, as sha256sum prints them.",
            )
        return self.root / sha256

    def _fetch(self, shared: RemoteStore, sha256: str) -> None:
        """Bring a file here; one that is not what its digest says never gets its name."""
        with tempfile.TemporaryDirectory(prefix="release-gates-") as folder:
            fetched = Path(folder, "fetched")
            note = shared.fetch(sha256, fetched)
            if note is None:
                return
            if (found := file_sha256(fetched)) != sha256:
                raise _damaged(Path(f"{sha256} of {VARIABLE}"), f"its content has SHA-256 {found}")
            with fetched.open("rb") as source:
                self._keep_here(source, note)

    def _keep(self, source: BinaryIO, note: Note) -> str:
        sha256 = self._keep_here(source, note)
        if self._shared is not None:
            self._shared.put(self._place(sha256), sha256, note)
        return sha256

    def _keep_here(self, source: BinaryIO, note: Note) -> str:
        self.root.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".incoming-", dir=self.root)
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb") as copy:
                sha256 = _copy_hashing(source, copy)
                place = self._place(sha256)
                os.fchmod(copy.fileno(), 0o555 if note.executable or _is_executable(place) else 0o444)
                os.utime(copy.fileno(), ns=(note.mtime_ns, note.mtime_ns))
                os.fsync(copy.fileno())
            temporary.replace(place)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        _sync_folder(self.root)
        return sha256


def _copy_hashing(source: BinaryIO, copy: BinaryIO) -> str:
    seen = hashlib.sha256()
    while chunk := source.read(_CHUNK_BYTES):
        seen.update(chunk)
        copy.write(chunk)
    copy.flush()
    return seen.hexdigest()


def _is_executable(path: Path) -> bool:
    try:
        status = path.lstat()
    except FileNotFoundError:
        return False
    return stat.S_ISREG(status.st_mode) and bool(status.st_mode & stat.S_IXUSR)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _absent(path: Path) -> CandidateError:
    return CandidateError(
        f"{path}: is not in the artifact store.",
        slug="artifact-absent",
        hint="Put it there with `release-gates candidate create`, or restore the store from its copy.",
    )


def _damaged(path: Path, because: str) -> CandidateError:
    return CandidateError(
        f"{path}: is damaged: {because}.",
        slug="artifact-damaged",
        hint="Find out who changed it, remove it, and store the artifact of that digest again.",
    )
