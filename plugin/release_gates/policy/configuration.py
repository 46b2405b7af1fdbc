"""pytest's configuration as part of the rules: what pytest reads of the files that may hold it."""

from __future__ import annotations

import configparser
import json
import re
import tomllib
from collections.abc import Mapping
from typing import Any

FILES = ("pytest.toml", ".pytest.toml", "pytest.ini", ".pytest.ini", "pyproject.toml", "tox.ini", "setup.cfg")
"""Where pytest looks, in its order: the first file that has a section of pytest's is the one it reads."""

SECTIONS = {"tox.ini": "pytest", "setup.cfg": "tool:pytest"}
"""Files that are shared with other tools, with the name of pytest's section."""

PREFIX = "/pytest/"
"""Where a snapshot keeps these sections; no path below a folder begins with a slash."""


def section_of(name: str, text: str) -> str | None:
    """Return what pytest reads of a configuration file, None where it has nothing for pytest.

    A file that cannot be parsed is returned in full: pytest refuses it, and no change of it goes unseen.
    """
    if name in SECTIONS:
        return _ini_section(SECTIONS[name], text)
    if name != "pyproject.toml":
        return text
    try:
        table = tomllib.loads(text).get("tool", {}).get("pytest")
    except (tomllib.TOMLDecodeError, AttributeError, RecursionError):
        return text
    return None if table is None else json.dumps(table, sort_keys=True, ensure_ascii=False, default=str)


def in_force(names: Mapping[str, str]) -> str | None:
    """Return the file that pytest reads by itself, of a snapshot's; None if there is none."""
    return next((name for name in FILES if PREFIX + name in names), None)


def stated_folders(name: str, section: str) -> tuple[str, ...]:
    """Return ``testpaths`` of a section that ``section_of`` returned; nothing where it cannot be read."""
    try:
        stated = _toml_paths(name, section) if name.endswith(".toml") else _ini_paths(name, section)
    except (ValueError, AttributeError, configparser.Error, RecursionError):
        return ()
    words = stated.split() if isinstance(stated, str) else stated if isinstance(stated, list) else []
    return tuple(str(word).strip("/").removeprefix("./") for word in words)


def _toml_paths(name: str, section: str) -> Any:
    table: Any = json.loads(section) if name == "pyproject.toml" else tomllib.loads(section).get("pytest", {})
    return {**table, **table.get("ini_options", {})}.get("testpaths")


def _ini_paths(name: str, section: str) -> Any:
    parser = configparser.RawConfigParser(strict=False, allow_no_value=True)
    parser.read_string(section)
    return parser.get(SECTIONS.get(name, "pytest"), "testpaths", fallback=None)


def _ini_section(header: str, text: str) -> str | None:
    """Return every section of that name with its header, line by line as it is written."""
    parts = re.split(r"(?m)^(?=\[)", text)
    own = [part for part in parts if part.startswith(f"[{header}]")]
    return "".join(own) if own else None
