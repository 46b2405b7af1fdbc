"""A Dockerfile as facts: its stages, and every instruction that the released stage consists of."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from release_gates.errors import MeasurementError

LARGEST = 1 << 20
_DIRECTIVE = re.compile(r"#\s*escape\s*=\s*([\\`])\s*$", re.IGNORECASE)
_HEREDOC = re.compile(r"<<-?(['\"]?)([A-Za-z_][A-Za-z0-9_]*)\1")
_VARIABLE = re.compile(r"\$(?:\{([A-Za-z_][A-Za-z0-9_]*)(?::?([-+])([^}]*))?\}|([A-Za-z_][A-Za-z0-9_]*))")
_FLAG = re.compile(r"--[a-z-]+(?:=\S+)?\s+")
KEYWORDS = frozenset(
    {
        *("ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL"),
        *("MAINTAINER", "ONBUILD", "RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR"),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruction:
    """One instruction: ``text`` is what follows flags, with the variables that are known filled in."""

    keyword: str
    flags: tuple[str, ...]
    text: str
    line: int

    @property
    def words(self) -> tuple[str, ...]:
        """The words of the exec form, else those between spaces."""
        return self.exec_form or tuple(self.text.split())

    @property
    def exec_form(self) -> tuple[str, ...]:
        """The words of a JSON array; none if it is in shell form."""
        try:
            words = json.loads(self.text) if self.text.startswith("[") else None
        except (ValueError, RecursionError):
            return ()
        whole = isinstance(words, list) and all(isinstance(word, str) for word in words)
        return tuple(words) if whole and words else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One FROM with its instructions; ``parent`` is the number of the stage that it continues."""

    number: int
    name: str
    base: str
    parent: int | None
    line: int
    instructions: tuple[Instruction, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Dockerfile:
    """All stages; ``released`` is the one that becomes the image, with those that it continues."""

    file: str
    stages: tuple[Stage, ...]
    released: tuple[Stage, ...]

    @property
    def base(self) -> str:
        """The image from elsewhere that the released stage begins with."""
        return self.released[0].base

    @property
    def instructions(self) -> tuple[Instruction, ...]:
        """Everything that the released image is made of, in order."""
        return tuple(each for stage in self.released for each in stage.instructions)

    def last(self, keyword: str) -> Instruction | None:
        """Return the last instruction of that keyword: the one that counts."""
        found = [each for each in self.instructions if each.keyword == keyword]
        return found[-1] if found else None


def parse_dockerfile(
    text: str, file: str, *, target: str = "", arguments: Mapping[str, str] | None = None
) -> Dockerfile:
    """Return the stages of a Dockerfile; ``target`` is what ``docker build --target`` would say.

    ``arguments`` are build arguments. Raises ``MeasurementError`` (``container-dockerfile``) with file and
    line for an instruction that nobody knows, a torn one, no FROM, and a target that is no stage.
    """
    if len(text) > LARGEST:
        raise _wrong(file, 1, f"is larger than {LARGEST} bytes")
    reader = _Reader(file, arguments or {})
    for line, joined in _logical_lines(text, file):
        reader.read(line, joined)
    stages = reader.finished()
    if not stages:
        raise _wrong(file, 1, "has no FROM, so no image comes of it")
    return Dockerfile(file=file, stages=stages, released=_chain(stages, target, file))


def _chain(stages: tuple[Stage, ...], target: str, file: str) -> tuple[Stage, ...]:
    stage: Stage | None = stages[-1]
    if target:
        wanted = [each for each in stages if target.lower() in (each.name, str(each.number))]
        if not wanted:
            names = ", ".join(each.name for each in stages if each.name) or "none has a name"
            raise _wrong(file, 1, f"has no stage '{target}'. Its stages: {names}")
        stage = wanted[-1]
    chain: list[Stage] = []
    while stage is not None:
        chain.insert(0, stage)
        stage = None if stage.parent is None else stages[stage.parent]
    return tuple(chain)


class _Reader:
    """Instructions to stages, with the variables that are known at each place."""

    def __init__(self, file: str, arguments: Mapping[str, str]) -> None:
        self._file = file
        self._arguments = arguments
        self._global: dict[str, str] = {}
        self._known: list[dict[str, str]] = []
        self._stages: list[Stage] = []
        self._instructions: list[list[Instruction]] = []

    def read(self, line: int, text: str) -> None:
        word, _, rest = text.partition(" ")
        keyword = word.upper()
        if keyword not in KEYWORDS:
            raise _wrong(self._file, line, f"'{word[:40]}' is no instruction")
        rest = rest.strip()
        if keyword == "FROM":
            self._open(line, rest)
            return
        if not self._stages:
            if keyword != "ARG":
                raise _wrong(self._file, line, f"{keyword} stands before FROM")
            self._declare(rest, self._global)
            return
        known = self._known[-1]
        flags = tuple(flag.strip() for flag in _leading_flags(rest))
        body = rest[sum(len(flag) for flag in _leading_flags(rest)) :].strip()
        filled = body if keyword in ("RUN", "CMD", "ENTRYPOINT") else expand(body, known)
        self._instructions[-1].append(Instruction(keyword=keyword, flags=flags, text=filled, line=line))
        if keyword == "ARG":
            self._declare(body, known)
        elif keyword == "ENV":
            known.update(assignments(filled))

    def finished(self) -> tuple[Stage, ...]:
        pairs = zip(self._stages, self._instructions, strict=True)
        return tuple(replace(stage, instructions=tuple(listed)) for stage, listed in pairs)

    def _open(self, line: int, rest: str) -> None:
        words = [word for word in expand(rest, self._global).split() if not word.startswith("--")]
        named = len(words) == 3 and words[1].upper() == "AS"
        if not (len(words) == 1 or named):
            raise _wrong(self._file, line, f"FROM {rest[:60]!r} names no image, or too many")
        parent = next(
            (each.number for each in reversed(self._stages) if each.name and each.name == words[0].lower()),
            None,
        )
        name = words[2].lower() if named else ""
        stage = Stage(number=len(self._stages), name=name, base=words[0], parent=parent, line=line)
        self._known.append(dict(self._known[parent]) if parent is not None else {})
        self._stages.append(stage)
        self._instructions.append([])

    def _declare(self, rest: str, known: dict[str, str]) -> None:
        for word in rest.split():
            name, equals, value = word.partition("=")
            default = expand(_unquoted(value), known) if equals else self._global.get(name, "")
            if value_of := self._arguments.get(name, default):
                known[name] = value_of


def expand(text: str, known: Mapping[str, str]) -> str:
    """Return a text with the variables that are known filled in; the others stay as they are."""

    def value(found: re.Match[str]) -> str:
        name, operator, other = found[1] or found[4], found[2], found[3]
        if operator == "+":
            return other if name in known else ""
        return known.get(name, other if operator == "-" else found[0])

    return _VARIABLE.sub(value, text)


def assignments(text: str) -> dict[str, str]:
    """Return the variables that an ENV or LABEL sets, in both of its forms."""
    first = text.split(maxsplit=1)
    if first and "=" not in first[0]:
        return {first[0]: first[1] if len(first) > 1 else ""}
    pairs = re.findall(r"([^\s=]+)=((?:\"(?:[^\"\\]|\\.)*\"|'[^']*'|\\.|[^\s\\])*)", text)
    return {_unquoted(name): _unquoted(value) for name, value in pairs}


def _unquoted(text: str) -> str:
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" else text


def _leading_flags(text: str) -> list[str]:
    flags = []
    while found := _FLAG.match(text):
        flags.append(found[0])
        text = text[found.end() :]
    return flags


def _logical_lines(text: str, file: str) -> Iterator[tuple[int, str]]:
    """Yield each instruction on one line, with the number of its first line; heredocs are joined to it."""
    lines = text.splitlines()
    escape = "\\"
    at = 0
    while at < len(lines) and lines[at].lstrip().startswith("#") and "=" in lines[at]:
        if found := _DIRECTIVE.match(lines[at].strip()):
            escape = found[1]
        at += 1
    while at < len(lines):
        first = at + 1
        parts: list[str] = []
        while at < len(lines):
            line = lines[at].strip()
            at += 1
            if line.startswith("#") or (not line and parts):
                continue
            parts.append(line.removesuffix(escape) if line.endswith(escape) else line)
            if not line.endswith(escape):
                break
        joined = " ".join(part.strip() for part in parts if part.strip())
        if not joined:
            continue
        if joined.split(" ", 1)[0].upper() in ("RUN", "COPY", "ADD"):
            for _, word in _HEREDOC.findall(joined):
                body, at = _heredoc(lines, at, word, file)
                joined = f"{joined} ; {body}"
        yield first, joined


def _heredoc(lines: list[str], at: int, word: str, file: str) -> tuple[str, int]:
    for end in range(at, len(lines)):
        if lines[end].strip() == word:
            return " ; ".join(line.strip() for line in lines[at:end]), end + 1
    raise _wrong(file, at, f"the text up to '{word}' has no end")


def _wrong(file: str, line: int, problem: str) -> MeasurementError:
    return MeasurementError(
        f"{file}:{line}: {problem}.",
        slug="container-dockerfile",
        hint="Build it once (docker build), and name the stage that is released.",
    )
