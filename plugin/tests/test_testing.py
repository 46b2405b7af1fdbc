"""The harness does what its docstring shows."""

from __future__ import annotations

import textwrap
from pathlib import Path

from release_gates import testing


def test_the_example_in_the_docstring_runs(tmp_path: Path) -> None:
    assert testing.__doc__ is not None
    example = textwrap.dedent(testing.__doc__.partition("\n\n")[2])
    exec(example, {"GateProject": testing.GateProject, "tmp_path": tmp_path})
