"""Copy an image by digest: what it consists of first, itself last, and every byte hashed on its way."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Protocol

from release_gates.errors import DeployError
from release_gates.promotion.executors.oci.descriptor import Descriptor, Manifest
from release_gates.promotion.executors.oci.registry import Registry

_DEEPEST = 3


class Source(Protocol):
    """Where an image is read from."""

    def manifest(self, digest: str) -> Manifest:
        """Return a manifest by digest."""
        ...

    def blob(self, blob: Descriptor) -> AbstractContextManager[Iterator[bytes]]:
        """Open a blob for reading."""
        ...


def manifests(source: Source, digest: str, depth: int = 0) -> Iterator[Manifest]:
    """Yield a manifest after those that it names, each of them read and hashed."""
    if depth > _DEEPEST:
        raise DeployError(
            f"{digest}: indexes within indexes, more than {_DEEPEST} deep.",
            slug="deploy-manifest",
            hint="Push an index of images.",
        )
    manifest = source.manifest(digest)
    for child in manifest.children:
        yield from manifests(source, child.digest, depth + 1)
    yield manifest


def copy(source: Source, target: Registry, digest: str, *, mount: str = "") -> tuple[int, int]:
    """Copy an image into a repository; return how many manifests it has, and how many blobs were sent.

    ``mount`` is the source's name where it is a repository of the same registry, which then sends nothing.
    """
    every = list(manifests(source, digest))
    sent = 0
    for blob in dict.fromkeys(blob for manifest in every for blob in manifest.blobs):
        if target.has(blob) or (mount and target.mount(blob, mount)):
            continue
        with source.blob(blob) as chunks:
            target.upload(blob, _hashed(blob, chunks))
        sent += 1
    for manifest in every:
        target.put(manifest, manifest.descriptor.digest)
    return len(every), sent


def check_whole(target: Registry, digest: str) -> int:
    """Return how many parts an image has in a repository; ``DeployError`` if one of them is not there."""
    every = list(manifests(target, digest))
    blobs = {blob for manifest in every for blob in manifest.blobs}
    for blob in sorted(blobs, key=lambda each: each.digest):
        if not target.has(blob):
            raise DeployError(
                f"{target.address}: {digest} is there, and its part {blob.digest} is not.",
                slug="deploy-registry",
                hint="Deploy it again: what is there is not copied twice.",
            )
    return len(every) + len(blobs)


def _hashed(blob: Descriptor, chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Pass a blob's bytes on; ``DeployError`` before the last of them if they are not that blob's."""
    seen, size, held = hashlib.sha256(), 0, b""
    for chunk in chunks:
        seen.update(chunk)
        size += len(chunk)
        if size > blob.size:
            break
        yield held
        held = chunk
    if size != blob.size or f"sha256:{seen.hexdigest()}" != blob.digest:
        raise DeployError(
            f"the source served something else as {blob.digest}: {size} bytes with "
            f"sha256:{seen.hexdigest()}, and it has {blob.size}. It was not passed on.",
            slug="deploy-manifest",
            hint="Build and push the image again, or look who serves something else in its place.",
        )
    yield held
