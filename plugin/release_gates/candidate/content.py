"""Content of files by SHA-256, read so that neither a symbolic link nor a FIFO can play a trick."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path

_SHA256 = re.compile(r"[0-9a-f]{64}")


def is_sha256(text: str) -> bool:
    """Say whether a text is a SHA-256 as this project writes it: 64 lower-case hex digits."""
    return _SHA256.fullmatch(text) is not None


@contextmanager
def open_regular(path: Path, *, follow: bool = True) -> Iterator[BufferedReader]:
    """Open a regular file for reading; ``OSError`` for anything else, without ever waiting for it.

    ``follow=False`` refuses a symbolic link in the last component.
    """
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | (0 if follow else os.O_NOFOLLOW)
    with os.fdopen(os.open(path, flags), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError("not a regular file")
        yield file


def file_sha256(path: Path, *, follow: bool = True) -> str:
    """Return the SHA-256 of a file's content, read in chunks; ``OSError`` if it is no readable file."""
    with open_regular(path, follow=follow) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def resolve_inside(root: Path, path: str | Path) -> Path:
    """Return where ``path`` really lies; ``OSError`` if it is absent or leads out of ``root``."""
    real = (root / path).resolve(strict=True)
    if not real.is_relative_to(root.resolve(strict=True)):
        raise OSError(f"leads out of the folder, to {real}")
    return real
