"""Where a report's source paths point: one normal form, relative to the source root."""

from __future__ import annotations

import os
from pathlib import Path

from release_gates.errors import MeasurementError
from release_gates.probes.coverage.faults import shown, unreadable
from release_gates.probes.coverage.patterns import matches


class SourceRoot:
    """The directory that all measured sources lie below, and the patterns of what is not looked at.

    ``roots`` are folders below it that relative paths of a report may start from, ``go_module`` is the
    module path that stands for the directory itself.
    """

    def __init__(
        self,
        directory: Path,
        exclude: tuple[str, ...] = (),
        *,
        roots: tuple[str, ...] = (),
        go_module: str = "",
    ) -> None:
        if not directory.is_dir():
            raise MeasurementError(
                f"source_root: {directory} is not a directory.",
                slug="coverage-source-root",
                hint="Set `source_root` to the directory of the sources, relative to the root of the suite.",
            )
        self.directory = Path(os.path.realpath(directory))
        self.exclude = exclude
        self.roots = roots
        self.go_module = go_module
        self._located: dict[tuple[str, tuple[str, ...]], tuple[str, bool]] = {}

    def locate(self, name: str, *, file: Path, place: str, bases: tuple[str, ...] = ()) -> tuple[str, bool]:
        """Return the normal path of a source, and whether policy excludes it.

        ``name`` is what the report says: absolute, or relative to one of ``bases``, ``roots`` or the root.
        Links and ``..`` are resolved, so that one file has one name. Raises MeasurementError for a path
        outside of the root that no exclude pattern names, and for a relative path that several bases have.
        """
        bases = tuple(dict.fromkeys((*bases, *self.roots)))
        key = (name, bases)
        if key not in self._located:
            self._located[key] = self._locate(name, file, place, bases)
        return self._located[key]

    def _locate(self, name: str, file: Path, place: str, bases: tuple[str, ...]) -> tuple[str, bool]:
        if not name or not name.isprintable():
            raise unreadable(file, place, f"the source path {shown(name)} is empty or not printable")
        real = self._resolve(name, file, place, bases)
        inside = os.path.commonpath([real, self.directory]) == str(self.directory) and real != str(
            self.directory
        )
        path = Path(real).relative_to(self.directory).as_posix() if inside else Path(real).as_posix()
        excluded = matches(path, self.exclude) or (not inside and matches(name, self.exclude))
        if not inside and not excluded:
            raise self._outside(name, file, place)
        return path, excluded

    def _resolve(self, name: str, file: Path, place: str, bases: tuple[str, ...]) -> str:
        choices = [os.path.join(self.directory, base, name) for base in (*bases, "")]  # noqa: PTH118
        real = list(dict.fromkeys(os.path.realpath(choice) for choice in choices))
        there = [choice for choice in real if os.path.isfile(choice)]  # noqa: PTH113
        if len(there) > 1:
            raise unreadable(file, place, f"the source path {shown(name)} is {' and '.join(there)}")
        return there[0] if there else real[-1]

    def _outside(self, name: str, file: Path, place: str) -> MeasurementError:
        return MeasurementError(
            f"{file}: {place}: the source path {shown(name)} is outside of source_root {self.directory}.",
            slug="coverage-path-outside",
            hint="Set `source_root`, write the report with relative paths, or name the path in `exclude`.",
        )
