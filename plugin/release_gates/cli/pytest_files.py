"""Which file configures pytest in a repository, found in pytest's own order, and what it says of the tests.

Pytest takes the first of these files in the working folder, then in each folder above it: ``pytest.toml``
and ``pytest.ini`` always, ``pyproject.toml``, ``tox.ini`` and ``setup.cfg`` where they have its section.
Source: "Initialization: determining rootdir and configfile" in pytest's documentation.
"""

from __future__ import annotations

import shlex
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from release_gates.errors import PolicyError

Options = Mapping[str, Any]
TEST_FILES = ("test_*.py", "*_test.py")
"""Pytest's default of ``python_files``."""
NATIVE = int(pytest.version_tuple[0]) >= 9
"""Since version 9 pytest reads ``pytest.toml`` and native types in ``[tool.pytest]``."""


class Configuration(NamedTuple):
    """Pytest's root folder, the file that configures it ("" for none), and where the tests are."""

    root: Path
    file: str
    testpaths: tuple[str, ...] = ()
    test_files: tuple[str, ...] = TEST_FILES
    addopts: tuple[str, ...] = ()


def find_configuration(folder: Path) -> Configuration:
    """Return what pytest takes when called in a folder; ``PolicyError`` where pytest would refuse it."""
    places = (folder, *folder.parents)
    for place in places:
        for name, read in _readers():
            options = _options(place / name, read)
            if options is not None:
                return _configuration(place, name, options)
    for name in ("pyproject.toml", "setup.py"):
        root = next((place for place in places if (place / name).is_file()), None)
        if root is not None:
            return Configuration(root, name if name == "pyproject.toml" else "")
    return Configuration(folder, "")


def _configuration(root: Path, file: str, options: Options) -> Configuration:
    try:
        testpaths, test_files, addopts = (
            _words(options.get(name)) for name in ("testpaths", "python_files", "addopts")
        )
    except ValueError as error:
        raise _unreadable(root / file, error) from None
    return Configuration(root, file, testpaths, test_files or TEST_FILES, addopts)


def _readers() -> list[tuple[str, Callable[[str], Options | None]]]:
    tomls = [("pytest.toml", _pytest_toml), (".pytest.toml", _pytest_toml)] if NATIVE else []
    return [
        *tomls,
        ("pytest.ini", _pytest_ini),
        (".pytest.ini", _pytest_ini),
        ("pyproject.toml", _pyproject),
        ("tox.ini", _tox_ini),
        ("setup.cfg", _setup_cfg),
    ]


def _options(path: Path, read: Callable[[str], Options | None]) -> Options | None:
    from iniconfig import ParseError

    if not path.is_file():
        return None
    try:
        return read(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, ParseError) as error:
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: Exception) -> PolicyError:
    return PolicyError(
        f"{path} cannot be read as pytest's configuration: {error}.",
        slug="pytest-configuration",
        hint="Mend it so that `pytest --collect-only` works.",
    )


def _pytest_toml(text: str) -> Options:
    return _table(tomllib.loads(text), "pytest") or {}


def _pytest_ini(text: str) -> Options:
    return _section(text, "pytest") or {}


def _tox_ini(text: str) -> Options | None:
    return _section(text, "pytest")


def _setup_cfg(text: str) -> Options | None:
    found = _section(text, "tool:pytest")
    if found is None and _section(text, "pytest") is not None:
        raise ValueError("[pytest] has to be [tool:pytest] there")
    return found


def _pyproject(text: str) -> Options | None:
    tool = _table(_table(tomllib.loads(text), "tool") or {}, "pytest") or {}
    ini = _table(tool, "ini_options")
    native = {name: value for name, value in tool.items() if name != "ini_options"}
    return native if native and NATIVE else ini


def _table(values: Options, name: str) -> Options | None:
    value = values.get(name)
    return value if isinstance(value, dict) else None


def _section(text: str, name: str) -> Options | None:
    from iniconfig import IniConfig

    parsed = IniConfig("", data=text)
    return dict(parsed[name].items()) if name in parsed else None


def _words(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    return tuple(map(str, value)) if isinstance(value, list) else tuple(shlex.split(str(value)))
