"""A report that does not belong to the sources on disk."""

from __future__ import annotations

import os
import shutil

import pytest

from release_gates.errors import MeasurementError
from release_gates.probes.coverage.freshness import check_fresh


@pytest.fixture
def report(tracefile, read):
    found = read(tracefile({"src/a.cpp": {1: 1, 9: 0}, "src/b.cpp": {1: 1}}))
    os.utime(found.file, (2_000_000_000, 2_000_000_000))
    return found


def refusal(report, built):
    with pytest.raises(MeasurementError) as error:
        check_fresh(report, report.file.parent, built)
    assert str(report.file) in str(error.value)
    assert error.value.hint
    return error.value


def test_newer_report_is_fresh(report, tmp_path):
    check_fresh(report, tmp_path, report.file)


def test_same_time_is_fresh(report, tmp_path):
    os.utime(tmp_path / "src/a.cpp", (2_000_000_000, 2_000_000_000))
    check_fresh(report, tmp_path, report.file)


def test_older_than_one_source(report, tmp_path):
    os.utime(tmp_path / "src/b.cpp", (2_000_000_001, 2_000_000_001))
    error = refusal(report, report.file)
    assert error.slug == "coverage-report-stale"
    assert "src/b.cpp at 2033-05-18T03:33:21" in str(error)
    assert "src/a.cpp" not in str(error)


def test_the_copy_in_the_store_does_not_count(report, tmp_path, read):
    built = shutil.copy2(report.file, tmp_path / "built.info")
    os.utime(built, (1_000_000_000, 1_000_000_000))
    assert refusal(report, built).slug == "coverage-report-stale"


@pytest.mark.parametrize("built", [None, "nowhere", "other"])
def test_age_unknown(report, tmp_path, built):
    (tmp_path / "other").write_text("another report")
    error = refusal(report, built and tmp_path / built)
    assert error.slug == "coverage-report-age-unknown"


def test_absent_sources_are_named(report, tmp_path):
    (tmp_path / "src/a.cpp").unlink()
    error = refusal(report, report.file)
    assert error.slug == "coverage-source-missing"
    assert "src/a.cpp" in str(error)
    assert "src/b.cpp" not in str(error)


def test_many_absent_sources_are_counted(tracefile, read, tmp_path):
    report = read(tracefile({f"src/{n}.cpp": {1: 1} for n in range(9)}))
    shutil.rmtree(tmp_path / "src")
    assert "src/0.cpp" in str(refusal(report, report.file))
    assert "and 4 more" in str(refusal(report, report.file))


def test_line_behind_the_end_of_its_source(report, tmp_path):
    (tmp_path / "src/a.cpp").write_text("one line\nand another")
    os.utime(tmp_path / "src/a.cpp", (1_000_000_000, 1_000_000_000))
    error = refusal(report, report.file)
    assert error.slug == "coverage-report-stale"
    assert "line 9 of src/a.cpp, which has 2 lines" in str(error)
