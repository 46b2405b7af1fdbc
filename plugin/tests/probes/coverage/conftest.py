from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from release_gates.probes.coverage.facts import CoverageReport
from release_gates.probes.coverage.paths import SourceRoot
from release_gates.probes.coverage.reader import read_report

DATA = Path(__file__).parent / "data"


@pytest.fixture
def recorded(tmp_path: Path) -> Callable[[str], Path]:
    """Copy the program that a recorded report is about, and return the report, newer than its sources."""

    def copy(name: str) -> Path:
        program = tmp_path / name.partition("/")[0]
        if not program.exists():
            shutil.copytree(DATA / program.name, program)
        report = tmp_path / name
        report.write_text((DATA / name).read_text().replace("@ROOT@", str(program)))
        for path in program.rglob("*"):
            if path != report:
                os.utime(path, (1_700_000_000, 1_700_000_000))
        return report

    return copy


@pytest.fixture
def tracefile(tmp_path: Path) -> Callable[..., Path]:
    """Write an LCOV tracefile from {source: {line: hits}} and create the sources."""

    def write(sources: dict[str, dict[int, int]], name: str = "lcov.info") -> Path:
        text = ""
        for source, lines in sources.items():
            path = tmp_path / source
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.exists():
                path.write_text("x = 1;\n" * max(lines, default=1))
            hit = sum(hits > 0 for hits in lines.values())
            records = "".join(f"DA:{line},{hits}\n" for line, hits in lines.items())
            text += f"TN:\nSF:{source}\n{records}LF:{len(lines)}\nLH:{hit}\nend_of_record\n"
        report = tmp_path / name
        report.write_text(text)
        return report

    return write


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., CoverageReport]:
    """Read a report whose sources lie in the directory of the report (or in ``root``)."""

    def read_it(report: Path, *, root: Path | None = None, exclude: tuple[str, ...] = ()) -> CoverageReport:
        return read_report(report, SourceRoot(root or report.parent, exclude))

    return read_it
