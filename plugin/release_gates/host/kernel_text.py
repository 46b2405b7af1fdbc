"""Small text files of the kernel, below a root that may be a recorded tree: what they say, or a sentence."""

from __future__ import annotations

from pathlib import Path

from release_gates.errors import MeasurementError
from release_gates.model.cpus import parse_list

LARGEST_BYTES = 1 << 20
"""No file that is read here is nearly as large."""


def kernel_text(root: Path, path: str) -> str:
    """Return a file's text without the space around it.

    ``MeasurementError`` if it cannot be read, is larger than 1 MiB or is no ASCII.
    """
    file = root / path
    try:
        with file.open("rb") as opened:
            content = opened.read(LARGEST_BYTES + 1)
    except OSError as error:
        raise unreadable(file, f"cannot be read: {error.strerror or error}") from None
    if len(content) > LARGEST_BYTES:
        raise unreadable(file, f"is larger than {LARGEST_BYTES >> 20} MiB")
    try:
        return content.decode("ascii").strip()
    except UnicodeDecodeError:
        raise unreadable(file, "has bytes that are no ASCII") from None


def kernel_list(root: Path, path: str) -> frozenset[int]:
    """Return the CPUs or nodes that a file lists (``0-3,8``)."""
    text = kernel_text(root, path)
    try:
        return parse_list(text)
    except ValueError as error:
        raise unreadable(root / path, f"{_shown(text)}: {error}") from None


def kernel_count(root: Path, path: str) -> int:
    """Return the one number in a file."""
    text = kernel_text(root, path)
    if not _is_count(text):
        raise unreadable(root / path, f"{_shown(text)} is no count")
    return int(text)


def kernel_counts(root: Path, path: str) -> tuple[int, ...]:
    """Return the numbers in a file, apart by spaces."""
    text = kernel_text(root, path)
    if not all(map(_is_count, text.split())):
        raise unreadable(root / path, f"{_shown(text)} are no counts")
    return tuple(map(int, text.split()))


def unreadable(file: Path, problem: str) -> MeasurementError:
    """Return the error for a file of the kernel that says nothing that can be believed."""
    return MeasurementError(
        f"{file}: {problem}.",
        slug="topology-unreadable",
        hint="Nothing is guessed: look at the file, and record the tree again if it was copied.",
    )


def _is_count(word: str) -> bool:
    return word.isascii() and word.isdecimal() and len(word) <= 18


def _shown(text: str) -> str:
    return repr(text if len(text) <= 60 else f"{text[:57]}...")
