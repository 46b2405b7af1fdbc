"""The attestations of a run beside the image that they are about: a manifest with ``subject`` (OCI 1.1)."""

from __future__ import annotations

from collections.abc import Sequence

from release_gates.model.record import canonical
from release_gates.promotion.executors.oci.descriptor import (
    INDEX,
    MANIFEST,
    Descriptor,
    Manifest,
    digest_of,
    read_index,
    read_manifest,
)
from release_gates.promotion.executors.oci.registry import Registry

ENVELOPE = "application/vnd.dsse.envelope.v1+json"
ARTIFACT = "application/vnd.in-toto+json"
_EMPTY = b"{}"
_EMPTY_TYPE = "application/vnd.oci.empty.v1+json"
_RUN = "org.pytest-release-gates.run"


def attach(target: Registry, subject: Descriptor, envelopes: Sequence[bytes], run: str) -> str:
    """Store the envelopes of a run as a referrer of an image; return by what they are found.

    A registry without the referrers API gets the index under the tag ``sha256-…`` that stands in for it.
    """
    manifest = referrer(subject, envelopes, run)
    for blob, data in zip(manifest.blobs, (_EMPTY, *envelopes), strict=True):
        if not target.has(blob):
            target.upload(blob, iter([data]))
    headers = target.put(manifest, manifest.descriptor.digest)
    if headers.get("OCI-Subject") == subject.digest:
        return "the referrers API"
    tag = subject.digest.replace(":", "-")
    _list(target, tag, manifest, run)
    return f"the tag {tag}"


def referrer(subject: Descriptor, envelopes: Sequence[bytes], run: str) -> Manifest:
    """Return the manifest that carries envelopes; the same for the same, so that twice is once."""
    config = Descriptor(media_type=_EMPTY_TYPE, digest=digest_of(_EMPTY), size=len(_EMPTY))
    layers = [Descriptor(media_type=ENVELOPE, digest=digest_of(each), size=len(each)) for each in envelopes]
    data = canonical(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "artifactType": ARTIFACT,
            "config": config.plain(),
            "layers": [each.plain() for each in layers],
            "subject": subject.plain(),
            "annotations": {_RUN: run},
        }
    )
    return read_manifest(data, digest_of(data), "attestations")


def _list(target: Registry, tag: str, manifest: Manifest, run: str) -> None:
    """Add a referrer to the index under a tag, beside those that are there."""
    there = target.tagged(tag)
    entries = [] if there is None else read_index(there.data, f"{target.address}:{tag}")
    if any(each["digest"] == manifest.descriptor.digest for each in entries):
        return
    entries.append(manifest.descriptor.plain(artifactType=ARTIFACT, annotations={_RUN: run}))
    data = canonical({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries})
    target.put(read_manifest(data, digest_of(data), "referrers"), tag)
