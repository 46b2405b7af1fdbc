"""What commands that read other tools' results need of policy: the cell they fill, the tests they teach."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from release_gates.cli.parts import Part
from release_gates.errors import PolicyError
from release_gates.model.gate import GateSpec
from release_gates.policy.expected import diff_expected, render_expected
from release_gates.policy.mistake import suggestion


def cell_of(gate: GateSpec, pairs: Sequence[str]) -> str:
    """Return the cell of a gate's matrix that these ``key=value`` name, "" for a gate without a matrix.

    Raises PolicyError for an unknown key or value, and for a key that is absent or stands twice.
    """
    named: dict[str, str] = {}
    for pair in pairs:
        key, _, value = pair.partition("=")
        _check_pair(gate, key, value)
        if key in named:
            raise _wrong(f"--cell {key} stands twice.", "Name one value for each key.")
        named[key] = value
    absent = [key for key in gate.matrix if key not in named]
    if absent:
        hint = " ".join(f"--cell {key}={'|'.join(gate.matrix[key])}" for key in absent)
        raise _wrong(f"the gate '{gate.name}' has a matrix, and nothing says in which cell this ran.", hint)
    return ",".join(f"{key}={named[key]}" for key in gate.matrix)


def cells_to_learn(gate: GateSpec, pairs: Sequence[str]) -> tuple[str, ...]:
    """Return the cells whose tests a file teaches: the one that is named, else every cell of the matrix."""
    return (cell_of(gate, pairs),) if pairs or not gate.matrix else gate.cells


class Learned(NamedTuple):
    """What was written into policy, as data and in lines."""

    data: dict[str, object]
    lines: list[str]


def learn(part: Part, ids: Sequence[str], replaced: Callable[[str], bool]) -> None:
    """Write the gate's expected file, and tell what changed in it."""
    part.project.say(*learned(part, ids, replaced))


def learned(part: Part, ids: Sequence[str], replaced: Callable[[str], bool]) -> Learned:
    """Write the gate's expected file: ``ids`` instead of the lines that they replace; all others stay."""
    old = part.policy.expected.get(part.gate.name, ())
    new = tuple(sorted({*ids, *(test for test in old if not replaced(test))}))
    added, removed = diff_expected(old, new)
    path = part.project.policy_dir / "expected" / f"{part.gate.name}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(render_expected(new), encoding="utf-8")
    lines = [
        f"expected/{path.name}: {len(added)} added, {len(removed)} removed, {len(new)} in all",
        *(f"  + {test}" for test in added),
        *(f"  - {test}" for test in removed),
    ]
    return Learned({"added": added, "removed": removed}, lines)


def _check_pair(gate: GateSpec, key: str, value: str) -> None:
    if key not in gate.matrix:
        hint = suggestion(key, tuple(gate.matrix)).strip() if gate.matrix else "It has no [matrix] in policy."
        raise _wrong(f"the matrix of gate '{gate.name}' has no key '{key}'.", hint)
    if value not in gate.matrix[key]:
        hint = suggestion(value, gate.matrix[key]).strip()
        raise _wrong(f"the matrix of gate '{gate.name}' has no {key} '{value}'.", hint)


def _wrong(message: str, hint: str) -> PolicyError:
    return PolicyError(message, slug="matrix-cell", hint=hint)
