"""``[gate.<name>.matrix]``: the variants in which a gate has to be green, each of them a cell."""

from __future__ import annotations

import re

from release_gates.policy.table import Table, is_name

VALUE = re.compile(r"[A-Za-z0-9._+-]+")
MOST_CELLS = 256


def read_matrix(gate: Table) -> dict[str, tuple[str, ...]] | None:
    """Return the axes of a gate's matrix with their values, None without one; every mistake is noted."""
    table = gate.table("matrix")
    if table is None:
        return None
    axes = {key: values for key in table.values if (values := _values(table, key))}
    cells = 1
    for values in axes.values():
        cells *= len(values)
    if not table.values or cells > MOST_CELLS:
        sentence = f'has {cells if table.values else 0} cells. Write 1 to {MOST_CELLS}: os = ["linux"]'
        table.mistakes.add(table.at, sentence, "matrix")
    return axes


def _values(table: Table, key: str) -> tuple[str, ...]:
    values = table.values[key]
    if not is_name(key):
        table.wrong(key, "is no name of an axis. Write lower-case letters, digits and '_'", "matrix")
    elif not (
        isinstance(values, list)
        and values
        and all(isinstance(value, str) and VALUE.fullmatch(value) for value in values)
    ):
        table.wrong(key, 'must list texts of letters, digits and "._+-": ["3.11", "3.12"]', "matrix")
    elif len(set(values)) < len(values):
        table.wrong(key, "names a value twice", "matrix")
    else:
        return tuple(values)
    return ()
