"""Which tests belong to which gate, asked from pytest itself by collecting once in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest

from release_gates.errors import PolicyError
from release_gates.session.marks import gate_of

OUTPUT = "GATE_COLLECTED"
"""Environment variable that names the file into which the collecting process writes."""


def collected_gates(root: Path, policy_dir: Path) -> dict[str, tuple[str, ...]]:
    """Return the node ids of each gate, sorted; ``PolicyError`` with pytest's output if collection fails."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "collected.json"
        command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "--rootdir", str(root)]
        command += ["-p", "release_gates.session.expecting", "--gate-policy", str(policy_dir)]
        command += ["-m", ""]  # a selection in addopts gives way to `-m gate_…`, so it must not count here
        environment = {**os.environ, OUTPUT: str(output)}
        done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
        found = json.loads(output.read_text(encoding="utf-8")) if output.exists() else {}
        if done.returncode not in (0, 5) or "gates" not in found:
            mistakes = "\n".join(f"  {mistake}" for mistake in found.get("mistakes", ()))
            raise PolicyError(
                f"pytest could not collect the tests (exit status {done.returncode}):\n"
                f"{mistakes or (done.stdout + done.stderr)[-3000:]}",
                slug="not-collected",
                hint="Mend what it says; `pytest --collect-only` shows it again.",
            )
        gates: dict[str, list[str]] = found["gates"]
    return {gate: tuple(sorted(tests)) for gate, tests in gates.items()}


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection() -> Generator[None, object, object]:
    """In the collecting process: write the sentences in which the collection was refused."""
    try:
        return (yield)
    except pytest.UsageError as error:
        _write({"mistakes": [str(sentence) for sentence in error.args]})
        raise


@pytest.hookimpl(trylast=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """In the collecting process: write which test belongs to which gate."""
    gates: dict[str, list[str]] = {}
    for item in session.items:
        gate = gate_of(item)
        if gate is not None:
            gates.setdefault(gate, []).append(item.nodeid)
    _write({"gates": gates})


def _write(found: dict[str, object]) -> None:
    output = os.environ.get(OUTPUT)
    if output:
        Path(output).write_text(json.dumps(found), encoding="utf-8")
