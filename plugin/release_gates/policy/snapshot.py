"""The rules as text: the policy folder, and by digest the files that measure.

A snapshot maps each path below the policy folder (``staging.toml``, ``expected/load.txt``) to the text of
that file, and ``TOOL_KEY`` to the version of the tool that reads it. Where the project's folder is known, it
has the entries of ``policy.measuring`` too. Its digest names the rules of a verdict, and a stored snapshot
gives the same policy again after the files have changed. Nothing else of this package reads files.
"""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Iterator
from pathlib import Path

from release_gates.model.record import canonical
from release_gates.policy.measuring import measuring
from release_gates.policy.mistake import At, Mistakes

Snapshot = dict[str, str]

TOOL_KEY = "/tool"
"""Where a snapshot keeps the tool's version; no path below a folder begins with a slash."""

ENVIRONMENTS = "environments.toml"
LARGEST_BYTES = 64_000_000
"""Room for a list of half a million expected tests."""


def read_snapshot(folder: Path, *, tool: str, root: Path | None = None) -> Snapshot:
    """Return every file below the policy folder as text, with the tool's version.

    With the project's folder ``root``: the rules in full, with the digests of the files that measure.

    Names that begin with a dot are left out: editors and file managers put them there, and nothing reads
    them. Links to files are followed, links to folders are mistakes. Raises PolicyMistakes for all files
    that cannot be read as text.
    """
    mistakes = Mistakes(folder_name(folder))
    snapshot = gather(folder, tool=tool, mistakes=mistakes)
    if root is not None:
        snapshot |= measuring(root, snapshot, mistakes)
    mistakes.raise_any()
    return snapshot


def snapshot_digest(snapshot: Snapshot) -> str:
    """Return the SHA-256 (hex) over the canonical JSON (RFC 8785) of a snapshot.

    Raises ValueError if a text holds half a surrogate pair, which no file in UTF-8 can.
    """
    return hashlib.sha256(canonical(snapshot)).hexdigest()


def in_full(snapshot: Snapshot, folder: Path, root: Path) -> Snapshot:
    """Return the snapshot of a policy folder with the digests of the files that measure.

    Raises PolicyMistakes for what cannot be read.
    """
    mistakes = Mistakes(folder_name(folder))
    full = snapshot | measuring(root, snapshot, mistakes)
    mistakes.raise_any()
    return full


def folder_name(folder: Path) -> str:
    """Return how messages name the policy folder."""
    return folder.name or str(folder)


def gather(folder: Path, *, tool: str, mistakes: Mistakes) -> Snapshot:
    """Return what can be read below the folder, and note what cannot."""
    snapshot = {TOOL_KEY: tool}
    if _is_policy(folder, mistakes):
        for path in _files(folder, folder, mistakes):
            name = path.relative_to(folder).as_posix()
            text = _text(path, At(name), mistakes)
            if text is not None:
                snapshot[name] = text
    return snapshot


def _is_policy(folder: Path, mistakes: Mistakes) -> bool:
    remedy = "`release-gates init` writes one; --gate-policy DIR names another folder"
    try:
        if not folder.is_dir():
            mistakes.add(At(""), f"no such folder: {folder}. {remedy}", "no-policy")
            return False
        found = any(path.name == ENVIRONMENTS for path in folder.iterdir())
    except (OSError, ValueError) as error:
        mistakes.add(At(""), f"cannot be read: {error}", "unreadable-file")
        return False
    if not found:
        mistakes.add(At(""), f"{folder} holds no {ENVIRONMENTS}. {remedy}", "no-policy")
    return found


def _files(root: Path, folder: Path, mistakes: Mistakes) -> Iterator[Path]:
    at = At(folder.relative_to(root).as_posix() if folder != root else "")
    try:
        paths = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        mistakes.add(at, f"cannot be read: {error.strerror}", "unreadable-file")
        return
    for path in paths:
        if path.is_dir() and not path.is_symlink() and path.suffix not in {".toml", ".txt"}:
            yield from _files(root, path, mistakes)
        else:
            yield path


def _text(path: Path, at: At, mistakes: Mistakes) -> str | None:
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            mistakes.add(_shown(at), f"is {_what(path, mode)}, not a file", "not-a-file")
            return None
        with path.open("rb") as file:
            data = file.read(LARGEST_BYTES + 1)
    except OSError as error:
        mistakes.add(_shown(at), _unreadable(path, error), "unreadable-file")
        return None
    return _decoded(data, at, mistakes)


def _decoded(data: bytes, at: At, mistakes: Mistakes) -> str | None:
    if len(data) > LARGEST_BYTES:
        limit = f"{LARGEST_BYTES // 1_000_000} MB"
        mistakes.add(_shown(at), f"is larger than {limit}, which no policy file is", "too-large")
        return None
    try:
        at.file.encode()
        return data.decode()
    except UnicodeEncodeError:
        mistakes.add(_shown(at), "the name of this file is not UTF-8. Rename it", "not-utf8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        mistakes.add(_shown(at), "is not UTF-8. Save it as UTF-8", "not-utf8", place=f"line {line}")
    return None


def _shown(at: At) -> At:
    return At(at.file.encode("utf-8", "backslashreplace").decode())


def _what(path: Path, mode: int) -> str:
    if stat.S_ISDIR(mode):
        return "a link to a folder" if path.is_symlink() else "a folder"
    return "a device, pipe or socket"


def _unreadable(path: Path, error: OSError) -> str:
    if path.is_symlink() and isinstance(error, FileNotFoundError):
        return "is a link to a file that does not exist"
    return f"cannot be read: {error.strerror}"
