"""Manifests from bytes: YAML with many documents, or JSON; bounded, without duplicate keys.

YAML is read event by event, never recursively, so that depth, aliases and size have bounds before an object
exists. An alias counts with all that it stands for: a few lines cannot become gigabytes in who walks them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from release_gates.probes.kubernetes.faults import clip, unreadable
from release_gates.probes.kubernetes.scalars import boolean, decimal, integer, plain

MAX_BYTES = 16 << 20
MAX_DEPTH = 64
MAX_NODES = 2_000_000
"""Nodes of one file, aliases expanded."""

STR = "tag:yaml.org,2002:str"
MERGE = object()
TYPES: dict[str, Callable[[str], Any]] = {
    **{"int": integer, "float": decimal, "bool": boolean},
    "null": lambda _: None,
}


@dataclass(frozen=True, slots=True)
class Document:
    """One document: ``place`` is the file and the line where it begins."""

    place: str
    value: dict[str, Any]


def read_documents(data: bytes, source: str) -> tuple[Document, ...]:
    """Return the documents of a file, without empty ones.

    Raises MeasurementError (``kubernetes-manifest-unreadable``) for a file that is too large, too deep, no
    YAML or JSON, has a key twice, a tag, a cycle, or a document that is no mapping.
    """
    if len(data) > MAX_BYTES:
        raise unreadable(source, f"it has more than the {MAX_BYTES >> 20} MiB that are read at most")
    found = _json(data, source) if source.endswith(".json") else _yaml(data, source)
    documents = []
    for line, value in found:
        place = f"{source}:{line}"
        if isinstance(value, dict):
            documents.append(Document(place, value))
        elif value is not None:
            raise unreadable(place, f"a document is a mapping, not {clip(repr(value), 40)}")
    return tuple(documents)


def _json(data: bytes, source: str) -> Iterator[tuple[int, Any]]:
    try:
        value = json.loads(data.decode("utf-8-sig"), object_pairs_hook=_pairs, parse_constant=_refuse)
        _check_size(value)
        json.dumps(value, ensure_ascii=False).encode()  # half a character pair is no text
    except (ValueError, RecursionError) as error:
        raise unreadable(source, f"it is no JSON: {clip(error)}") from None
    yield 1, value


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {clip(repr(key), 60)} is there twice")
        found[key] = value
    return found


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is no number that JSON has")


def _check_size(value: object) -> None:
    """Count nodes and depth of what JSON gave, without recursion."""
    nodes, level = 0, [value]
    for _ in range(MAX_DEPTH):
        nodes += len(level)
        if not level or nodes > MAX_NODES:
            break
        level = [
            child
            for one in level
            if isinstance(one, dict | list)
            for child in (one.values() if isinstance(one, dict) else one)
        ]
    if level:
        raise ValueError(f"it has more than {MAX_NODES} values or {MAX_DEPTH} levels")


def _yaml(data: bytes, source: str) -> Iterator[tuple[int, Any]]:
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    line, builder = 1, _Builder(source)
    try:
        for event in yaml.parse(data, loader):
            builder.line = _line(event)
            match event:
                case yaml.DocumentStartEvent():
                    line, builder = builder.line, _Builder(source, nodes=builder.nodes)
                case yaml.DocumentEndEvent():
                    yield line, builder.root
                case yaml.ScalarEvent():
                    builder.scalar(event.value, event.tag, quoted=not event.implicit[0], anchor=event.anchor)
                case yaml.AliasEvent():
                    builder.alias(event.anchor or "")
                case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                    builder.open(isinstance(event, yaml.MappingStartEvent), event.tag, event.anchor)
                case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                    builder.close()
    except yaml.MarkedYAMLError as error:
        where = source if error.problem_mark is None else f"{source}:{error.problem_mark.line + 1}"
        raise unreadable(where, f"it is no YAML: {clip(error.problem)}") from None
    except yaml.YAMLError as error:
        raise unreadable(source, f"it is no YAML: {clip(error)}") from None
    except ValueError as error:
        raise unreadable(f"{source}:{builder.line}", clip(error)) from None


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1


@dataclass(slots=True)
class _Open:
    """A mapping or list that is not closed yet; ``size`` counts nodes, aliases expanded."""

    value: dict[str, Any] | list[Any]
    anchor: str | None
    key: Any = None
    has_key: bool = False
    size: int = 1
    merged: list[dict[str, Any]] = field(default_factory=list)


class _Builder:
    """Builds one document from events."""

    def __init__(self, source: str, *, nodes: int = 0) -> None:
        self.source = source
        self.nodes = nodes
        self.line = 1
        self.root: Any = None
        self._stack: list[_Open] = []
        self._anchors: dict[str, tuple[Any, int]] = {}

    def open(self, mapping: bool, tag: str | None, anchor: str | None) -> None:
        """Begin a mapping or a list."""
        kind = "map" if mapping else "seq"
        if tag not in {None, "!", f"tag:yaml.org,2002:{kind}"}:
            raise ValueError(f"the tag {clip(tag, 40)} is not known")
        if len(self._stack) >= MAX_DEPTH:
            raise ValueError(f"more than {MAX_DEPTH} levels")
        if anchor is not None:
            self._anchors.pop(anchor, None)
        self._stack.append(_Open({} if mapping else [], anchor))

    def close(self) -> None:
        """End the innermost mapping or list."""
        done = self._stack.pop()
        if isinstance(done.value, dict):
            for mapping in done.merged:
                for key, value in mapping.items():
                    done.value.setdefault(key, value)
        self._add(done.value, done.size, done.anchor)

    def alias(self, anchor: str) -> None:
        """Take what an anchor stands for; one that is not closed would contain itself."""
        if anchor not in self._anchors:
            raise ValueError(f"the alias *{clip(anchor, 40)} is not known or contains itself")
        value, size = self._anchors[anchor]
        self.nodes += size
        self._add(value, size, None)

    def scalar(self, text: str, tag: str | None, *, quoted: bool, anchor: str | None) -> None:
        """Take a scalar by its tag, or by what it looks like."""
        in_key = bool(self._stack) and isinstance(self._stack[-1].value, dict) and not self._stack[-1].has_key
        if in_key and not quoted and tag is None and text == "<<":
            self._add(MERGE, 1, None)
        else:
            self._add(_scalar(text, tag, quoted), 1, anchor)

    def _add(self, value: Any, size: int, anchor: str | None) -> None:
        if anchor is not None:
            self._anchors[anchor] = (value, size)
        self.nodes += 1
        top = self._stack[-1] if self._stack else _Open([], None)
        top.size += size
        if top.size > MAX_NODES or self.nodes > MAX_NODES:
            raise ValueError(f"more than {MAX_NODES} values, aliases expanded")
        if not self._stack:
            self.root = value
            return
        if isinstance(top.value, list):
            top.value.append(value)
        elif not top.has_key:
            top.key, top.has_key = (value if value is MERGE else _key(value)), True
        else:
            self._pair(top, value)

    def _pair(self, top: _Open, value: Any) -> None:
        assert isinstance(top.value, dict)
        top.has_key = False
        if top.key is MERGE:
            mappings = value if isinstance(value, list) else [value]
            if not all(isinstance(one, dict) for one in mappings):
                raise ValueError("<< merges mappings only")
            top.merged.extend(mappings)
        elif top.key in top.value:
            raise ValueError(f"the key {clip(repr(top.key), 60)} is there twice")
        else:
            top.value[top.key] = value


def _key(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    raise ValueError(f"a key is a text, not {clip(repr(value), 40)}")


def _scalar(text: str, tag: str | None, quoted: bool) -> Any:
    if tag is None or tag == "!":
        return text if quoted or tag == "!" else plain(text)
    if tag == STR:
        return text
    make = TYPES.get(tag.removeprefix("tag:yaml.org,2002:"))
    if make is None:
        raise ValueError(f"the tag {clip(tag, 40)} is not known")
    return make(text)
