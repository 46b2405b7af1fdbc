"""``candidate.toml``: read strictly with all mistakes at once, written atomically."""

from __future__ import annotations

import os
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path

import msgspec

from release_gates.candidate.form import candidate_from, mistakes
from release_gates.errors import CandidateError
from release_gates.model.candidate import Artifact, ReleaseCandidate

_CREATE_HINT = "Write one with `release-gates candidate create`."
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}


def read_candidate(path: Path) -> ReleaseCandidate:
    """Return the candidate that a file describes; ``CandidateError`` names every mistake in it."""
    return _parsed(_text(path), path)


def write_candidate(candidate: ReleaseCandidate, path: Path) -> None:
    """Write a candidate atomically, in the form that ``read_candidate`` reads.

    What could not be read again is not written: ``CandidateError`` names the mistakes.
    """
    text = candidate_toml(candidate)
    if _parsed(text, path) != candidate:
        raise CandidateError(f"{path}: would not be read as it was written.", slug="invalid-candidate")
    try:
        _replace(path, text.encode())
    except OSError as error:
        raise CandidateError(
            f"{path}: cannot be written ({error}).",
            slug="candidate-not-written",
            hint="Check that its folder exists and that you may write there.",
        ) from error


def candidate_toml(candidate: ReleaseCandidate) -> str:
    """Return the text of a candidate's file."""
    return "\n".join(_lines(candidate)) + "\n"


def toml_string(text: str) -> str:
    """Return a text as a TOML basic string, with everything escaped that has to be."""
    return '"' + "".join(_escaped(character) for character in text) + '"'


def _lines(candidate: ReleaseCandidate) -> Iterator[str]:
    yield f"schema = {candidate.schema}"
    for key in ("name", "version", "commit", "ref"):
        yield f"{key} = {toml_string(getattr(candidate, key))}"
    yield f"dirty = {'true' if candidate.dirty else 'false'}"
    yield f"authors = [{', '.join(map(toml_string, candidate.authors))}]"
    yield f"built_by = {toml_string(candidate.built_by)}"
    if not candidate.artifacts:
        yield "artifact = []"
    for artifact in candidate.artifacts:
        yield from _artifact_lines(artifact)


def _artifact_lines(artifact: Artifact) -> Iterator[str]:
    yield ""
    yield "[[artifact]]"
    for key, value in msgspec.structs.asdict(artifact).items():
        if value or key not in ("path", "ref"):
            yield f"{key} = {toml_string(value)}"


def _escaped(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    code = ord(character)
    return f"\\u{code:04x}" if code < 0x20 or 0x7F <= code < 0xA0 or code in (0x2028, 0x2029) else character


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise CandidateError(
            f"{path}: there is no candidate.", slug="candidate-absent", hint=_CREATE_HINT
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise CandidateError(
            f"{path}: cannot be read ({error}).", slug="candidate-unreadable", hint=_CREATE_HINT
        ) from error


def _parsed(text: str, path: Path) -> ReleaseCandidate:
    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise CandidateError(
            f"{path}: is not TOML: {error}.", slug="candidate-not-toml", hint="Correct that place."
        ) from error
    if found := mistakes(document):
        raise CandidateError("\n".join(f"{path}: {each}." for each in found), slug="invalid-candidate")
    return candidate_from(document)


def _replace(path: Path, content: bytes) -> None:
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
