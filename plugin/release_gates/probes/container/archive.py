"""What ``docker save`` writes, read once as it streams: the image's configuration and its file system.

Every byte is accounted for: the configuration has the digest that was asked for, each layer the digest that
the configuration says. Memory is bounded by the number of files, never by their size.
"""

from __future__ import annotations

import hashlib
import json
import posixpath
import tarfile
import zlib
from collections.abc import Iterator
from typing import IO, Any

from release_gates.errors import MeasurementError
from release_gates.probes.container.layer import Layer, read_layer
from release_gates.probes.container.stream import ChunkReader, HashingReader, MemberReader

_LARGEST_JSON = 8 << 20
_BLOCK = 1 << 16
_TORN = (
    tarfile.TarError,
    EOFError,
    zlib.error,
    ValueError,
    KeyError,
    TypeError,
    OverflowError,
    RecursionError,
)


class Saved:
    """One image out of an archive: ``config`` as it was written, and its layers from the lowest on."""

    def __init__(self, *, identity: str, config: dict[str, Any], layers: tuple[Layer, ...]) -> None:
        self.identity = identity
        self.config = config
        self.layers = layers


def read_archive(chunks: Iterator[bytes], *, place: str, identity: str = "") -> Saved:
    """Return the image of an archive with exactly one.

    ``identity`` is the image's id (``sha256:…`` of its configuration, or of a manifest or an index that lead
    to it) where the caller knows it. Raises
    ``MeasurementError`` (``container-archive``) for an archive that is torn, has several images, lacks a
    part, or whose parts do not have the digests that it says.
    """
    blobs: dict[str, bytes] = {}
    layers: dict[str, Layer] = {}
    links: dict[str, str] = {}
    try:
        with tarfile.open(fileobj=_as_file(ChunkReader(chunks)), mode="r|", bufsize=_BLOCK) as outer:
            for member in outer:
                if member.issym() or member.islnk():
                    links[member.name] = member.linkname
                elif member.isfile():
                    _read_member(outer, member, blobs, layers)
        return _assembled(blobs, layers, links, identity)
    except _TORN as error:
        raise _torn(place, f"{type(error).__name__}: {error}") from None


def _read_member(
    outer: tarfile.TarFile, member: tarfile.TarInfo, blobs: dict[str, bytes], layers: dict[str, Layer]
) -> None:
    file = MemberReader(outer, member)
    head = file.read(512)
    if _is_layer(head):
        layers[member.name] = read_layer(HashingReader(head, file), member.name)
    elif member.size <= _LARGEST_JSON:
        blobs[member.name] = head + file.read(_LARGEST_JSON)
    else:
        raise ValueError(f"{member.name} ({member.size} bytes) is neither a layer nor a description")


def _is_layer(head: bytes) -> bool:
    empty = len(head) == 512 and not any(head)
    return empty or head[257:262] == b"ustar" or head.startswith((b"\x1f\x8b", b"\x28\xb5\x2f\xfd"))


def _assembled(
    blobs: dict[str, bytes], layers: dict[str, Layer], links: dict[str, str], identity: str
) -> Saved:
    if "manifest.json" not in blobs:
        raise ValueError("manifest.json is absent: it ends too early, or `docker save` did not write it")
    manifest = json.loads(blobs["manifest.json"])
    if not isinstance(manifest, list) or len(manifest) != 1:
        raise ValueError(f"it holds {len(manifest)} images; save one")
    entry = manifest[0]
    raw = blobs[entry["Config"]]
    found = hashlib.sha256(raw).hexdigest()
    if identity and not _leads(blobs, identity.removeprefix("sha256:"), found):
        raise ValueError(f"its configuration has SHA-256 {found}, and {identity} was asked for")
    config = json.loads(raw)
    wanted = [str(each).removeprefix("sha256:") for each in config["rootfs"]["diff_ids"]]
    names = [_resolved(name, links) for name in entry["Layers"]]
    if len(names) != len(wanted):
        raise ValueError(f"it names {len(names)} layers, its configuration {len(wanted)}")
    chosen = tuple(layers[name] for name in names)
    for layer, digest in zip(chosen, wanted, strict=True):
        if layer.sha256 != digest:
            raise ValueError(
                f"layer {layer.name} has SHA-256 {layer.sha256}, its configuration says {digest}"
            )
    return Saved(identity=f"sha256:{found}", config=config, layers=chosen)


def _leads(blobs: dict[str, bytes], digest: str, config: str) -> bool:
    """Tell whether a digest is the configuration's, or that of a manifest or index in the archive of it."""
    contents = {hashlib.sha256(each).hexdigest(): each for each in blobs.values()} if digest != config else {}
    known, left = {digest}, [digest]
    while left:
        document = json.loads(contents.pop(left.pop(), b"{}"))
        if isinstance(document, dict):
            below = [document.get("config"), *(document.get("manifests") or ())]
            named = {str(each["digest"]).removeprefix("sha256:") for each in below if isinstance(each, dict)}
            left += named - known
            known |= named
    return config in known


def _resolved(name: str, links: dict[str, str]) -> str:
    """Return the member that an old `docker save` refers to by a link from another layer's folder."""
    for _ in range(len(links) + 1):
        if name not in links:
            return name
        name = posixpath.normpath(posixpath.join(posixpath.dirname(name), links[name]))
    raise ValueError(f"{name} is a link to itself")


def _as_file(reader: ChunkReader) -> IO[bytes]:
    return reader  # type: ignore[return-value]  # tarfile reads a stream by read() alone


def _torn(place: str, because: str) -> MeasurementError:
    return MeasurementError(
        f"{place}: the image's archive cannot be read: {because}.",
        slug="container-archive",
        hint="Save it again (docker save), and look whether the disk is full.",
    )
