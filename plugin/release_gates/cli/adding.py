"""``init --into --with``: a suite that comes with the product, and its gate, for a repository that exists."""

from __future__ import annotations

import fnmatch
import os
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from release_gates import TOOL
from release_gates.cli.joining import Change, Plan, add_file, plan, read_existing, root_configuration
from release_gates.cli.pytest_files import Configuration
from release_gates.errors import PolicyError
from release_gates.policy.load import load_policy
from release_gates.policy.mistake import suggestion
from release_gates.policy.selection import parse_pattern

SUITES = Path(__file__).parent / "suites"
"""A folder for each suite: ``test_NAME.py``, and ``staging.toml`` with the tables of the gate NAME."""
POLICY = "gates/staging.toml"


def plan_with(folder: Path, suite: str) -> Plan:
    """Return what this suite needs in a repository, and what ``plan`` does where it has no gates yet.

    Nothing to write where both the suite and its gate are there. ``PolicyError`` for a suite that nobody
    knows, and for files or a ``select`` that stand in its way.
    """
    known = sorted(path.name for path in SUITES.iterdir() if (path / "staging.toml").is_file())
    if suite not in known:
        raise PolicyError(
            f"--with {suite}: no such suite.{suggestion(suite, known)}",
            slug="unknown-word",
            hint=f"Write --with {known[0]}.",
        )
    if not any(os.path.lexists(folder / "gates" / name) for name in ("environments.toml", "staging.toml")):
        base = plan(folder)
        (policy,) = (change for change in base.changes if change.path == POLICY)
    else:
        configuration = root_configuration(folder)
        load_policy(folder / "gates", tool=TOOL)  # what is wrong in it is said in its own words
        before = read_existing(folder / POLICY)
        policy = Change(path=POLICY, before=before, after=before)
        base = Plan(configuration=configuration, changes=(), remarks=())
    changes = tuple(_changes(folder, suite, policy))
    others = tuple(each for each in base.changes if each is not policy)
    return replace(
        base,
        changes=(*others, *changes),
        needed=tuple(_uncollected(base.configuration, _file(suite))),
    )


def _file(suite: str) -> str:
    return f"suites/{suite}/test_{suite}.py"


def _changes(folder: Path, suite: str, policy: Change) -> Iterator[Change]:
    """Yield the gate's tables at the end of the policy, and the suite, unless they are there."""
    text = (SUITES / suite / f"test_{suite}.py").read_text(encoding="utf-8")
    path = folder / _file(suite)
    has_gate = suite in _gates(policy.after)
    if not has_gate:
        _refuse_two_gates(folder, suite, policy)
        yield replace(policy, after=_appended(policy.after, (SUITES / suite / "staging.toml").read_bytes()))
    if os.path.lexists(path) and (has_gate or read_existing(path) == text.encode()):
        return
    yield add_file(folder, _file(suite), text)


def _appended(before: bytes, tables: bytes) -> bytes:
    after = before + (b"\n" if before.endswith(b"\n") else b"\n\n") + tables
    _gates(after)
    return after


def _gates(policy: bytes) -> dict[str, dict[str, Any]]:
    """Return the gates of one file as they stand in it, or as they would after tables were added to it."""
    try:
        gates: dict[str, dict[str, Any]] = tomllib.loads(policy.decode("utf-8")).get("gate", {})
    except ValueError as error:
        raise PolicyError(
            f"{POLICY}: no tables can be added at its end: {error}.",
            slug="toml-syntax",
            hint="Write each gate as a table of its own: [gate.NAME].",
        ) from None
    return gates


def _refuse_two_gates(folder: Path, suite: str, policy: Change) -> None:
    """Refuse a suite that another gate selects already: a test belongs to exactly one."""
    for gate, text in _selected(folder, policy):
        if parse_pattern(text).takes_file(_file(suite)):
            raise PolicyError(
                f"gate '{gate}' would select {_file(suite)} too (\"{text}\"), and a test has one gate.",
                slug="two-gates",
                hint="Call `release-gates init --into` alone, or first; narrow `select` in its policy; then "
                f"call it with `--with {suite}`.",
            )


def _selected(folder: Path, policy: Change) -> Iterator[tuple[str, str]]:
    """Yield each gate's patterns: of the whole policy where there is one, else of the file as planned."""
    if policy.before is None:
        for name, table in _gates(policy.after).items():
            yield from ((name, text) for text in table.get("select", ()))
        return
    for environment in load_policy(folder / "gates", tool=TOOL).environments:
        yield from ((gate.name, text) for gate in environment.gates for text in gate.select)


def _uncollected(configuration: Configuration, file: str) -> Iterator[str]:
    """Yield what pytest's configuration has to say so that a call of pytest finds the suite."""
    name = configuration.file
    if configuration.testpaths and not _below(configuration.testpaths, file):
        folder = file.rpartition("/")[0]
        yield f"add {folder} to testpaths in {name}: until pytest looks there, the gate holds"
    if not any(fnmatch.fnmatchcase(Path(file).name, each) for each in configuration.test_files):
        yield f"add test_*.py to python_files in {name}: until pytest takes that file, the gate holds"


def _below(testpaths: Sequence[str], file: str) -> bool:
    folders = [str(parent) for parent in Path(file).parents]
    return any(
        fnmatch.fnmatchcase(each, os.path.normpath(path)) for path in testpaths for each in (file, *folders)
    )
