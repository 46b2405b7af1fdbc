"""Which tests, fixtures and helpers of a source file changed: told from two texts, which are never run."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath

from release_gates.policy.change import Change, Kind

MOST_NAMED = 20
"""So many names of one kind are told; the rest is counted."""
Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def body_changes(
    before: Mapping[str, bytes | None], after: Mapping[str, bytes | None], gates: Mapping[str, Sequence[str]]
) -> Iterator[Change]:
    """Yield what changed in the files that measure, by path; None for a file that is not there.

    ``gates`` tells for each test (``suites/test_x.py::test_a``, without parameters) which gates expect it.
    """
    for file in sorted({*before, *after}):
        old, new = before.get(file), after.get(file)
        if old == new:
            continue
        if new is None:
            yield Change(place=file, sentence="is no longer part of the rules", kind="weaker")
        elif old is None:
            everywhere = PurePosixPath(file).name in ("conftest.py", "__init__.py")
            yield Change(place=file, sentence="is new", kind="open" if everywhere else "other")
        elif file.endswith(".py"):
            yield from _of_source(file, old, new, gates)
        else:
            yield Change(place=file, sentence="changed", kind="open")


def _of_source(file: str, old: bytes, new: bytes, gates: Mapping[str, Sequence[str]]) -> Iterator[Change]:
    one, other = _parts(old), _parts(new)
    if one is None or other is None:
        yield Change(place=file, sentence="changed, and is not the Python of this version", kind="open")
        return
    names = [name for name in dict.fromkeys((*one, *other)) if one.get(name) != other.get(name)]
    if not names:
        yield Change(place=file, sentence="changed in comments or layout only", kind="other")
    of_gates = {name: tuple(gates.get(f"{file}::{name}", ())) for name in names}
    for gate in sorted({gate for found in of_gates.values() for gate in found}):
        own = [name for name in names if gate in of_gates[name]]
        yield from _told(file, f"tests of gate {gate}", own, one, other)
    yield from _told(file, "what tests rely on", [name for name in names if not of_gates[name]], one, other)


def _told(
    file: str, what: str, names: Sequence[str], one: Mapping[str, str], other: Mapping[str, str]
) -> Iterator[Change]:
    changed = [name for name in names if name in one and name in other]
    gone = [name for name in names if name not in other]
    new = [name for name in names if name not in one]
    for word, found in (("changed", changed), ("removed", gone), ("new", new)):
        if found:
            more = f" and {len(found) - MOST_NAMED} more" if len(found) > MOST_NAMED else ""
            tests = all(name.rpartition("::")[2].startswith("test") for name in found)
            kind: Kind = "other" if word == "new" and tests else "open"
            said = f"{what}, {word}: {', '.join(found[:MOST_NAMED])}{more}"
            yield Change(place=file, sentence=said, kind=kind)


def _parts(source: bytes) -> dict[str, str] | None:
    """Return each definition of a module by name, and the rest of it; None for no Python."""
    try:
        tree = ast.parse(source)
        return dict(_definitions(tree.body, "", MODULE))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


MODULE = "the module's own code"


def _definitions(body: Sequence[ast.stmt], prefix: str, rest: str) -> Iterator[tuple[str, str]]:
    """Yield each function and method as written, apart from its place in the file; a name twice is one."""
    found: dict[str, list[str]] = {rest: []}
    for statement in body:
        if isinstance(statement, ast.ClassDef):
            name = f"{prefix}{statement.name}"
            for inner, text in _definitions(statement.body, f"{name}::", name):
                found.setdefault(inner, []).append(text)
            shell = ast.ClassDef(**{**vars(statement), "body": []})
            found[name].append(ast.dump(shell))
        elif isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
            found.setdefault(f"{prefix}{statement.name}", []).append(ast.dump(statement))
        else:
            found[rest].append(ast.dump(statement))
    for name, texts in found.items():
        yield name, "\n".join(texts)
