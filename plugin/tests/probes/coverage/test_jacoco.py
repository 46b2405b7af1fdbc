"""JaCoCo XML: what its lines and methods say, and that no counter is believed."""

from __future__ import annotations

import pytest

from release_gates.errors import MeasurementError
from release_gates.probes.coverage.paths import SourceRoot
from release_gates.probes.coverage.reader import read_report

UNREADABLE, CONTRADICTION = "coverage-report-unreadable", "coverage-report-contradiction"
LINE = '<line nr="{}" mi="{}" ci="{}" mb="{}" cb="{}"/>'
METHOD = '<method name="f" desc="()V" line="1">{}</method>'


def counter(kind, missed, covered):
    return f'<counter type="{kind}" missed="{missed}" covered="{covered}"/>'


def counters(line=(0, 0), branch=(0, 0), method=(0, 0)):
    shown = (("LINE", line), ("BRANCH", branch), ("METHOD", method))
    return "".join(counter(kind, *pair) for kind, pair in shown if sum(pair))


CALLED = counter("INSTRUCTION", 0, 1) + counter("METHOD", 0, 1)
SUMS = counters((1, 1), (1, 1), (0, 1))


LINES = LINE.format(1, 0, 2, 1, 1) + LINE.format(2, 3, 0, 0, 0)
CALL = METHOD.format(CALLED)


def package(
    lines=LINES,
    method=CALL,
    sums=SUMS,
    above=None,
    source="A.java",
    of_class="A.java",
):
    cls = f'<class name="p/A" sourcefilename="{of_class}">{method}</class>'
    body = f'{cls}<sourcefile name="{source}">{lines}{sums}</sourcefile>'
    return f'<package name="p">{body}{sums if above is None else above}</package>'


def report(inner="", sums=SUMS):
    return f'<report name="r">{inner or package()}{sums}</report>'


@pytest.fixture
def refused(tmp_path):
    def refuse(text, **said):
        (tmp_path / "r.xml").write_text(text)
        with pytest.raises(MeasurementError) as error:
            read_report(tmp_path / "r.xml", SourceRoot(tmp_path, **said))
        assert error.value.hint
        return error.value

    return refuse


def test_lines_branches_and_methods(recorded, read):
    limits = read(recorded("java/jacoco_0.8.6.xml")).sources["src/main/java/exchange/risk/Limits.java"]
    assert dict(limits.lines) == {7: True, 8: True, 9: True, 12: True, 13: False, 15: True, 19: False}
    assert (limits.branches.hit, limits.branches.found) == (3, 6)
    assert (limits.functions.hit, limits.functions.found) == (2, 3)


@pytest.mark.parametrize(
    ("text", "slug", "words"),
    [
        (report(sums=counters((0, 2), (1, 1), (0, 1))), CONTRADICTION, "report 'r': LINE covered declares 2, but 1"),
        (report(sums=counters((2, 1), (1, 1), (0, 1))), CONTRADICTION, "report 'r': LINE missed + covered declares 3"),
        (report(sums=""), CONTRADICTION, "report 'r': LINE missed + covered declares 0, but 2"),
        (report(package(above=counters((1, 1), (0, 2), (0, 1)))), CONTRADICTION, "package 'p': BRANCH covered declares 2"),
        (report(package(above=counters((1, 1), (1, 1), (1, 1)))), CONTRADICTION, "package 'p': METHOD missed + covered declares 2"),
        (report(package(sums=counters((0, 2), (1, 1), (0, 1)))), CONTRADICTION, "sourcefile 'p/A.java': LINE covered declares 2"),
        (report(package(lines="")), CONTRADICTION, "sourcefile 'p/A.java': LINE missed + covered declares 2, but 0"),
        (report(package(lines=LINE.format(1, 0, 2, 1, 1) * 2)), UNREADABLE, "line nr 1 stands twice"),
        (report(package(lines=LINE.format(1, 0, 0, 0, 0))), UNREADABLE, "line nr 1 has neither"),
        (report(package(lines=LINE.format(1, 1, 0, 0, 2))), UNREADABLE, "line nr 1 has covered branches"),
        (report(package(lines=LINE.format(0, 0, 1, 0, 0))), UNREADABLE, "lines count from 1"),
        (report(package(lines=LINE.format(1, -1, 1, 0, 0))), UNREADABLE, "mi '-1'"),
        (report(package(lines=LINE.format(1, 0, "1e9", 0, 0))), UNREADABLE, "ci '1e9'"),
        (report(package(lines=LINE.format(1, 0, 1, 0, 99999))), UNREADABLE, "cb '99999'"),
        (report(package(lines='<line mi="0" ci="1"/>')), UNREADABLE, "line number ''"),
        (report(package(of_class="")), UNREADABLE, "compile with -g"),
        (report(package(of_class="B.java")), UNREADABLE, "p/B.java has methods, but no sourcefile"),
        (report(package(source="../A.java")), UNREADABLE, "'../A.java' is no file name"),
        (report(package(method=METHOD.format(CALLED) * 2)), UNREADABLE, "stands twice in class"),
        (report(package(method=METHOD.format(counter("METHOD", 0, 1)))), UNREADABLE, "declares METHOD 1 of 1"),
        (report(package(method=METHOD.format(""))), UNREADABLE, "declares METHOD 0 of 0"),
        (report(package(method=METHOD.format(CALLED * 2))), UNREADABLE, "stands twice in 'method'"),
        (report(counter("GUESS", 0, 1)), UNREADABLE, "'GUESS' is unknown"),
        (report(counter("LINE", "x", 1)), UNREADABLE, "missed 'x'"),
        (report("<html/>"), UNREADABLE, "'html' has no place in 'report'"),
        (report("<package/>"), UNREADABLE, "'package' has no name"),
        (report()[:-20], UNREADABLE, "ParseError"),
        (f'<!DOCTYPE report [<!ENTITY e "x">]>{report()}', UNREADABLE, "DTD of its own"),
        (f'<!DOCTYPE report [<!ATTLIST line ci CDATA "1">]>{report()}', UNREADABLE, "DTD of its own"),
        (report("&e;"), UNREADABLE, "entity"),
        (report('<package name="p"/>', sums=""), "coverage-report-empty", "0 sources"),
    ],
)  # fmt: skip
def test_refused(refused, text, slug, words):
    error = refused(text)
    assert error.slug == slug
    assert words in error.message


@pytest.mark.parametrize(
    "before",
    [
        '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>',
        '<!DOCTYPE report PUBLIC "-//JACOCO//DTD Report 1.1//EN" "report.dtd">',
        '<!-- <coverage> --><!DOCTYPE report SYSTEM "http://192.0.2.1/report.dtd">',
    ],
)
def test_prolog_is_accepted_and_nothing_fetched(tmp_path, read, before):
    (tmp_path / "r.xml").write_text(before + report())
    assert dict(read(tmp_path / "r.xml").sources["p/A.java"].lines) == {1: True, 2: False}


def test_groups_are_summed_and_the_same_source_is_merged(tmp_path, read):
    other = package(
        lines=LINE.format(1, 1, 0, 0, 0) + LINE.format(2, 0, 3, 0, 0), sums=counters((1, 1), (), (0, 1))
    )
    text = report(
        f'<group name="a">{package()}{SUMS}</group><group name="b">{other}{counters((1, 1), (), (0, 1))}</group>',
        sums=counters((2, 2), (1, 1), (0, 2)),
    )
    (tmp_path / "r.xml").write_text(text)
    assert dict(read(tmp_path / "r.xml").sources["p/A.java"].lines) == {1: True, 2: True}


def test_group_that_lost_a_package(refused):
    error = refused(report(f'<group name="a">{package()}{counters((3, 1), (1, 1), (0, 1))}</group>'))
    assert "group 'a': LINE missed + covered declares 4, but 2" in error.message


def test_package_in_a_source_root(tmp_path):
    (tmp_path / "r.xml").write_text(report())
    for module in ("core", "edge"):
        (tmp_path / module / "java/p").mkdir(parents=True)
    (tmp_path / "core/java/p/A.java").write_text("")
    root = SourceRoot(tmp_path, roots=("core/java", "edge/java"))
    assert list(read_report(tmp_path / "r.xml", root).sources) == ["core/java/p/A.java"]


def test_package_in_two_source_roots_is_refused(tmp_path, refused):
    for module in ("core", "edge"):
        (tmp_path / module / "p").mkdir(parents=True)
        (tmp_path / module / "p/A.java").write_text("")
    error = refused(report(), roots=("core", "edge"))
    assert "core/p/A.java and" in error.message


def test_package_outside_of_the_root(refused):
    error = refused(report().replace('package name="p"', 'package name="../p"'))
    assert error.slug == "coverage-path-outside"
