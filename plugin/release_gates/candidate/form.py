"""The form of ``candidate.toml``: which keys there are, and everything that is wrong with one."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import get_args

import msgspec

from release_gates.candidate.content import is_sha256
from release_gates.model.candidate import Artifact, ArtifactKind, ReleaseCandidate
from release_gates.model.record import SCHEMA

KINDS: tuple[str, ...] = get_args(ArtifactKind)
_REQUIRED: dict[str, type] = {
    "schema": int,
    "name": str,
    "version": str,
    "commit": str,
    "dirty": bool,
    "authors": list,
    "artifact": list,
}
_OPTIONAL: dict[str, type] = {"ref": str, "built_by": str}
_ARTIFACT_REQUIRED: dict[str, type] = {"name": str, "kind": str, "sha256": str}
_ARTIFACT_OPTIONAL: dict[str, type] = {"path": str, "ref": str}
_TYPE_NAMES = {int: "an integer", str: "a string", bool: "true or false", list: "an array", dict: "a table"}
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def mistakes(document: Mapping[str, object]) -> tuple[str, ...]:
    """Return a sentence for each mistake in a parsed ``candidate.toml``; none means that it is valid."""
    return tuple(_mistakes(document))


def candidate_from(document: Mapping[str, object]) -> ReleaseCandidate:
    """Return the candidate that a document without mistakes describes."""
    fields = {key: value for key, value in document.items() if key != "artifact"}
    return msgspec.convert({**fields, "artifacts": document["artifact"]}, ReleaseCandidate)


def artifact_mistakes(artifact: Artifact) -> tuple[str, ...]:
    """Return what is wrong with one artifact, as ``mistakes`` would say it."""
    fields = {"kind": artifact.kind, "sha256": artifact.sha256, "path": artifact.path, "ref": artifact.ref}
    return tuple(_content_mistakes(f'artifact "{artifact.name}"', fields))


def _mistakes(document: Mapping[str, object]) -> Iterator[str]:
    yield from _key_mistakes("", document, _REQUIRED, _OPTIONAL)
    if type(document.get("schema")) is int and document["schema"] != SCHEMA:
        yield f"schema = {document['schema']}: this version reads schema {SCHEMA} only"
    for key in ("name", "version"):
        if document.get(key) == "":
            yield f'{key} = "": must not be empty'
    for number, author in enumerate(_items(document.get("authors")), start=1):
        yield from _text_mistakes(f"authors, entry {number}", author, needed=True)
    yield from _artifact_list_mistakes(document.get("artifact"))


def _artifact_list_mistakes(entries: object) -> Iterator[str]:
    if entries == []:
        yield "artifact: there is none. A candidate is a set of artifacts: add an [[artifact]] table"
    seen: set[str] = set()
    for number, entry in enumerate(_items(entries), start=1):
        if not isinstance(entry, dict):
            yield f"artifact {number} = {entry!r}: must be a table. Write [[artifact]]"
            continue
        texts = {key: value for key, value in entry.items() if isinstance(value, str)}
        place = f'artifact "{texts["name"]}"' if texts.get("name") else f"artifact {number}"
        yield from _key_mistakes(f"{place}: ", entry, _ARTIFACT_REQUIRED, _ARTIFACT_OPTIONAL)
        yield from _name_mistakes(place, texts.get("name"), seen)
        yield from _content_mistakes(place, texts)


def _name_mistakes(place: str, name: str | None, seen: set[str]) -> Iterator[str]:
    if name == "":
        yield f'{place}: name = "": must not be empty'
    elif name is not None and name in seen:
        yield f"{place}: there are two of that name. Give each artifact its own"
    if name is not None:
        seen.add(name)


def _content_mistakes(place: str, texts: Mapping[str, str]) -> Iterator[str]:
    kind, sha256 = texts.get("kind", ""), texts.get("sha256", "")
    if "kind" in texts and kind not in KINDS:
        yield f'{place}: kind = "{kind}": unknown kind.{_suggestion(kind, KINDS)}'
    if "sha256" in texts and not is_sha256(sha256):
        yield f'{place}: sha256 = "{sha256}": must be 64 lower-case hex digits, as sha256sum prints them'
    if kind == "oci":
        yield from _image_mistakes(place, texts.get("path", ""), texts.get("ref", ""), sha256)
    else:
        yield from _path_mistakes(place, texts.get("path", ""))


def _image_mistakes(place: str, path: str, ref: str, sha256: str) -> Iterator[str]:
    if path:
        yield f'{place}: path = "{path}": an image has a ref and no path. For an archive write kind = "file"'
    if not ref.endswith(f"@sha256:{sha256}"):
        yield (
            f'{place}: ref = "{ref}": must end in "@sha256:{sha256 or "..."}", the digest that sha256 says. '
            "A tag can be moved to another image"
        )


def _path_mistakes(place: str, path: str) -> Iterator[str]:
    parts = PurePosixPath(path).parts
    if not parts:
        yield f'{place}: path = "{path}": must name the file, relative to the folder of candidate.toml'
    elif path.startswith("/"):
        yield f'{place}: path = "{path}": must be relative to the folder of candidate.toml'
    elif ".." in parts:
        yield f'{place}: path = "{path}": ".." may lead out of the folder. Name the file without it'


def _key_mistakes(
    place: str, table: Mapping[str, object], required: Mapping[str, type], optional: Mapping[str, type]
) -> Iterator[str]:
    known = {**required, **optional}
    for key, value in table.items():
        if key not in known:
            yield f"{place}{key} = {value!r}: unknown key.{_suggestion(key, known)}"
        elif type(value) is not known[key]:
            yield f"{place}{key} = {value!r}: must be {_TYPE_NAMES[known[key]]}"
        elif isinstance(value, str):
            yield from _text_mistakes(f"{place}{key}", value, needed=False)
    for key in required:
        if key not in table:
            yield f"{place}{key}: is absent. Add {key} = ..., {_TYPE_NAMES[required[key]]}"


def _text_mistakes(place: str, value: object, *, needed: bool) -> Iterator[str]:
    if not isinstance(value, str) or (needed and not value):
        yield f"{place} = {value!r}: must be a string that is not empty"
    elif _UNPRINTABLE.search(value):
        yield f"{place} = {value!r}: has a character that cannot be shown on one line. Remove it"


def _suggestion(word: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f" Did you mean '{near[0]}'?" if near else f" Known: {', '.join(known)}"


def _items(value: object) -> list[object]:
    return value if isinstance(value, list) else []
