"""The tests that a gate expects: ``expected/<gate>.txt``, one node id a line, sorted.

A line that begins with ``#`` is a comment. A node id that a line cannot hold as it is (a line break, blanks
at its ends, a first character ``#`` or ``"``) stands in JSON quotes; every other one stands as pytest prints
it, whatever is in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from release_gates.policy.mistake import At, Mistakes, written

FOLDER = "expected"
HEADER = """\
# Tests that must run for this gate, one node id a line, sorted.
# Written by `release-gates expect`. Review a line that goes away like a test that goes away.
"""

ELSEWHERE = ("junit:", "sarif:", "attested:")
"""How ids begin of tests that pytest does not collect: `release-gates expect` leaves their lines alone."""


class ExpectedDiff(NamedTuple):
    """What a new list of expected tests has more and less than the old one, sorted."""

    added: tuple[str, ...]
    removed: tuple[str, ...]


def render_expected(ids: Iterable[str]) -> str:
    """Return the text of an expected file for these node ids; the same ids give the same bytes."""
    return HEADER + "".join(f"{_line(node)}\n" for node in sorted(set(ids)))


def from_elsewhere(ids: Iterable[str]) -> tuple[str, ...]:
    """Return the ids of tests that come from an import, and not from pytest."""
    return tuple(node for node in ids if node.startswith(ELSEWHERE))


def diff_expected(old: Iterable[str], new: Iterable[str]) -> ExpectedDiff:
    """Return which node ids were added and which removed."""
    before, after = frozenset(old), frozenset(new)
    return ExpectedDiff(added=tuple(sorted(after - before)), removed=tuple(sorted(before - after)))


def parse_expected(file: str, text: str, mistakes: Mistakes) -> tuple[str, ...]:
    """Return the node ids of an expected file; duplicates, disorder and broken quotes are noted."""
    ids: list[str] = []
    for number, line in _lines(text):
        place = f"line {number}"
        node = _node(line)
        if node is None:
            sentence = "is not valid in JSON quotes. Run `release-gates expect`"
            mistakes.add(At(file), sentence, "expected-line", value=line, place=place)
        elif ids and node <= ids[-1]:
            _note_order(node, node in ids, At(file), place, mistakes)
        if node is not None:
            ids.append(node)
    return tuple(ids)


def _lines(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.split("\n"), 1):
        stripped = line.strip()
        if stripped and not stripped.startswith("#"):
            yield number, stripped


def _note_order(node: str, again: bool, at: At, place: str, mistakes: Mistakes) -> None:
    fault = "stands here twice" if again else "is out of order"
    sentence = f"{written(node)} {fault}. Run `release-gates expect`"
    mistakes.add(at, sentence, "expected-order", place=place)


def _line(node: str) -> str:
    if node and node.isprintable() and node == node.strip() and node[0] not in '#"':
        return node
    import json

    return json.dumps(node)


def _node(line: str) -> str | None:
    if not line.startswith('"'):
        return line
    import json

    try:
        node = json.loads(line)
    except ValueError:
        return None
    return node if isinstance(node, str) else None
