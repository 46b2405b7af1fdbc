"""Look into what a resource would be: a value, nothing, or something that is known only after apply."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any

from release_gates.probes.terraform.plan import Resource


class Not(Enum):
    """Why there is no value."""

    KNOWN = "known after apply"
    THERE = "not there"


@dataclass(frozen=True, slots=True)
class Value:
    """What is at a place; ``value`` is a ``Not`` where the plan has no value there."""

    place: str
    value: Any


def at(resource: Resource, path: str) -> Iterator[Value]:
    """Yield what would be at a path of a resource, such as ``root_block_device.*.encrypted``.

    ``*`` stands for each block or item, and for none where there is none; with ``+`` none is yielded as not
    there. An attribute that is neither among the values nor unknown is not there: the provider's version
    has no such attribute, or somebody took it out.
    """
    unknown = resource.change.after_unknown
    yield from _walk("", resource.change.after, unknown, path.split("."))


def _walk(place: str, value: Any, unknown: Any, path: list[str]) -> Iterator[Value]:
    if unknown is True:
        yield Value(place or ".".join(path), Not.KNOWN)
    elif not path:
        yield Value(place, Not.KNOWN if _any_unknown(unknown) else value)
    elif path[0] in {"*", "+"}:
        yield from _each(place, value, unknown, path)
    elif path[0].isdecimal():
        yield from _walk(*_item(place, value, unknown, int(path[0])), path[1:])
    elif isinstance(value, dict) or isinstance(unknown, dict):
        values = value if isinstance(value, dict) else {}
        marks = unknown if isinstance(unknown, dict) else {}
        where = f"{place}.{path[0]}".lstrip(".")
        if path[0] in values or path[0] in marks:
            yield from _walk(where, values.get(path[0]), marks.get(path[0]), path[1:])
        else:
            yield Value(where, Not.THERE)
    else:
        yield Value(place, Not.THERE)


def _each(place: str, value: Any, unknown: Any, path: list[str]) -> Iterator[Value]:
    if isinstance(value, dict):  # a single nested block
        value, unknown = [value], [unknown]
    items = value if isinstance(value, list) else []
    marks = unknown if isinstance(unknown, list) else []
    count = max(len(items), len(marks))
    if not count and path[0] == "+":
        yield Value(place, Not.THERE)
    for number in range(count):
        yield from _walk(*_item(place, items, marks, number), path[1:])


def _item(place: str, value: Any, unknown: Any, number: int) -> tuple[str, Any, Any]:
    items = value if isinstance(value, list) else []
    marks = unknown if isinstance(unknown, list) else []
    item = items[number] if number < len(items) else None
    return f"{place}.{number}", item, marks[number] if number < len(marks) else None


def _any_unknown(unknown: Any) -> bool:
    if isinstance(unknown, dict):
        return any(map(_any_unknown, unknown.values()))
    if isinstance(unknown, list):
        return any(map(_any_unknown, unknown))
    return unknown is True
