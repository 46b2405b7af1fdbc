"""Gates for a repository that exists: what would be written, from where its tests are. Writes nothing."""

from __future__ import annotations

import difflib
import fnmatch
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from release_gates.cli.pytest_files import Configuration, find_configuration
from release_gates.errors import PolicyError
from release_gates.policy.selection import parse_pattern

ENVIRONMENTS = """\
# The promotion path; each name has a file of its own beside this one. Add "production" and production.toml
# (with extends = "staging") when staging's gates have proved themselves.
schema = 1
path = ["staging"]

# A verdict in the local, unsigned ledger may promote here. Leave it out for production.
[environment.staging]
local_may_promote = true
"""
STAGING = """\
# Entry to staging: every test of this repository has to pass.
schema = 1

[gate.tests]
owner = "you"  # the team that is called when this gate holds a release
select = {select}
"""
IGNORED = ".gates/"
NOT_SEARCHED = ("*.egg", ".*", "_darcs", "build", "CVS", "dist", "node_modules", "venv", "{arch}")
"""Pytest's default of ``norecursedirs``."""
NO_NEWLINE = "\n\\ No newline at end of file\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One file as it would be written; ``before`` is None for a file that is not there yet."""

    path: str
    before: bytes | None
    after: bytes

    def diff(self) -> str:
        """Return the change as a unified diff."""
        old, new = (
            text.decode("utf-8", "replace").splitlines(keepends=True)
            for text in (self.before or b"", self.after)
        )
        source = "/dev/null" if self.before is None else f"a/{self.path}"
        shown = difflib.unified_diff(old, new, source, f"b/{self.path}")
        return "".join(line if line.endswith("\n") else f"{line}{NO_NEWLINE}" for line in shown)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything that joining would write, and what somebody should know before.

    ``needed`` is what pytest's configuration has to say in addition, which nobody but its owner writes.
    """

    configuration: Configuration
    changes: tuple[Change, ...]
    remarks: tuple[str, ...]
    needed: tuple[str, ...] = ()


def plan(folder: Path) -> Plan:
    """Return what gates in this repository need; ``PolicyError`` if its files stand in the way."""
    configuration = root_configuration(folder)
    patterns, remarks = _patterns(configuration)
    if any("no:release_gates" in word for word in configuration.addopts):
        remarks.append("addopts has -p no:release_gates, which switches every gate off: take it out")
    select = json.dumps(patterns, ensure_ascii=False)
    changes = [
        add_file(folder, "gates/environments.toml", ENVIRONMENTS),
        add_file(folder, "gates/staging.toml", STAGING.replace("{select}", select)),
        *_ignoring(folder),
    ]
    return Plan(configuration=configuration, changes=tuple(changes), remarks=tuple(remarks))


def root_configuration(folder: Path) -> Configuration:
    """Return pytest's configuration of a repository; ``PolicyError`` if this is not its root folder."""
    if not folder.is_dir():
        raise PolicyError(
            f"there is no folder {folder}.", slug="no-folder", hint="Name the repository's folder."
        )
    configuration = find_configuration(folder)
    if configuration.root != folder:
        raise PolicyError(
            f"pytest's root folder is {configuration.root}, and gates/ belongs there, not in {folder}.",
            slug="root-folder",
            hint=f"release-gates init --into {configuration.root}",
        )
    return configuration


def add_file(folder: Path, path: str, text: str) -> Change:
    """Return a new file with this text; ``PolicyError`` if anything is there, be it a link to nowhere."""
    if os.path.lexists(folder / path):
        raise PolicyError(
            f"{folder / path} is there already, and `init --into` never overwrites a file.",
            slug="file-exists",
            hint="Change it by hand, or take this attempt back: release-gates init --undo.",
        )
    return Change(path=path, before=None, after=text.encode())


def _ignoring(folder: Path) -> Iterator[Change]:
    """Yield the line for ``.gitignore``, at its end, unless one like it is there."""
    path = folder / ".gitignore"
    if not os.path.lexists(path):
        yield Change(path=path.name, before=None, after=f"{IGNORED}\n".encode())
        return
    before = read_existing(path)
    if not {IGNORED, "/" + IGNORED, ".gates", "/.gates"} & set(before.decode("utf-8", "replace").split()):
        end = b"\r\n" if b"\r\n" in before else b"\n"
        start = b"" if not before or before.endswith(b"\n") else end
        yield Change(path=path.name, before=before, after=before + start + IGNORED.encode() + end)


def read_existing(path: Path) -> bytes:
    """Return the content of a file to which something is added; ``PolicyError`` if it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise PolicyError(
            f"{path} cannot be read: {error.strerror}.",
            slug="unreadable-file",
            hint="Make it a file that you may read.",
        ) from None


def _patterns(configuration: Configuration) -> tuple[list[str], list[str]]:
    """Return what ``select`` should list, and remarks on test paths that it cannot."""
    files = sorted(_test_files(configuration))
    if not configuration.testpaths:
        tops = dict.fromkeys(file if "/" not in file else f"{file.partition('/')[0]}/**" for file in files)
        return _some(list(tops), configuration), []
    patterns, remarks = [], []
    for testpath in configuration.testpaths:
        found = _pattern(configuration.root, testpath)
        try:
            useful = found is not None and any(map(parse_pattern(found).takes_file, files))
        except PolicyError:
            useful = False
        if found is not None and useful:
            patterns.append(found)
        else:
            remarks.append(
                f"testpaths names '{testpath}', where no test file is that a pattern can name: left out"
            )
    return _some(list(dict.fromkeys(patterns)), configuration), remarks


def _pattern(root: Path, testpath: str) -> str | None:
    path = PurePosixPath(os.path.normpath(testpath.replace(os.sep, "/")))
    if path.is_absolute():
        path = PurePosixPath(os.path.relpath(path, root))
    if (root / path).is_file():
        return str(path)
    return "**" if str(path) == "." else f"{path}/**"


def _some(patterns: list[str], configuration: Configuration) -> list[str]:
    if not patterns:
        raise PolicyError(
            f"{configuration.root} has no file {' or '.join(configuration.test_files)}: nothing to select.",
            slug="no-tests-found",
            hint="`release-gates init NAME` makes a new project with tests of its own.",
        )
    return patterns


def _test_files(configuration: Configuration) -> Iterator[str]:
    for place, folders, files in os.walk(configuration.root):
        here = Path(place)
        folders[:] = [name for name in folders if _is_searched(here / name)]
        for name in files:
            if any(
                fnmatch.fnmatchcase(name, pattern.rpartition("/")[2]) for pattern in configuration.test_files
            ):
                yield (here / name).relative_to(configuration.root).as_posix()


def _is_searched(folder: Path) -> bool:
    hidden = any(fnmatch.fnmatchcase(folder.name, pattern) for pattern in NOT_SEARCHED)
    return not hidden and folder.name != "__pycache__" and not (folder / "pyvenv.cfg").exists()
