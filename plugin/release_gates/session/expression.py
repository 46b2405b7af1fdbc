"""Which environments a ``-m`` expression decides: those whose mark can turn it from false to true.

The grammar is pytest's (``and``, ``or``, ``not``, parentheses, names, ``name(key=value)``); pytest checks
it too, so that this reader only has to find the names and evaluate.
"""

from __future__ import annotations

import difflib
import itertools
import re
from collections.abc import Iterable, Mapping

from release_gates.errors import PolicyError

PREFIX = "gate_"
MOST_NAMES = 12
"""So many different names fit a truth table."""

_TOKEN = re.compile(r"\s*(?:(?P<bracket>[()])|(?P<name>[\w:+\-.\[\]\\/]+)(?P<arguments>\s*\([^()]*\))?)")


def deciding_environments(expression: str, environments: Iterable[str]) -> tuple[str, ...]:
    """Return the environments that occur positively, in the order of the promotion path.

    Raises ``PolicyError`` for a ``gate_…`` name that no environment has: to pytest it would be a mark
    that no test carries, which selects nothing and lets an ``or`` pass.
    """
    if PREFIX not in expression:
        return ()
    tokens = _tokens(expression)
    names = sorted({token for token in tokens if token not in _WORDS})
    known = tuple(environments)
    for name in names:
        _check(name, known, expression)
    if len(names) > MOST_NAMES:
        raise PolicyError(
            f'-m "{expression}": {len(names)} names are too many (at most {MOST_NAMES}).',
            slug="expression-too-long",
            hint="Split the call.",
        )
    return tuple(env for env in known if any(_flips(tokens, names, name) for name in _named(names, env)))


_WORDS = frozenset({"and", "or", "not", "(", ")"})


def _tokens(expression: str) -> tuple[str, ...]:
    found = []
    for match in _TOKEN.finditer(expression):
        name = match["name"]
        if name in ("and", "or", "not"):
            found.append(name)
            if match["arguments"]:
                found.extend(_tokens(match["arguments"]))
        else:
            found.append(match["bracket"] or name + re.sub(r"\s", "", match["arguments"] or ""))
    return tuple(found)


def _check(name: str, environments: tuple[str, ...], expression: str) -> None:
    mark = name.partition("(")[0]
    valid = [PREFIX + environment for environment in environments]
    if not mark.startswith(PREFIX) or mark in valid:
        return
    near = difflib.get_close_matches(mark, valid, n=1)
    raise PolicyError(
        f"-m \"{expression}\": no environment for '{mark}'.",
        slug="unknown-environment",
        hint=f"Did you mean '{near[0]}'?" if near else f"There are: {', '.join(valid)}.",
    )


def _named(names: Iterable[str], environment: str) -> list[str]:
    return [name for name in names if name.partition("(")[0] == PREFIX + environment]


def _flips(tokens: tuple[str, ...], names: list[str], name: str) -> bool:
    others = [other for other in names if other != name]
    for row in itertools.product((False, True), repeat=len(others)):
        values = dict(zip(others, row, strict=True))
        if _evaluate(tokens, {**values, name: True}) and not _evaluate(tokens, {**values, name: False}):
            return True
    return False


def _evaluate(tokens: tuple[str, ...], values: Mapping[str, bool]) -> bool:
    value, rest = _either(tokens, values)
    return value and not rest


def _either(tokens: tuple[str, ...], values: Mapping[str, bool]) -> tuple[bool, tuple[str, ...]]:
    value, tokens = _both(tokens, values)
    while tokens[:1] == ("or",):
        right, tokens = _both(tokens[1:], values)
        value = value or right
    return value, tokens


def _both(tokens: tuple[str, ...], values: Mapping[str, bool]) -> tuple[bool, tuple[str, ...]]:
    value, tokens = _single(tokens, values)
    while tokens[:1] == ("and",):
        right, tokens = _single(tokens[1:], values)
        value = value and right
    return value, tokens


def _single(tokens: tuple[str, ...], values: Mapping[str, bool]) -> tuple[bool, tuple[str, ...]]:
    if not tokens:
        return False, ()
    first, rest = tokens[0], tokens[1:]
    if first == "not":
        value, rest = _single(rest, values)
        return not value, rest
    if first == "(":
        value, rest = _either(rest, values)
        return value, rest[1:]
    return values.get(first, False), rest
