"""A repository of a registry, over the OCI distribution protocol: every byte is hashed where it arrives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import quote

from release_gates.promotion.executors.oci.address import Address
from release_gates.promotion.executors.oci.descriptor import (
    INDEXES,
    LARGEST_MANIFEST,
    MANIFESTS,
    NO_MANIFEST,
    Descriptor,
    Manifest,
    digest_of,
    read_manifest,
)
from release_gates.promotion.executors.oci.transport import Transport

_ACCEPT = ", ".join((*INDEXES, *MANIFESTS))


class Registry:
    """One repository, its manifests, blobs and tags."""

    def __init__(self, address: Address, transport: Transport) -> None:
        self.address = address
        self._line = transport

    def manifest(self, digest: str) -> Manifest:
        """Return a manifest by digest."""
        answer = self._get_manifest(digest)
        if answer is None:
            raise self._line.failed(f"there is no manifest {digest}", NO_MANIFEST)
        data, kind = answer
        return read_manifest(data, digest, str(self.address), told=kind)

    def tagged(self, tag: str) -> Manifest | None:
        """Return what a tag names now, by its own digest; None if there is no such tag."""
        answer = self._get_manifest(tag)
        if answer is None:
            return None
        data, kind = answer
        return read_manifest(data, digest_of(data), str(self.address), told=kind)

    def put(self, manifest: Manifest, reference: str) -> Mapping[str, str]:
        """Store a manifest under its digest or a tag and return the answer's headers."""
        headers = {"Content-Type": manifest.descriptor.media_type}
        answer = self._line.send("PUT", f"manifests/{reference}", headers=headers, content=manifest.data)
        self._line.check(answer, f"PUT manifest {reference}", 201)
        return answer.headers

    def remove(self, tag: str) -> str:
        """Remove a tag and return how: by its name or, where a registry cannot, by the manifest's digest."""
        there = self.tagged(tag)
        if there is None:
            return "was gone already"
        if self._line.send("DELETE", f"manifests/{tag}").status_code == 202:
            return "is removed"
        answer = self._line.send("DELETE", f"manifests/{there.descriptor.digest}")
        self._line.check(answer, f"DELETE tag {tag}", 202)
        return f"is removed with its manifest {there.descriptor.digest}: this registry removes no tag alone"

    def has(self, blob: Descriptor) -> bool:
        """Tell whether a blob is there, in its size."""
        answer = self._line.send("HEAD", f"blobs/{blob.digest}", redirects=True)
        if answer.status_code == 404:
            return False
        self._line.check(answer, f"HEAD blob {blob.digest}", 200)
        return bool(answer.headers.get("Content-Length", str(blob.size)) == str(blob.size))

    @contextmanager
    def blob(self, blob: Descriptor) -> Iterator[Iterator[bytes]]:
        """Open a blob for reading."""
        answer = self._line.send("GET", f"blobs/{blob.digest}", redirects=True, stream=True)
        try:
            self._line.check(answer, f"GET blob {blob.digest}", 200)
            yield self._line.chunks(answer, f"GET blob {blob.digest}")
        finally:
            answer.close()

    def upload(self, blob: Descriptor, chunks: Iterator[bytes]) -> None:
        """Store a blob from its bytes, which the caller has hashed as they pass."""
        answer = self._line.send("POST", "blobs/uploads/")
        self._line.check(answer, f"POST blob {blob.digest}", 202)
        place = answer.url.join(self._line.absolute(answer.headers.get("Location", "")))
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(blob.size)}
        url = str(place.copy_merge_params({"digest": blob.digest}))
        answer = self._line.request(
            "PUT", url, headers=headers, content=self._line.in_time(chunks, "PUT blob")
        )
        self._line.check(answer, f"PUT blob {blob.digest}", 201)

    def mount(self, blob: Descriptor, name: str) -> bool:
        """Take a blob over from another repository of the same registry; False if it would not."""
        where = f"blobs/uploads/?mount={quote(blob.digest)}&from={quote(name, safe='')}"
        return self._line.send("POST", where).status_code == 201

    def _get_manifest(self, reference: str) -> tuple[bytes, str] | None:
        answer = self._line.send("GET", f"manifests/{reference}", headers={"Accept": _ACCEPT}, stream=True)
        try:
            if answer.status_code == 404:
                return None
            self._line.check(answer, f"GET manifest {reference}", 200)
            data = b""
            for chunk in self._line.chunks(answer, f"GET manifest {reference}"):
                data += chunk
                if len(data) > LARGEST_MANIFEST:
                    raise self._line.failed(f"manifest {reference} is larger than {LARGEST_MANIFEST} bytes")
            return data, answer.headers.get("Content-Type", "").partition(";")[0].strip()
        finally:
            answer.close()
