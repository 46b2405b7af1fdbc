"""An image as a file: an OCI layout in a tar archive, as ``docker save`` and ``skopeo copy`` write it."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from release_gates.errors import DeployError
from release_gates.promotion.executors.oci.descriptor import (
    LARGEST_MANIFEST,
    NO_MANIFEST,
    Descriptor,
    Manifest,
    read_manifest,
)

_CHUNK_BYTES = 1 << 20


class Archive:
    """The blobs of an archive by digest. Not compressed, so that each is found without reading all."""

    def __init__(self, tar: tarfile.TarFile, place: str) -> None:
        self._tar = tar
        self._place = place

    def manifest(self, digest: str) -> Manifest:
        """Return a manifest by digest."""
        member = self._member(digest, NO_MANIFEST)
        if member.size > LARGEST_MANIFEST:
            raise self._failed(f"manifest {digest} is larger than {LARGEST_MANIFEST} bytes")
        with self._open(member) as chunks:
            return read_manifest(b"".join(chunks), digest, self._place)

    @contextmanager
    def blob(self, blob: Descriptor) -> Iterator[Iterator[bytes]]:
        """Open a blob for reading."""
        with self._open(self._member(blob.digest)) as chunks:
            yield chunks

    @contextmanager
    def _open(self, member: tarfile.TarInfo) -> Iterator[Iterator[bytes]]:
        try:
            file = self._tar.extractfile(member)
            if file is None:
                raise self._failed(f"{member.name} is no file")
            with file:
                yield iter(lambda: file.read(_CHUNK_BYTES), b"")
        except (tarfile.TarError, OSError, EOFError) as error:
            raise self._failed(f"{member.name} cannot be read ({error})") from None

    def _member(self, digest: str, hint: str = "") -> tarfile.TarInfo:
        name = f"blobs/{digest.replace(':', '/')}"
        try:
            member = self._tar.getmember(name)
        except (KeyError, tarfile.TarError, OSError):
            raise self._failed(f"there is no {name}", hint) from None
        if not member.isreg():
            raise self._failed(f"{name} is no regular file")
        return member

    def _failed(self, because: str, hint: str = "") -> DeployError:
        return DeployError(
            f"{self._place}: {because}.",
            slug="deploy-archive",
            hint=hint or "Write the image as an OCI layout in a tar archive that is not compressed.",
        )


@contextmanager
def opened_archive(path: Path, name: str) -> Iterator[Archive]:
    """Open an archive; ``DeployError`` if it is none."""
    try:
        tar = tarfile.open(path, "r:")  # noqa: SIM115 - closed below
    except (tarfile.TarError, OSError, EOFError, ValueError) as error:
        raise DeployError(
            f"{name}: is no tar archive ({error}).",
            slug="deploy-archive",
            hint="Write the image as an OCI layout in a tar archive that is not compressed.",
        ) from None
    with tar:
        yield Archive(tar, name)
