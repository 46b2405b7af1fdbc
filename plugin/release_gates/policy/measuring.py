"""What measures, by digest: test files, conftest files, and what ``rules`` in the policy names besides.

A snapshot of the policy gets one entry for each such file (``/code/suites/test_x.py`` and its SHA-256), and
the sections of pytest's configuration.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath

from release_gates.errors import PolicyError
from release_gates.policy import configuration
from release_gates.policy.expected import ELSEWHERE, FOLDER
from release_gates.policy.mistake import At, Mistakes
from release_gates.policy.selection import Pattern, parse_pattern

PREFIX = "/code/"
"""Where a snapshot keeps the digests of files; no path below a folder begins with a slash."""

KEY = "rules"
"""The key of ``environments.toml`` that lists patterns of files."""

FIXTURES = "fixtures/**/*.py"
"""What tests usually import, without the data and the systems that may lie beside it."""

IGNORED_NAMES = frozenset({"__pycache__", "node_modules", "build", "dist"})
IGNORED_ENDINGS = (".pyc", ".pyo", ".egg-info", ".dist-info", "~")
IGNORED_BEGINNINGS = (".", "#")
"""What tools and editors leave behind. Fixed, whatever ``.gitignore`` says."""

MOST_FILES = 20_000
MOST_BYTES = 500_000_000
_CHUNK = 1 << 20
_ENVIRONMENTS = "environments.toml"


def measuring(root: Path, snapshot: Mapping[str, str], mistakes: Mistakes) -> dict[str, str]:
    """Return the entries of a snapshot that say by which files of the project its gates measure.

    ``root`` is the project's folder, ``snapshot`` its policy. What cannot be read is noted.
    """
    sections = dict(_sections(root, mistakes))
    stated = stated_rules(snapshot)
    found = _Found(root, mistakes)
    for text in default_rules(snapshot, sections) if stated is None else stated:
        found.take(text, must=stated is not None)
    for file in _expected_files(snapshot):
        found.take_file(file)
    found.take_conftests()
    return {**sections, **found.entries()}


def stated_rules(snapshot: Mapping[str, str]) -> tuple[str, ...] | None:
    """Return the patterns of ``rules``, None where the policy leaves them to the default."""
    try:
        value = tomllib.loads(snapshot.get(_ENVIRONMENTS, "")).get(KEY)
    except (tomllib.TOMLDecodeError, RecursionError):
        return None  # which whoever reads the policy has to say
    return tuple(text for text in value if isinstance(text, str)) if isinstance(value, list) else None


def default_rules(snapshot: Mapping[str, str], sections: Mapping[str, str]) -> tuple[str, ...]:
    """Return what ``rules`` is by default: ``testpaths``, folders of expected tests, and ``FIXTURES``."""
    paths = _test_paths(sections)
    folders = {str(PurePosixPath(file).parent) for file in _expected_files(snapshot)}
    patterns = [pattern for path in paths if path not in ("", ".") for pattern in (path, f"{path}/**")]
    patterns += [f"{folder}/**" if folder != "." else "*.py" for folder in sorted(folders)]
    return tuple(dict.fromkeys([*patterns, FIXTURES]))


def _test_paths(sections: Mapping[str, str]) -> list[str]:
    """Return ``testpaths`` of the entries that hold pytest's configuration."""
    return [
        path
        for key, text in sections.items()
        if key.startswith(configuration.PREFIX)
        for path in configuration.stated_folders(key.removeprefix(configuration.PREFIX), text)
    ]


def measuring_patterns(root: Path, snapshot: Mapping[str, str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return every pattern, and every file by its path, of which a project's digests are taken."""
    sections = dict(_sections(root, Mistakes()))
    stated = stated_rules(snapshot)
    patterns = default_rules(snapshot, sections) if stated is None else stated
    return patterns, tuple(_expected_files(snapshot))


def covered(snapshot: Mapping[str, str]) -> frozenset[str]:
    """Return the paths of the files that a snapshot has digests of, from the project's folder."""
    return frozenset(key.removeprefix(PREFIX) for key in snapshot if key.startswith(PREFIX))


def measuring_folders(snapshot: Mapping[str, str]) -> frozenset[str]:
    """Return the folders below which a snapshot means to have everything: where its files are, ``testpaths``.

    A conftest file stands above other code, too, and ``testpaths`` counts unless ``rules`` says which files.
    """
    files = (PurePosixPath(file) for file in covered(snapshot))
    folders = {str(file.parent) for file in files if file.name != "conftest.py"}
    if stated_rules(snapshot) is None:
        folders.update(_test_paths(snapshot))
    return frozenset(folders - {"", "."})


def changed_names(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[str, ...]:
    """Return the files in which two snapshots differ, sorted, as a person finds them."""
    keys = {key for key in {*before, *after} if before.get(key) != after.get(key)}
    return tuple(sorted(_shown_name(key) for key in keys))


def _shown_name(key: str) -> str:
    if not key.startswith("/"):
        return f"gates/{key}"
    return key.removeprefix(PREFIX).removeprefix(configuration.PREFIX)


def _expected_files(snapshot: Mapping[str, str]) -> Iterator[str]:
    seen = set()
    for name, text in snapshot.items():
        if name.startswith(f"{FOLDER}/"):
            for line in text.splitlines():
                file, separator, _ = line.strip().lstrip('"').partition("::")
                if separator and file not in seen and not line.startswith(ELSEWHERE) and _is_inside(file):
                    seen.add(file)
                    yield file


def _is_inside(file: str) -> bool:
    path = PurePosixPath(file)
    return not path.is_absolute() and ".." not in path.parts and "\0" not in file


def _sections(root: Path, mistakes: Mistakes) -> Iterator[tuple[str, str]]:
    for name in configuration.FILES:
        path = root / name
        if not path.exists():
            continue
        try:
            section = configuration.section_of(name, path.read_bytes()[:MOST_BYTES].decode())
        except (OSError, UnicodeDecodeError) as error:
            mistakes.add_outside(name, f"cannot be read: {error}", "unreadable-file")
        else:
            if section is not None:
                yield configuration.PREFIX + name, section


class _Found:
    """The files that patterns name, and what is wrong with any."""

    def __init__(self, root: Path, mistakes: Mistakes) -> None:
        self._root = root
        self._mistakes = mistakes
        self._files: set[str] = set()
        self._folders: dict[str, tuple[str, ...]] = {}

    def take(self, text: str, *, must: bool) -> None:
        """Add the files of a pattern; to find none is a mistake where it ``must`` find some."""
        try:
            pattern = parse_pattern(text)
        except PolicyError:
            return  # noted where the policy is read
        found = [path for path in self._below(pattern) if pattern.takes_file(path)]
        self._files.update(found)
        if must and not found:
            at = At(_ENVIRONMENTS, (KEY,))
            self._mistakes.add(at, "no file has such a path", "rules-pattern", value=text)

    def take_file(self, name: str) -> None:
        """Add one file, if it is there."""
        if (self._root / name).is_file():
            self._files.add(name)

    def take_conftests(self) -> None:
        """Add each conftest file beside or above what was found, up to the root folder."""
        folders = {""}
        for file in self._files:
            while (file := file.rpartition("/")[0]) not in folders:
                folders.add(file)
        for folder in sorted(folders):
            self.take_file(f"{folder}/conftest.py".lstrip("/"))

    def entries(self) -> dict[str, str]:
        """Return the digest of each file."""
        if len(self._files) > MOST_FILES:
            self._too_much(f"{len(self._files)} files")
            return {}
        entries, left = {}, MOST_BYTES
        for name in sorted(self._files):
            digest, size = self._digest(name)
            left -= size
            if left < 0:
                self._too_much(f"more than {MOST_BYTES // 1_000_000} MB")
                break
            if digest:
                entries[PREFIX + name] = digest
        return entries

    def _too_much(self, what: str) -> None:
        sentence = f"the code that measures has {what}; name less of it in `{KEY}`"
        self._mistakes.add(At(_ENVIRONMENTS, (KEY,)), sentence, "too-large")

    def _below(self, pattern: Pattern) -> Iterable[str]:
        start = pattern.start
        if (self._root / start).is_file():
            return (start,)
        if start not in self._folders:
            self._folders[start] = tuple(self._walk(start)) if (self._root / start).is_dir() else ()
        return self._folders[start]

    def _walk(self, start: str) -> Iterator[str]:
        for folder, folders, files in os.walk(self._root / start, onerror=self._unreadable):
            folders[:] = sorted(name for name in folders if not is_ignored(name))
            if "pyvenv.cfg" in files and Path(folder) != self._root:
                folders[:] = []
                continue
            place = folder.removeprefix(str(self._root)).strip("/")
            for name in folders:
                if (Path(folder) / name).is_symlink():
                    path = _readable(f"{place}/{name}".lstrip("/"))
                    self._mistakes.add_outside(path, "is a link to a folder", "not-a-file")
            yield from (f"{place}/{name}".lstrip("/") for name in files if not is_ignored(name))

    def _unreadable(self, error: OSError) -> None:
        name = _readable(os.path.relpath(str(error.filename), self._root))
        self._mistakes.add_outside(name, f"cannot be read: {error.strerror}", "unreadable-file")

    def _digest(self, name: str) -> tuple[str, int]:
        """Return the SHA-256 of a file, of what a link leads to, and how many bytes were read."""
        path, size, digest = self._root / name, 0, hashlib.sha256()
        try:
            name.encode()
            if not stat.S_ISREG(path.stat().st_mode):
                self._mistakes.add_outside(name, "is a device, pipe or socket, not a file", "not-a-file")
                return "", 0
            with path.open("rb") as file:
                while size <= MOST_BYTES and (chunk := file.read(_CHUNK)):
                    digest.update(chunk)
                    size += len(chunk)
        except UnicodeEncodeError:
            self._mistakes.add_outside(
                _readable(name), "the name of this file is not UTF-8. Rename it", "not-utf8"
            )
            return "", 0
        except OSError as error:
            self._mistakes.add_outside(name, f"cannot be read: {error.strerror}", "unreadable-file")
            return "", 0
        return digest.hexdigest(), size


def is_ignored(name: str) -> bool:
    """Tell whether a file or folder of this name is left out of the rules, wherever it lies."""
    return name.startswith(IGNORED_BEGINNINGS) or name in IGNORED_NAMES or name.endswith(IGNORED_ENDINGS)


def _readable(name: str) -> str:
    return name.encode("utf-8", "backslashreplace").decode()
