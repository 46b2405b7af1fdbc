"""``select``: patterns that put existing tests into a gate, matched against node ids as pytest prints them.

In EBNF::

    pattern = path, [ "::", node ] ;
    path    = segment, { "/", segment } ;   (* of the file, from pytest's root folder *)
    segment = "**" | glob ;                 (* "**": any number of folders; at the end: everything below *)
    node    = glob ;                        (* of what follows the first "::" *)
    glob    = characters, "*", "?" ;

As in fnmatch, ``*`` is any text and ``?`` any character: in a segment without ``/``, in a node with ``::``,
``/`` and line breaks too. ``[`` stands for itself, because ids of parameters are full of it. Upper and lower
case differ, on every system.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable
from typing import NamedTuple

from release_gates.errors import PolicyError
from release_gates.model.gate import EnvironmentPolicy, Policy
from release_gates.policy.expected import ELSEWHERE
from release_gates.policy.table import Table

SEPARATOR = "::"
ANY_FOLDERS = "**"
_EXAMPLES = 'Write "tests/load/**" or "tests/test_x.py::test_b*"'


class Pattern(NamedTuple):
    """One compiled pattern; a segment that is None stands for any number of folders."""

    text: str
    segments: tuple[re.Pattern[str] | None, ...]
    node: re.Pattern[str] | None

    def takes_file(self, path: str) -> bool:
        """Tell whether the path of a file, from the root folder and with ``/``, is one of the pattern's."""
        return _matches(self.segments, path.split("/"))

    def takes(self, nodeid: str) -> bool:
        """Tell whether a test is one of the pattern's."""
        path, _, node = nodeid.partition(SEPARATOR)
        return self.takes_file(path) and (self.node is None or self.node.match(node) is not None)

    @property
    def start(self) -> str:
        """The folders that the pattern names without a wildcard: its tests lie below them."""
        names = self.text.partition(SEPARATOR)[0].split("/")
        wild = (index for index, name in enumerate(names) if "*" in name or "?" in name)
        return "/".join(names[: next(wild, len(names))])


def parse_pattern(text: str) -> Pattern:
    """Return a pattern ready to match; ``PolicyError`` with what is wrong and what to write instead."""
    _refuse_text(text)
    path, separator, node = text.partition(SEPARATOR)
    if separator and not node:
        raise _mistake("names nothing after '::'.", f'Write "{path}" for all tests of the file')
    names = path.split("/")
    _refuse_path(path, names)
    if names[-1] == ANY_FOLDERS:
        names.append("*")
    segments = tuple(None if name == ANY_FOLDERS else _glob(name) for name in names)
    return Pattern(text, segments, _glob(node) if separator else None)


def read_select(table: Table) -> tuple[str, ...] | None:
    """Return the patterns of a gate's ``select``; every mistake is noted, and None if there is no list."""
    return read_patterns(table, "select")


def read_patterns(table: Table, key: str) -> tuple[str, ...] | None:
    """Return a list of patterns; every mistake is noted, and None if there is no list."""
    value = table.values.get(key)
    if value is None:
        return None
    if not isinstance(value, list) or not value:
        table.wrong(key, 'must be a list of patterns: ["tests/load/**"]', "select-pattern")
        return None
    at = table.at.key(key)
    for index, text in enumerate(value):
        place = at.key(str(index))
        if not isinstance(text, str):
            table.mistakes.add(place, "must be a text in quotes", "select-pattern", value=text)
        elif text in value[:index]:
            table.mistakes.add(place, "stands here twice", "select-pattern", value=text)
        else:
            try:
                parse_pattern(text)
            except PolicyError as error:
                table.mistakes.add_error(place, error, value=text)
    return tuple(text for text in value if isinstance(text, str))


def expected_in(policy: Policy, environment: EnvironmentPolicy) -> dict[str, tuple[str, ...]]:
    """Return the tests that each gate expects at the entry to one environment.

    They are the same everywhere, except where an environment overrides ``select``: a test that only other
    environments select for the gate is not expected here. Patterns say nothing of tests that are imported.
    """
    expected = dict(policy.expected)
    for gate in environment.gates:
        here, elsewhere = set(gate.select), set(_all_patterns(policy, gate.name))
        if gate.name in expected and here != elsewhere:
            mine, others = _parsed(here), _parsed(elsewhere - here)
            expected[gate.name] = tuple(
                test
                for test in expected[gate.name]
                if test.startswith(ELSEWHERE)
                or any(pattern.takes(test) for pattern in mine)
                or not any(pattern.takes(test) for pattern in others)
            )
    return expected


def _all_patterns(policy: Policy, name: str) -> Iterable[str]:
    specs = (environment.gate(name) for environment in policy.environments)
    return (text for spec in specs if spec is not None for text in spec.select)


def _parsed(texts: Iterable[str]) -> tuple[Pattern, ...]:
    return tuple(parse_pattern(text) for text in texts)


def _matches(segments: tuple[re.Pattern[str] | None, ...], names: list[str]) -> bool:
    """Match from left to right; where a name does not fit, let the last ``**`` take one folder more."""
    segment = name = 0
    retry: tuple[int, int] | None = None
    while name < len(names):
        glob = segments[segment] if segment < len(segments) else _NOTHING
        if glob is None:
            segment += 1
            retry = (segment, name)
        elif glob.match(names[name]):
            segment, name = segment + 1, name + 1
        elif retry is None:
            return False
        else:
            retry = (retry[0], retry[1] + 1)
            segment, name = retry
    return segment == len(segments)


_NOTHING = re.compile(r"(?!)")


def _glob(text: str) -> re.Pattern[str]:
    return re.compile(fnmatch.translate(text.replace("[", "[[]")))


def _refuse_text(text: str) -> None:
    if not text.strip():
        raise _mistake("is empty.", _EXAMPLES)
    if text != text.strip():
        raise _mistake("has blanks at its ends.", f'Write "{text.strip()}"')
    if "\\" in text:
        raise _mistake(
            "has a backslash.", "Write '/' between folders, and '?' for a backslash in a test's id"
        )
    if not text.isprintable():
        raise _mistake("has a character that cannot be printed.", "Write '?' in its place")


def _refuse_path(path: str, names: list[str]) -> None:
    if path.startswith("/") or re.match("[A-Za-z]:", path):
        raise _mistake("is an absolute path.", "Write it from pytest's root folder: tests/load/**")
    if not path:
        raise _mistake("names no file before '::'.", "Write '**::' for any file")
    if ".." in names or "." in names:
        raise _mistake("goes through '.' or '..'.", "Write the path from pytest's root folder: tests/load/**")
    if not names[-1]:
        raise _mistake("ends in '/'.", f'Write "{path.rstrip("/")}/**" for everything below the folder')
    if "" in names:
        raise _mistake("has two '/' in a row.", _EXAMPLES)
    for name in names:
        if ANY_FOLDERS in name and name != ANY_FOLDERS:
            hint = f'Write "**/{name.replace(ANY_FOLDERS, "*")}" for files of that name at any depth'
            raise _mistake("has '**' beside other characters; it stands for whole folders.", hint)


def _mistake(message: str, hint: str) -> PolicyError:
    return PolicyError(message, slug="select-pattern", hint=hint)
