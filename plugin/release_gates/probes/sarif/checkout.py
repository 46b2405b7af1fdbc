"""The sources that findings are about: read below one folder, and nowhere else."""

from __future__ import annotations

import hashlib
from pathlib import Path


class Checkout:
    """The sources below a folder; nothing outside of it is opened."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()
        self._read: dict[str, bytes | None] = {}

    def digest_of(self, path: str) -> str | None:
        """Return the SHA-256 of a source, None where it is not there."""
        data = self._content(path)
        return None if data is None else hashlib.sha256(data).hexdigest()

    def lines_of(self, path: str) -> list[str] | None:
        """Return the lines of a source, None where it is not there."""
        data = self._content(path)
        return None if data is None else data.decode("utf-8", "replace").split("\n")

    def _content(self, path: str) -> bytes | None:
        if path not in self._read:
            self._read[path] = self._opened(path)
        return self._read[path]

    def _opened(self, path: str) -> bytes | None:
        try:
            real = (self._root / path).resolve()
            inside = real.is_relative_to(self._root) and real.is_file()
            return real.read_bytes() if inside else None
        except (OSError, ValueError):
            return None
