"""The sources of a plan: what a folder holds, what a saved plan copied, what they say of state and locks."""

from __future__ import annotations

import io
import json
import os
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from release_gates.errors import MeasurementError, ProbeUnavailable
from release_gates.model.foreign import plain
from release_gates.probes.terraform.faults import unreadable_source

MOST_FILES = 2000
MOST_BYTES = 1024 * 1024
MOST_SAVED_BYTES = 64 * 1024 * 1024
LOCK = ".terraform.lock.hcl"
VALUES = (".tfvars", ".tfvars.json")
CODE = (".tf", ".tf.json", ".tofu", ".tofu.json")
STATE = (".tfstate", ".tfstate.backup")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """What of the sources rules ask: paths below the folder, and what the root module says.

    ``blocks`` are the root's ``terraform`` blocks; ``locked`` maps a provider to the version and the number
    of hashes in the lock file; ``changed`` maps each file to when it was changed, in s since the epoch.
    """

    files: Mapping[str, bytes]
    changed: Mapping[str, float]
    blocks: tuple[Mapping[str, Any], ...] = ()
    locked: Mapping[str, tuple[str, int]]
    states: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """What ``terraform plan -out`` wrote: the plan's own form as bytes, and its copy of the sources."""

    plan: bytes
    files: Mapping[str, bytes]
    folders: frozenset[str]


def read_folder(folder: Path) -> Sources:
    """Return the sources in a folder; links are not followed, nor is ``.terraform`` looked into.

    Raises MeasurementError (``terraform-source-unreadable``) for a folder without a source, for one that is
    too large, and for a file that is no HCL.
    """
    files, changed, states = {}, {}, []
    for path in _walk(folder):
        name = path.relative_to(folder).as_posix()
        if name.endswith(STATE):
            states.append(name)
        elif name.endswith((*CODE, *VALUES)) or path.name == LOCK:
            files[name] = _content(path, name)
            changed[name] = path.stat().st_mtime
    if not any(name.endswith(CODE) for name in files):
        raise unreadable_source(folder.name, "the folder has no Terraform source")
    return Sources(
        files=files,
        changed=changed,
        blocks=tuple(_blocks(files)),
        locked=_locked(files.get(LOCK)),
        states=tuple(sorted(states)),
    )


def read_saved(file: str, data: bytes) -> Saved:
    """Return what a saved plan holds; raises MeasurementError (``terraform-source-unreadable``)."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
            if len(members) > MOST_FILES or sum(one.file_size for one in members) > MOST_SAVED_BYTES:
                raise unreadable_source(file, "it holds more than a plan can")
            content = {one.filename: archive.read(one) for one in members}
        places = json.loads(content["tfconfig/modules.json"])
        folders = {str(one["Key"]): str(PurePosixPath(one["Dir"])) for one in places}
        return Saved(
            plan=content["tfplan"],
            files=dict(_copied(content, folders)),
            folders=frozenset(folders.values()),
        )
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError):
        raise unreadable_source(file, "it is no whole saved plan") from None
    except (KeyError, TypeError, ValueError, RecursionError):
        raise unreadable_source(
            file, "it has no plan, or no copy of the sources, in a form known here"
        ) from None


def differing(saved: Saved, sources: Sources) -> tuple[str, ...]:
    """Return the files of which folder and saved plan have different content, or one of them has none.

    Lock files are compared by what they say: a plan has one where nothing is locked, too.
    """
    here = {
        name: data
        for name, data in sources.files.items()
        if name.endswith(CODE) and str(PurePosixPath(name).parent) in saved.folders
    }
    there = {
        name: data
        for name, data in saved.files.items()
        if name != LOCK and not name.startswith(".terraform/")
    }
    names = [name for name in here.keys() | there.keys() if here.get(name) != there.get(name)]
    locks = [LOCK] if _locked(saved.files.get(LOCK)) != sources.locked else []
    return tuple(sorted([*names, *locks]))


def _copied(content: Mapping[str, bytes], folders: Mapping[str, str]) -> Iterator[tuple[str, bytes]]:
    for name, data in content.items():
        if name == LOCK:
            yield LOCK, data
        elif name.startswith("tfconfig/m-"):
            key, _, file = name.removeprefix("tfconfig/m-").partition("/")
            yield str(PurePosixPath(folders[key]) / file), data


def _walk(folder: Path) -> Iterator[Path]:
    count = 0
    for top, below, names in os.walk(folder):
        below[:] = sorted(one for one in below if one not in {".terraform", ".git"})
        for name in sorted(names):
            count += 1
            if count > MOST_FILES:
                raise unreadable_source(folder.name, f"it holds more than {MOST_FILES} files")
            path = Path(top, name)
            if path.is_file() and not path.is_symlink():
                yield path
            elif name.endswith(CODE):
                raise unreadable_source(name, "it is a link or no file")


def _content(path: Path, name: str) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as problem:
        raise unreadable_source(name, f"it cannot be read: {problem.strerror}") from None
    if len(data) > MOST_BYTES:
        raise unreadable_source(name, f"it is larger than {MOST_BYTES} bytes")
    return data


def _blocks(files: Mapping[str, bytes]) -> Iterator[Mapping[str, Any]]:
    for name, data in files.items():
        if "/" not in name and name.endswith(CODE) and b"terraform" in data:
            found = _parsed(name, data).get("terraform", ())
            for block in found if isinstance(found, list | tuple) else (found,):
                if not isinstance(block, dict):
                    raise unreadable_source(name, "its terraform block has no content")
                yield block


def _locked(data: bytes | None) -> dict[str, tuple[str, int]]:
    found = {}
    for block in _parsed(LOCK, data).get("provider", ()) if data else ():
        for name, lock in block.items():
            if isinstance(lock, dict):
                found[plain(name, 200)] = (str(lock.get("version", "")), len(lock.get("hashes") or ()))
    return found


def _parsed(name: str, data: bytes) -> dict[str, Any]:
    """Return a file of HCL or JSON as plain values, quotes taken off."""
    try:
        text = data.decode("utf-8")
        found = json.loads(text) if name.endswith(".json") else _hcl(text)
    except (ValueError, RecursionError, MeasurementError) as problem:
        raise unreadable_source(name, f"it is no Terraform source: {plain(problem)}") from None
    if not isinstance(found, dict):
        raise unreadable_source(name, "it is no Terraform source")
    return found


def _hcl(text: str) -> Any:
    try:
        import hcl2
        from lark.exceptions import LarkError
    except ImportError:
        raise ProbeUnavailable(
            "python-hcl2 is not installed, so Terraform's sources cannot be read.",
            slug="terraform-extra",
            hint="pip install 'pytest-release-gates[terraform]'",
        ) from None
    try:
        return _bare(hcl2.loads(text if text.endswith("\n") else f"{text}\n"))
    except LarkError as problem:
        raise ValueError(str(problem)) from None


def _bare(value: Any) -> Any:
    """Return what the parser says without the quotes that it keeps, and without its own marks."""
    if isinstance(value, dict):
        return {
            _bare(name): _bare(one)
            for name, one in value.items()
            if not (name.startswith("__") and name.endswith("__"))
        }
    if isinstance(value, list):
        return [_bare(one) for one in value]
    if isinstance(value, str) and len(value) > 1 and value[0] == value[-1] == '"':
        return value[1:-1]
    return value
