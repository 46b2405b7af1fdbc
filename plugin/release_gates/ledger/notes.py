"""Where checkpoints are kept, outside of the ledger: in a file, or in annotated tags of a git repository."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from release_gates.errors import LedgerError

MOST_BYTES = 10_000
GIT = "git:"
_TIMEOUT_S = 60
_TAGGER = ("-c", "user.name=release-gates", "-c", "user.email=release-gates@localhost")


@dataclass(frozen=True, slots=True)
class Kept:
    """What was read: the bytes, where they stand, and the event that the place's own name promises."""

    data: bytes
    name: str
    seq: int | None = None


class Note(Protocol):
    """A place where a checkpoint can be kept."""

    @property
    def name(self) -> str:
        """What people call it."""
        ...

    def newest(self) -> Kept | None:
        """Return the newest that is kept, None for nothing; ``LedgerError`` where nobody can tell."""
        ...

    def write(self, data: bytes, seq: int) -> str:
        """Keep a checkpoint of the event ``seq`` and return where, or ``LedgerError``."""
        ...


@dataclass(frozen=True, slots=True)
class FileNote:
    """One file, replaced as a whole by each newer checkpoint."""

    path: Path

    @property
    def name(self) -> str:
        """The file's path."""
        return str(self.path)

    def newest(self) -> Kept | None:
        """Return what is in the file, None where there is none."""
        try:
            with self.path.open("rb") as file:
                return Kept(file.read(MOST_BYTES + 1), self.name)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise unreadable(self.name, error.strerror or str(error)) from error

    def write(self, data: bytes, seq: int) -> str:
        """Replace the file."""
        new = self.path.with_name(f".{self.path.name}.{seq}.{os.getpid()}")
        try:
            with new.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            new.replace(self.path)
        except OSError as error:
            new.unlink(missing_ok=True)
            raise _unwritable(self.name, error.strerror or str(error)) from error
        return self.path.name


@dataclass(frozen=True, slots=True)
class TagNote:
    """Annotated tags ``PREFIX-412`` of the repository in a folder: one for each checkpoint, none replaced."""

    folder: Path
    prefix: str

    @property
    def name(self) -> str:
        """The prefix, as it is named by an option."""
        return f"{GIT}{self.prefix}"

    def newest(self) -> Kept | None:
        """Return the message of the tag with the highest number, None where there is no such tag."""
        done = _git(self.folder, "for-each-ref", "--format=%(refname)", f"refs/tags/{self.prefix}-*")
        if done.returncode:
            raise unreadable(self.name, _said(done))
        shape = re.compile(rf"refs/tags/{re.escape(self.prefix)}-([1-9][0-9]{{0,17}})")
        found = [shape.fullmatch(line) for line in done.stdout.decode("utf-8", "replace").splitlines()]
        numbers = [int(each[1]) for each in found if each]
        if not numbers:
            return None
        name = self._tag(max(numbers))
        return Kept(self._message(name), f"tag {name}", max(numbers))

    def write(self, data: bytes, seq: int) -> str:
        """Make the tag of an event, on the commit that is checked out; one that exists is never moved."""
        name = self._tag(seq)
        options = ("--annotate", "--no-sign", "--cleanup=verbatim", "--file=-")
        done = _git(self.folder, *_TAGGER, "tag", *options, name, given=data)
        if done.returncode:
            raise _unwritable(f"tag {name}", _said(done))
        return f"tag {name}"

    def _tag(self, seq: int) -> str:
        return f"{self.prefix}-{seq}"

    def _message(self, name: str) -> bytes:
        size = _git(self.folder, "cat-file", "-s", f"refs/tags/{name}")
        if size.returncode or not size.stdout.strip().isdigit() or int(size.stdout) > 2 * MOST_BYTES:
            raise unreadable(f"tag {name}", _said(size) or "it is too large")
        done = _git(self.folder, "cat-file", "tag", f"refs/tags/{name}")
        if done.returncode:
            raise unreadable(f"tag {name}", _said(done))
        return done.stdout.partition(b"\n\n")[2]


def note_of(text: str, *, base: Path, root: Path) -> Note:
    """Return the place that a text names: a file below ``base``, or ``git:PREFIX`` in the project."""
    if not text.startswith(GIT):
        return FileNote(base / text)
    prefix = text.removeprefix(GIT)
    if re.fullmatch(r"[A-Za-z0-9_]([A-Za-z0-9_/-]{0,98}[A-Za-z0-9_])?", prefix) is None:
        raise LedgerError(
            f"{text[:120]!a} names no tags: letters, digits, '_', '-' and '/' are what a prefix has.",
            slug="checkpoint-unreadable",
            hint="Such as git:ledger, whose tags are ledger-412 and so on.",
        )
    return TagNote(root, prefix)


def unreadable(name: str, why: str) -> LedgerError:
    """Return the error for a checkpoint that is absent or none."""
    return LedgerError(
        f"{name}: cannot be read as a checkpoint ({why}).",
        slug="checkpoint-unreadable",
        hint="Bring it back from where it is kept (tags: git fetch --tags); without it nobody knows if the "
        "ledger was rewound.",
    )


def _unwritable(name: str, why: str) -> LedgerError:
    return LedgerError(
        f"{name}: the checkpoint cannot be written ({why}).",
        slug="checkpoint-unwritable",
        hint="Name a file in a folder where this user may write, or tags of a repository with a commit.",
    )


def _said(done: subprocess.CompletedProcess[bytes]) -> str:
    return done.stderr.decode("utf-8", "replace").strip()[:200]


def _git(folder: Path, *arguments: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    own = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    command = ["git", "-c", "core.hooksPath=/dev/null", *arguments]
    try:
        return subprocess.run(
            command,
            cwd=folder,
            env={**own, "LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0"},
            input=given,
            capture_output=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return subprocess.CompletedProcess(command, 127, b"", str(error).encode())
