"""Where a finding is: URIs of a run to paths of the checkout."""

from __future__ import annotations

import posixpath
from urllib.parse import SplitResult, unquote, urlsplit

from release_gates.probes.sarif.document import ArtifactLocation, ToolRun

DEEPEST = 8
"""Bases that lie in other bases; more is a circle."""


class Places:
    """The locations of one run, as paths relative to ``root`` where they lie below it."""

    def __init__(self, run: ToolRun, root: str) -> None:
        self._artifacts = run.artifacts
        self._bases = run.original_uri_base_ids
        self._root = root.rstrip("/")

    def path(self, location: ArtifactLocation) -> str:
        """Return the path, normal and with POSIX separators; "" where the file names none."""
        uri = self._uri(location, 0)
        if not uri:
            return ""
        parts = _split(uri)
        if parts is None or parts.scheme not in ("", "file"):
            return uri
        path = posixpath.normpath(unquote(parts.path)) if parts.path else ""
        return path.removeprefix(f"{self._root}/")

    def _uri(self, location: ArtifactLocation, depth: int) -> str:
        if depth > DEEPEST:
            return location.uri
        uri = location.uri
        if not uri and 0 <= location.index < len(self._artifacts):
            inner = self._artifacts[location.index].location
            return self._uri(inner, depth + 1) if inner.uri else ""
        base = self._bases.get(location.uri_base_id) if location.uri_base_id else None
        parts = _split(uri)
        if base is None or parts is None or parts.scheme or uri.startswith("/"):
            return uri
        outer = self._uri(base, depth + 1)
        return f"{outer.rstrip('/')}/{uri}" if outer else uri


def _split(uri: str) -> SplitResult | None:
    """Return the parts of a URI, None for a text that is none."""
    try:
        return urlsplit(uri)
    except ValueError:
        return None
