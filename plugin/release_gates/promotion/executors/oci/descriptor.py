"""Manifests and indexes of the OCI image format, read from bytes that hash to the digest asked for."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec

from release_gates.errors import DeployError

LARGEST_MANIFEST = 4 << 20
"""Bytes; what the distribution specification asks registries to take."""
MOST_CHILDREN = 200
INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEXES = (INDEX, "application/vnd.docker.distribution.manifest.list.v2+json")
MANIFESTS = (MANIFEST, "application/vnd.docker.distribution.manifest.v2+json")
NO_MANIFEST = (
    "If that is an image's id (`docker images`), it is no manifest's digest: push the image, and build the "
    "candidate with the digest that the push printed: `release-gates candidate create --image "
    "NAME=REF@sha256:…`."
)
"""What to do where a digest names no manifest."""
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class _Descriptor(msgspec.Struct, frozen=True, rename={"media_type": "mediaType"}):
    """A descriptor as it stands in a manifest, among what else it may say."""

    media_type: str
    digest: str
    size: Annotated[int, msgspec.Meta(ge=0)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptor:
    """A piece of content: what kind it is, its digest (``sha256:…``), its size in bytes."""

    media_type: str
    digest: str
    size: int

    def plain(self, **more: object) -> dict[str, object]:
        """Return it as it stands in a manifest."""
        return {"mediaType": self.media_type, "digest": self.digest, "size": self.size, **more}


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """A manifest or an index as it was written; ``children`` are manifests, ``blobs`` everything else."""

    descriptor: Descriptor
    data: bytes
    children: tuple[Descriptor, ...]
    blobs: tuple[Descriptor, ...]


def digest_of(data: bytes) -> str:
    """Return the digest of content as OCI writes it."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def read_manifest(data: bytes, digest: str, place: str, *, told: str = "") -> Manifest:
    """Return a manifest that was asked for by digest; ``told`` is the kind that somebody else said it is.

    ``DeployError`` for bytes with another digest, and for what two programs could read as two things
    (an index and a manifest at once, or another kind than was told).
    """
    if (found := digest_of(data)) != digest:
        raise _wrong(place, f"{digest} was asked for, and what came has {found}")
    document = _document(data, place)
    kind = document.get("mediaType", told)
    if told and kind != told:
        raise _wrong(place, f"{digest} says that it is {kind!a:.80}, and it was served as {told!a:.80}")
    has_children, has_layers = "manifests" in document, "layers" in document or "config" in document
    children: tuple[Descriptor, ...] = ()
    blobs: tuple[Descriptor, ...] = ()
    if kind == "" and has_children != has_layers:
        kind = INDEX if has_children else MANIFEST
    if kind in INDEXES and has_children and not has_layers:
        children = _descriptors(document["manifests"], place)
    elif kind in MANIFESTS and has_layers and not has_children:
        blobs = _descriptors([document.get("config"), *_listed(document.get("layers"), place)], place)
    else:
        raise _wrong(place, f"{digest} is neither one manifest nor one index, but {kind!a:.80}")
    descriptor = Descriptor(media_type=kind, digest=digest, size=len(data))
    return Manifest(descriptor=descriptor, data=data, children=children, blobs=blobs)


def read_index(data: bytes, place: str) -> list[dict[str, Any]]:
    """Return the entries of an index as they stand there; ``DeployError`` for anything else."""
    document = _document(data, place)
    _descriptors(document.get("manifests"), place)
    return list(document["manifests"])


def _document(data: bytes, place: str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(data, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _wrong(place, f"a manifest cannot be read ({error})") from None


def _listed(value: object, place: str) -> list[object]:
    if not isinstance(value, list) or len(value) > MOST_CHILDREN:
        raise _wrong(place, f"a manifest has no list of at most {MOST_CHILDREN} parts")
    return value


def _descriptors(value: object, place: str) -> tuple[Descriptor, ...]:
    return tuple(_descriptor(each, place) for each in _listed(value, place))


def _descriptor(value: object, place: str) -> Descriptor:
    try:
        found = msgspec.convert(value, _Descriptor, strict=True)
    except msgspec.ValidationError:
        found = None
    if found is None or not _DIGEST.fullmatch(found.digest):
        raise _wrong(place, "a manifest names a part without kind, size and digest (sha256:…)")
    return Descriptor(media_type=found.media_type, digest=found.digest, size=found.size)


def _wrong(place: str, because: str) -> DeployError:
    return DeployError(
        f"{place}: {because}.",
        slug="deploy-manifest",
        hint="Build and push the image again, or look who serves something else in its place.",
    )
