"""Each format, as the real tool wrote it."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from release_gates.errors import MeasurementError
from release_gates.probes.coverage.components import total_of

CPP = ["include/book.hpp", "src/book.cpp", "src/main.cpp"]


def totals(report):
    total = total_of("total", report.sources.values())
    return tuple((share.hit, share.found) for share in (total.line, total.branch, total.function))


@pytest.mark.parametrize(
    ("name", "format_name", "expected"),
    [
        ("cpp/gcovr_7.2.json", "gcovr JSON", ((17, 26), (10, 26), (4, 6))),
        ("cpp/gcovr_8.0.json", "gcovr JSON", ((17, 26), (10, 26), (4, 6))),
        ("cpp/gcovr_8.3.json", "gcovr JSON", ((17, 26), (10, 26), (4, 6))),
        ("cpp/gcovr_8.4.json", "gcovr JSON", ((14, 23), (10, 26), (4, 6))),  # 8.4 leaves out inline members
        ("cpp/gcovr_8.8.json", "gcovr JSON", ((17, 26), (10, 26), (4, 6))),
        ("cpp/gcovr_cobertura.xml", "Cobertura XML", ((17, 26), (10, 26), (4, 6))),
        ("cpp/gcovr_cobertura_merged.xml", "Cobertura XML", ((17, 26), (10, 26), (4, 6))),
        ("cpp/gcovr_merged.info", "LCOV", ((17, 26), (10, 26), (4, 6))),
        ("cpp/lcov.info", "LCOV", ((20, 26), (13, 30), (7, 8))),
        ("py/coveragepy.json", "coverage.py JSON", ((15, 19), (4, 6), (3, 5))),
        ("py/coveragepy.info", "LCOV", ((15, 19), (4, 6), (3, 5))),
        ("py/coveragepy.xml", "Cobertura XML", ((15, 19), (4, 6), (0, 0))),
        ("py/coveragepy_lines.json", "coverage.py JSON", ((15, 19), (0, 0), (3, 5))),
        ("py/coveragepy_lines.xml", "Cobertura XML", ((15, 19), (0, 0), (0, 0))),
        ("java/jacoco_0.8.6.xml", "JaCoCo XML", ((5, 10), (3, 6), (2, 5))),
        ("go/cover.out", "Go coverprofile", ((5, 10), (0, 0), (0, 0))),
    ],
)
def test_recorded_report_is_counted(recorded, read, name, format_name, expected):
    report = read(recorded(name))
    assert report.format == format_name
    assert totals(report) == expected
    if name.startswith("cpp/"):
        assert list(report.sources) == CPP


def test_template_instances_are_one_line(recorded, read):
    book = read(recorded("cpp/gcovr_8.8.json")).sources["include/book.hpp"]
    assert book.lines == {10: True, 11: True, 12: False, 14: True, 17: True, 18: True, 19: True}


def test_formats_agree_line_by_line(recorded, read):
    reports = [
        read(recorded(f"cpp/{name}"))
        for name in ("gcovr_8.8.json", "gcovr_cobertura.xml", "gcovr_merged.info", "gcovr_7.2.json")
    ]
    lines = [{path: dict(source.lines) for path, source in report.sources.items()} for report in reports]
    assert lines == [lines[0]] * len(lines)


@pytest.mark.parametrize("relative", [True, False])
@pytest.mark.parametrize("branch", [True, False])
def test_coveragepy_data_file(recorded, read, branch, relative):
    root = recorded("py/coveragepy.json").parent
    settings = root / ".rc"
    settings.write_text(f"[run]\nrelative_files = {relative}\nbranch = {branch}\n")
    command = [sys.executable, "-m", "coverage", "run", "--rcfile=.rc", "--source=.", "--data-file=.coverage"]
    subprocess.run([*command, "run.py"], cwd=root, check=True, env={"PATH": ""})
    report = read(root / ".coverage")
    assert totals(report) == ((15, 19), (4, 6) if branch else (0, 0), (3, 5))


def test_coveragepy_data_file_without_its_sources(recorded, read, tmp_path):
    root = recorded("py/coveragepy.json").parent
    command = [sys.executable, "-m", "coverage", "run", "--source=.", "--data-file=.coverage", "run.py"]
    subprocess.run(command, cwd=root, check=True, env={"PATH": ""})
    shutil.rmtree(root / "orders")
    with pytest.raises(
        MeasurementError, match=r"cannot report on this data file.*No source for code"
    ) as error:
        read(root / ".coverage")
    assert error.value.slug == "coverage-report-unreadable"


@pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")
def test_gcovr_of_today(recorded, read):
    pytest.importorskip("gcovr")
    root = recorded("cpp/gcovr_8.8.json").parent
    compiled = [
        "g++",
        "--coverage",
        "-O0",
        "-std=c++20",
        "-Iinclude",
        "src/book.cpp",
        "src/main.cpp",
        "-o",
        "book",
    ]
    subprocess.run(compiled, cwd=root, check=True)
    subprocess.run(["./book"], cwd=root, check=True)
    written = {"--json": "new.json", "--cobertura": "new.xml"}
    for option, name in written.items():
        command = [sys.executable, "-m", "gcovr", "-r", ".", option, name]
        subprocess.run(command, cwd=root, check=True, capture_output=True)
    first, second = (read(root / name) for name in written.values())
    assert totals(first)[0] == totals(second)[0] == (17, 26)


def test_several_test_names_are_merged(tmp_path, tracefile, read):
    report = tracefile({"a.cpp": {1: 1, 2: 0, 3: 0}})
    report.write_text(report.read_text() + tracefile({"./b/../a.cpp": {1: 0, 2: 5, 3: 0}}, "x").read_text())
    assert dict(read(report).sources["a.cpp"].lines) == {1: True, 2: True, 3: False}


LCOV_2 = """SF:a.cpp
FNL:0,3,7
FNA:0,0,add<int>
FNA:0,2,add<long>
FNL:1,9,12
FNA:1,0,never
FNF:{found}
FNH:{hit}
BRDA:4,e0,1,-
BRDA:4,0,(a == b),3
BRF:2
BRH:1
MCDC:4,2,t,1,0,'a'
MCF:2
MCH:1
DA:4,3
LF:1
LH:1
end_of_record
"""


@pytest.mark.parametrize(("found", "hit"), [(2, 1), (3, 1)])
def test_lcov_2_function_aliases(tmp_path, read, found, hit):
    report = tmp_path / "r.info"
    report.write_text(LCOV_2.format(found=found, hit=hit))
    assert totals(read(report)) == ((1, 1), (1, 2), (1, 3))


def test_functions_with_commas_and_end_lines(tmp_path, read):
    report = tmp_path / "r.info"
    report.write_text(
        "SF:a.cpp\nFN:1,cross(int, int)\nFN:5,9,walk(a, b)\nFNDA:1,cross(int, int)\nFNDA:0,walk(a, b)\n"
        "FNF:2\nFNH:1\nDA:1,1\nLF:1\nLH:1\nend_of_record\n"
    )
    assert totals(read(report))[2] == (1, 2)


CLASSES = """<coverage lines-valid="{valid}" lines-covered="{covered}"><packages><package><classes>
<class name="A" filename="A.java"><methods/><lines>
<line number="1" hits="1"/><line number="2" hits="0"/></lines></class>
<class name="A$B" filename="A.java"><methods/><lines>
<line number="2" hits="3"/><line number="3" hits="0"/></lines></class>
</classes></package></packages></coverage>"""


@pytest.mark.parametrize(("valid", "covered"), [(4, 2), (3, 2)])
def test_several_classes_of_one_file_are_merged(tmp_path, read, valid, covered):
    report = tmp_path / "r.xml"
    report.write_text(CLASSES.format(valid=valid, covered=covered))
    assert dict(read(report).sources["A.java"].lines) == {1: True, 2: True, 3: False}


def test_cobertura_sources_are_searched(tmp_path, read):
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "A.java").write_text("")
    report = tmp_path / "r.xml"
    text = CLASSES.format(valid=4, covered=2).replace(
        "<packages>", "<sources><source>{}</source></sources><packages>"
    )
    for base in ("lib", "./lib/", str(tmp_path / "lib")):
        report.write_text(text.format(base))
        assert list(read(report).sources) == ["lib/A.java"]
