"""TOML text to tables, with file, line and column of what TOML refuses."""

from __future__ import annotations

import math
import re
from typing import Any

from release_gates.policy.mistake import At, Mistakes
from release_gates.policy.table import Table

DEEPEST = 24
"""Tables within tables; deeper is no policy, and would overflow those who read it by recursion."""

_REMEDIES = {
    "Expected '=' after a key": "A key with '@', '*', '/' or a space needs quotes",
    "Invalid statement": "A key with '@', '*', '/' or a space needs quotes",
    "Cannot overwrite a value": "The same key stands here twice",
    "Cannot declare": "The same table stands here twice",
    "Invalid value": 'Put text in quotes: "<= 500 ms"',
}


def read_document(file: str, text: str, mistakes: Mistakes) -> Table | None:
    """Return the table of a TOML text, or None when its syntax was noted as a mistake."""
    values = _parse(file, text, mistakes)
    if values is None:
        return None
    table = Table(values, At(file), mistakes)
    return table if _plain(table) else None


def _parse(file: str, text: str, mistakes: Mistakes) -> dict[str, Any] | None:
    import tomllib

    if text.startswith("\ufeff"):
        mistakes.add(At(file), "begins with a byte order mark. Save it as UTF-8 without one", "toml-syntax")
        return None
    try:
        return tomllib.loads(text)
    except RecursionError:
        mistakes.add(At(file), "is nested too deeply", "too-deep")
    except ValueError as error:  # TOMLDecodeError, and an integer of thousands of digits
        _note_syntax(file, text, str(error), mistakes)
    return None


def _note_syntax(file: str, text: str, error: str, mistakes: Mistakes) -> None:
    sentence, _, where = error.partition(" (at ")
    found = re.match(r"line (\d+), column (\d+)", where)
    line, column = found.groups() if found else _end(text)
    remedy = next((remedy for start, remedy in _REMEDIES.items() if sentence.startswith(start)), "")
    place = f"line {line}, column {column}"
    mistakes.add(At(file), sentence + (f". {remedy}" if remedy else ""), "toml-syntax", place=place)


def _end(text: str) -> tuple[str, str]:
    lines = text.rstrip().split("\n")
    return str(len(lines)), str(len(lines[-1]) + 1)


def _plain(table: Table) -> bool:
    """Refuse what neither a digest nor a comparison can hold: numbers that are not finite, endless depth."""
    fine = True
    todo: list[tuple[At, object]] = [(table.at, table.values)]
    while todo:
        at, value = todo.pop()
        if len(at.keys) > DEEPEST:
            table.mistakes.add(At(at.file, at.keys[:3]), "is nested too deeply", "too-deep")
            return False
        if isinstance(value, float) and not math.isfinite(value):
            table.mistakes.add(at, "is no finite number", "not-finite", value=value)
            fine = False
        elif isinstance(value, dict):
            todo += [(at.key(key), inner) for key, inner in value.items()]
        elif isinstance(value, list):
            todo += [(at.key(str(index)), inner) for index, inner in enumerate(value)]
    return fine
