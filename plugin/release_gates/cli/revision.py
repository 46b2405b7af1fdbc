"""The rules as another git revision has them, read without checking anything out."""

from __future__ import annotations

import os
import posixpath
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from release_gates.errors import PolicyError
from release_gates.policy.configuration import FILES
from release_gates.policy.measuring import MOST_BYTES, MOST_FILES, measuring_patterns
from release_gates.policy.selection import parse_pattern
from release_gates.policy.snapshot import Snapshot, read_snapshot

TIMEOUT_S = 60
_MOST_LISTED = 2_000_000
_LINK = "120000"


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of a commit: its mode, the name of its content, its size in bytes."""

    mode: str
    blob: str
    size: int


@dataclass(frozen=True, slots=True)
class Revision:
    """One commit: ``ref`` as it was asked for, and every file of it below the project's folder."""

    ref: str
    commit: str
    root: Path
    files: dict[str, Entry]


def revision(root: Path, ref: str) -> Revision:
    """Return what a ref names in the project's repository; ``PolicyError`` where git cannot tell."""
    commit = _resolved(root, ref)
    prefix = os.fsdecode(_git(root, "rev-parse", "--show-prefix")).rstrip("\n")
    below = ["--", prefix] if prefix else []
    listed = _git(root, "ls-tree", "-r", "-z", "-l", "--full-tree", commit, *below)
    return Revision(ref, commit, root, dict(_entries(listed, prefix)))


def lay_out(found: Revision, folder: Path, policy_dir: str, *, tool: str) -> Snapshot:
    """Write the rules of a revision into an empty folder and return their snapshot.

    ``policy_dir`` is the policy's folder from the project's. Raises ``PolicyMistakes`` for what cannot be
    read, and ``PolicyError`` for a policy that is absent.
    """
    below = f"{policy_dir}/"
    first = [name for name in found.files if name.startswith(below) or name in FILES]
    if not any(name.startswith(below) for name in first):
        raise _cannot(found.ref, f"has no {policy_dir}/ yet, so there is nothing to compare with")
    _write(found, first, folder)
    policy = read_snapshot(folder / policy_dir, tool=tool)
    texts, tests = measuring_patterns(folder, policy)
    patterns, known = [parse_pattern(text) for text in texts], set(tests)
    more = [
        name
        for name in found.files
        if name not in first
        and (
            name in known
            or PurePosixPath(name).name == "conftest.py"
            or any(each.takes_file(name) for each in patterns)
        )
    ]
    _write(found, more, folder)
    return read_snapshot(folder / policy_dir, tool=tool, root=folder)


def _resolved(root: Path, ref: str) -> str:
    if not ref.strip() or ref.startswith("-") or "\0" in ref:
        raise _cannot(ref, "is no name of a commit")
    try:
        found = _git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
    except PolicyError:
        shallow = _git(root, "rev-parse", "--is-shallow-repository").strip() == b"true"
        why = "; this clone is shallow and may lack it" if shallow else ""
        raise _cannot(ref, f"names no commit here{why}") from None
    return found.decode("ascii").strip()


def _entries(listed: bytes, prefix: str) -> Iterator[tuple[str, Entry]]:
    for line in listed.split(b"\0")[:_MOST_LISTED]:
        facts, _, raw = line.partition(b"\t")
        words = facts.decode("ascii").split()
        name = os.fsdecode(raw).removeprefix(prefix)
        if len(words) == 4 and words[1] == "blob" and not {"..", ".git", ""} & set(name.split("/")):
            yield name, Entry(words[0], words[2], int(words[3]))


def _write(found: Revision, names: Sequence[str], folder: Path) -> None:
    entries = [found.files[name] for name in names]
    if len(entries) > MOST_FILES or sum(each.size for each in entries) > MOST_BYTES:
        most = f"{MOST_FILES} files or {MOST_BYTES // 1_000_000} MB"
        raise _cannot(found.ref, f"has more than {most} that measure")
    contents = _contents(found, {each.blob for each in entries})
    for name, entry in zip(names, entries, strict=True):
        content = contents[entry.blob]
        if entry.mode == _LINK:
            content = _behind(found, name, os.fsdecode(content))
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _behind(found: Revision, name: str, target: str) -> bytes:
    """Return what a link leads to within the commit; never a file of this machine."""
    path = posixpath.normpath(posixpath.join(posixpath.dirname(name), target))
    entry = found.files.get(path)
    if entry is None or entry.mode == _LINK:
        raise _cannot(found.ref, f"has a link that leads to no file of it: {name!a} to {target!a}")
    return _contents(found, {entry.blob})[entry.blob]


def _contents(found: Revision, blobs: Iterable[str]) -> dict[str, bytes]:
    asked = sorted(blobs)
    answer = _git(found.root, "cat-file", "--batch", said="".join(f"{blob}\n" for blob in asked).encode())
    contents, at = {}, 0
    for blob in asked:
        end = answer.find(b"\n", at)
        words = answer[at:end].split()
        if end < 0 or len(words) != 3 or words[0].decode("ascii", "replace") != blob or words[1] != b"blob":
            raise _cannot(found.ref, f"lacks content that git has not fetched ({blob[:12]})")
        size = int(words[2])
        contents[blob] = answer[end + 1 : end + 1 + size]
        at = end + 2 + size
    return contents


def _git(root: Path, *words: str, said: bytes = b"") -> bytes:
    try:
        done = subprocess.run(
            ["git", "--no-replace-objects", "--literal-pathspecs", *words],
            cwd=root,
            env={**_ambient(), "GIT_OPTIONAL_LOCKS": "0", "GIT_NO_LAZY_FETCH": "1", "LC_ALL": "C"},
            input=said,
            capture_output=True,
            check=False,
            timeout=TIMEOUT_S,
        )
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise _failed(str(error)) from error
    if done.returncode:
        raise _failed(done.stderr.decode("utf-8", "replace").strip() or f"exit status {done.returncode}")
    return done.stdout


def _ambient() -> dict[str, str]:
    """Return our environment without what would lead git to another repository, as hooks have it."""
    return {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}


def _failed(why: str) -> PolicyError:
    return PolicyError(
        f"git cannot tell what the rules were: {why}.",
        slug="against-ref",
        hint="--against is for a project in a git repository.",
    )


def _cannot(ref: str, why: str) -> PolicyError:
    return PolicyError(
        f"--against {ref!a} {why}.",
        slug="against-ref",
        hint="Name a commit, tag or branch that is here; in CI: git fetch --unshallow origin main:main",
    )
