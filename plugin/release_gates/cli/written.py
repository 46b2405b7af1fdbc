"""What ``init --into`` wrote: recorded before it is written, so that exactly that can be taken back."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

import msgspec

from release_gates.cli.joining import Change
from release_gates.errors import PolicyError
from release_gates.model.record import SCHEMA, Record

RECORD = Path(".gates/init.json")


class WrittenFile(Record, frozen=True, kw_only=True, omit_defaults=True):
    """One file: the SHA-256 of what was written, and, where text was added at its end, of what was there.

    ``size`` is how many bytes were there before, None for a file that was made.
    """

    path: str
    sha256: str
    size: int | None = None
    sha256_before: str = ""


class Written(Record, frozen=True, kw_only=True):
    """The record in ``.gates/init.json``."""

    schema: int = SCHEMA
    files: tuple[WrittenFile, ...]


def write(folder: Path, changes: Iterable[Change]) -> None:
    """Record the changes, then make them; ``PolicyError`` if a file came or changed in the meantime."""
    changes = tuple(changes)
    earlier = {entry.path: entry for entry in _read(folder).files} if (folder / RECORD).exists() else {}
    new = {change.path: _joined(earlier.get(change.path), _entry(change)) for change in changes}
    _record(folder, tuple((earlier | new).values()))
    for change in changes:
        _write(folder / change.path, change)


def undo(folder: Path) -> Iterator[tuple[str, str]]:
    """Take back file by file; yield each path with what became of it: "removed", "restored" or why not."""
    record = _read(folder)
    refused = []
    for entry in record.files:
        outcome = _undo(folder, entry)
        if outcome not in (REMOVED, RESTORED, GONE):
            refused.append(entry)
        yield entry.path, outcome
    if refused:
        _record(folder, tuple(refused))
    else:
        (folder / RECORD).unlink()
    parents = {parent for entry in record.files for parent in PurePosixPath(entry.path).parents[:-1]}
    for place in (*sorted(parents, key=lambda parent: -len(parent.parts)), RECORD.parent):
        _remove_if_empty(folder / place)


REMOVED, RESTORED, GONE = "removed", "restored", "is gone already"


def _undo(folder: Path, entry: WrittenFile) -> str:
    path = folder / entry.path
    try:
        data = path.read_bytes()
        if path.is_symlink() or _digest(data) != entry.sha256:
            return "stays: somebody changed it since"
        if entry.size is None:
            path.unlink()
            _remove_bytecode(path)
            return REMOVED
        if _digest(data[: entry.size]) != entry.sha256_before:
            return "stays: what was there before is not what the record says"
        path.write_bytes(data[: entry.size])
    except FileNotFoundError:
        return GONE
    except OSError as error:
        return f"stays: {error.strerror}"
    return RESTORED


def _remove_bytecode(path: Path) -> None:
    """Remove what Python made of a test file that is gone, as pytest names it."""
    cache = path.parent / "__pycache__"
    if path.suffix == ".py" and not cache.is_symlink():
        for compiled in cache.glob(f"{path.stem}.*.pyc"):
            compiled.unlink()
        _remove_if_empty(cache)


def _write(path: Path, change: Change) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if change.before is None:
            with path.open("xb") as file:
                file.write(change.after)
        elif path.read_bytes() == change.before:
            with path.open("ab") as file:
                file.write(change.after[len(change.before) :])
        else:
            raise FileExistsError(0, "it changed meanwhile")
    except OSError as error:
        raise PolicyError(
            f"{path} was not written: {error.strerror}.",
            slug="file-exists",
            hint="`release-gates init --undo` takes back what was written until then.",
        ) from None


def _entry(change: Change) -> WrittenFile:
    if change.before is None:
        return WrittenFile(path=change.path, sha256=_digest(change.after))
    return WrittenFile(
        path=change.path,
        sha256=_digest(change.after),
        size=len(change.before),
        sha256_before=_digest(change.before),
    )


def _joined(earlier: WrittenFile | None, new: WrittenFile) -> WrittenFile:
    """Return one entry for both times, if nobody changed the file in between: all of it can be taken back."""
    if earlier is None or new.size is None or new.sha256_before != earlier.sha256:
        return new
    return msgspec.structs.replace(earlier, sha256=new.sha256)


def _read(folder: Path) -> Written:
    try:
        record = msgspec.json.decode((folder / RECORD).read_bytes(), type=Written)
    except FileNotFoundError:
        raise PolicyError(
            f"{folder / RECORD} does not exist, so nothing is known of an `init --into` here.",
            slug="nothing-to-undo",
            hint="Name the folder: release-gates init --undo --into DIR.",
        ) from None
    except (OSError, msgspec.MsgspecError) as error:
        raise _damaged(folder, str(error)) from None
    for entry in record.files:
        path = PurePosixPath(entry.path)
        if path.is_absolute() or ".." in path.parts:
            raise _damaged(folder, f"it names {entry.path}")
    return record


def _damaged(folder: Path, why: str) -> PolicyError:
    hint = "Take out by hand: gates/, what --with added in suites/, the line .gates/ in .gitignore."
    return PolicyError(f"{folder / RECORD} is not as it was written: {why}.", slug="init-record", hint=hint)


def _record(folder: Path, files: tuple[WrittenFile, ...]) -> None:
    path = folder / RECORD
    try:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(msgspec.json.format(msgspec.json.encode(Written(files=files))) + b"\n")
    except OSError as error:
        raise PolicyError(
            f"{path} cannot be written: {error.strerror}.",
            slug="init-record",
            hint="Without it nothing could be taken back, so nothing was written. Check the folder's rights.",
        ) from None


def _remove_if_empty(folder: Path) -> None:
    if folder.is_dir() and not folder.is_symlink() and not any(folder.iterdir()):
        folder.rmdir()


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
