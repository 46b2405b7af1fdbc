"""Where in the repository a finding is: the file of a test, as its node id names it."""

from __future__ import annotations

from pathlib import PurePosixPath


def place_of(test: str) -> str:
    """Return the file of a test below pytest's root folder, "" for what no file of the repository holds."""
    path = PurePosixPath(test.partition("::")[0])
    inside = bool(path.suffix) and not path.is_absolute() and ".." not in path.parts
    return str(path) if inside and ":" not in str(path) else ""
