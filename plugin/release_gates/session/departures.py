"""What departs from the rules though their digest is the same: how pytest was called, what Python loaded.

It guards against accidents and short cuts. Whoever owns the process that measures can get around it, which is
why decisions are made by a job that runs no code of the candidate.
"""

from __future__ import annotations

import site
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from types import ModuleType
from typing import Any, NamedTuple

import pytest

import release_gates
from release_gates.policy.configuration import in_force
from release_gates.policy.measuring import covered, measuring_folders

LOADED_KEY = "release_gates_loaded"
"""Key of an xdist worker's output: what it loaded."""
MOST_NAMED = 5
"""So many files of one kind are named; the rest is counted."""

HARMLESS = ("cache_dir=", "strict_config=true", "strict_markers=true")
"""Where pytest remembers, and what it makes of --strict-config and --strict-markers from version 9 on."""


class Loaded(NamedTuple):
    """One module that is not installed: its name, its file, and whether pytest has it as a plugin."""

    name: str
    file: str
    plugin: bool


class Telling:
    """In an xdist worker: tells the controller what was loaded."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Put it into what the worker sends as it ends."""
        output: dict[str, Any] = session.config.workeroutput  # type: ignore[attr-defined]
        output[LOADED_KEY] = [tuple(each) for each in loaded(session.config)]


class Departures:
    """In the process that decides: collects what every process of the run loaded, and judges it."""

    def __init__(self, config: pytest.Config, snapshot: Mapping[str, str]) -> None:
        self._config = config
        self._snapshot = snapshot
        self._loaded: set[Loaded] = set()

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Hear what a worker loaded."""
        told = (getattr(node, "workeroutput", None) or {}).get(LOADED_KEY, ())
        self._loaded.update(Loaded(*each) for each in told)

    def sentences(self) -> tuple[str, ...]:
        """Return every departure as a sentence."""
        found = {*self._loaded, *loaded(self._config)}
        root = self._config.rootpath
        rules, folders = covered(self._snapshot), measuring_folders(self._snapshot)
        return (*_of_call(self._config, self._snapshot), *of_modules(found, rules, folders, root))


def loaded(config: pytest.Config) -> tuple[Loaded, ...]:
    """Return the modules of this process that do not belong to an installed distribution, sorted."""
    plugins = {file for file in _plugin_files(config) if file}
    modules = [(name, _file(module)) for name, module in list(sys.modules.items())]
    found = {Loaded(name, file, file in plugins) for name, file in modules if file}
    named = {each.file for each in found}
    found |= {Loaded("", file, plugin=True) for file in plugins - named}
    installed = _installed()
    return tuple(
        sorted(
            each
            for each in found
            if not each.file.startswith(installed) and "/dist-packages/" not in each.file
        )
    )


def of_modules(
    found: Iterable[Loaded], rules: frozenset[str], folders: frozenset[str], root: Path
) -> Iterator[str]:
    """Yield a sentence for each kind of module that the digest of the rules should know and does not.

    ``folders`` are those below which all code measures. The tests of a package may lie inside of it: what
    is around them is the candidate's.
    """
    strange, left_out, shadowing = [], [], []
    for each in sorted(found):
        path = Path(each.file)
        place = path.relative_to(root).as_posix() if path.is_relative_to(root) else ""
        if place in rules:
            continue
        if each.plugin:
            strange.append(place or each.file)
        elif place and any(str(parent) in folders for parent in PurePosixPath(place).parents):
            left_out.append(place)
        elif not place and (own := _covered_as(each.name, rules)):
            shadowing.append(f"{each.file} in the place of {own}")
    if strange:
        yield (
            f"pytest used plugins or conftest files that are no part of the rules: {_named(strange)}; "
            "name them in `rules` of gates/environments.toml"
        )
    if left_out:
        yield f"the tests loaded code that is left out of the rules: {_named(left_out)}"
    if shadowing:
        yield f"the tests loaded other code than the rules have: {_named(shadowing)}"


def _of_call(config: pytest.Config, snapshot: Mapping[str, str]) -> Iterator[str]:
    option = config.option
    overridden = (str(each) for each in option.override_ini or ())
    if keys := sorted({each.partition("=")[0] for each in overridden if not each.startswith(HARMLESS)}):
        yield f"pytest's configuration was overridden (-o {', '.join(keys)}), which is no part of the rules"
    usual = in_force(snapshot)
    if option.inifilename and config.inipath != (config.rootpath / usual if usual else None):
        yield f"pytest was configured by {config.inipath} (-c), which is no part of the rules"
    if option.noconftest or option.confcutdir:
        yield "conftest files were left out (--noconftest, --confcutdir)"
    if sys.flags.optimize:
        yield "Python ran without assertions (-O, PYTHONOPTIMIZE)"


def _plugin_files(config: pytest.Config) -> Iterator[str]:
    manager = config.pluginmanager
    packages = {"__main__", *(_package(plugin) for plugin, _ in manager.list_plugin_distinfo())}
    for plugin in manager.get_plugins():
        module = plugin if isinstance(plugin, ModuleType) else sys.modules.get(type(plugin).__module__)
        if module is not None and _package(module) not in packages:
            yield _file(module)


def _package(plugin: object) -> str:
    """Return the package that a plugin belongs to; one that is installed for editing lies anywhere."""
    name = plugin.__name__ if isinstance(plugin, ModuleType) else type(plugin).__module__
    return name.partition(".")[0]


def _file(module: object) -> str:
    file = getattr(module, "__file__", None)
    return file if isinstance(file, str) and file.startswith("/") else ""


def _installed() -> tuple[str, ...]:
    """Return the beginnings of paths that belong to Python, to what is installed, or to this plugin."""
    paths = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    package = Path(release_gates.__file__).parent
    folders = {*paths, *site.getsitepackages(), site.getusersitepackages(), str(package)}
    return tuple(f"{folder}/" for folder in folders if folder)


def _covered_as(name: str, rules: frozenset[str]) -> str:
    path = name.replace(".", "/")
    return next((each for each in (f"{path}.py", f"{path}/__init__.py") if each in rules), "")


def _named(files: list[str]) -> str:
    more = len(files) - MOST_NAMED
    return ", ".join(files[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
