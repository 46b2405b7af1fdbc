"""Go coverprofiles: blocks become lines, modules become directories, and nothing is made up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from release_gates.errors import MeasurementError
from release_gates.probes.coverage.components import unmeasured
from release_gates.probes.coverage.paths import SourceRoot
from release_gates.probes.coverage.reader import read_report

UNREADABLE = "coverage-report-unreadable"
BLOCK = "example.com/x/a.go:1.2,3.4 2 1\n"


@pytest.fixture
def profile(tmp_path):
    (tmp_path / "go.mod").write_text("// the core\nmodule example.com/x\n\ngo 1.22\n")

    def read(text, **said):
        (tmp_path / "cover.out").write_text(text)
        return read_report(tmp_path / "cover.out", SourceRoot(tmp_path, **said))

    return read


@pytest.mark.parametrize(
    ("blocks", "lines"),
    [
        ([BLOCK], {1: True, 2: True, 3: True}),
        ([BLOCK.replace(" 1\n", " 0\n"), BLOCK], {1: True, 2: True, 3: True}),
        ([BLOCK, "example.com/x/a.go:3.4,5.1 1 0\n"], {1: True, 2: True, 3: True, 4: False, 5: False}),
        ([BLOCK, "example.com/x/a.go:9.1,9.3 0 7\n"], {1: True, 2: True, 3: True}),
        ([BLOCK, "mode: count\n", "./a.go:7.1,7.1 1 0\n"], {1: True, 2: True, 3: True, 7: False}),
        (["example.com/x/a.go:1.2,1.4 1 0\r\n"], {1: False}),
    ],
)
def test_lines_of_blocks(profile, blocks, lines):
    assert dict(profile("mode: count\n" + "".join(blocks)).sources["a.go"].lines) == lines


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("mode: sets\n" + BLOCK, "line 1: mode 'sets'"),
        ("mode: set\n" + BLOCK + "mode: count\n", "line 3: mode 'count' after mode 'set'"),
        ("mode: set\n" + BLOCK[:-1], "line 2: the file ends inside"),
        ("mode: set\n" + BLOCK[:-4], "line 2: the file ends inside"),
        ("mode: set\n" + BLOCK.replace(" 2 1", " 2 2"), "line 2: count 2 in mode set"),
        ("mode: count\n" + BLOCK.replace(" 2 1", " 2 -1"), "line 2: count '-1'"),
        ("mode: count\n" + BLOCK.replace(" 2 1", " -2 1"), "line 2: statements '-2'"),
        ("mode: count\n" + BLOCK.replace(" 2 1", " 2 1e9"), "line 2: count '1e9'"),
        ("mode: count\n" + BLOCK.replace("1.2,", "-1.2,"), "line 2: line number '-1'"),
        ("mode: count\n" + BLOCK.replace("1.2,", "0.2,"), "lines count from 1"),
        ("mode: count\n" + BLOCK.replace("3.4", "1.1"), "ends before it begins"),
        ("mode: count\n" + BLOCK.replace("1.2,", "4.1,"), "ends before it begins"),
        ("mode: count\n" + BLOCK.replace("3.4", "999999.4"), "longer than any function"),
        ("mode: count\n" + BLOCK.replace("3.4", "99999999.4"), "line number '99999999'"),
        ("mode: count\n" + BLOCK + BLOCK.replace(" 2 1", " 3 1"), "line 3: this block of"),
        ("mode: count\n" + BLOCK.replace(" 2 1", " 2"), "is not path:line.column"),
        ("mode: count\n\n", "line 2: '' is not path"),
        ("mode: count\nexample.com/y/a.go:1.2,3.4 2 1\n", "'example.com/y/a.go' is of no known module"),
        ("mode: count\nexample.com/xy/a.go:1.2,3.4 2 1\n", "is of no known module (known: example.com/x)"),
        ("mode: count\n" + "x" * 70_000 + "\n", "line 2: the file ends inside"),
    ],
)
def test_refused_with_the_line(profile, text, words):
    with pytest.raises(MeasurementError) as error:
        profile(text)
    assert error.value.slug == UNREADABLE
    assert "cover.out" in error.value.message
    assert words in error.value.message
    assert error.value.hint


@pytest.mark.parametrize("text", ["mode: set\n", "mode: set\nexample.com/x/a.go:1.1,1.2 0 1\n"])
def test_nothing_measured(profile, text):
    with pytest.raises(MeasurementError) as error:
        profile(text)
    assert error.value.slug == "coverage-report-empty"


def test_no_path_escapes_its_module(profile):
    with pytest.raises(MeasurementError) as error:
        profile("mode: set\nexample.com/x/../../etc/a.go:1.1,1.2 1 1\n")
    assert error.value.slug == "coverage-path-outside"


def test_module_by_setting_and_by_folder(profile, tmp_path):
    (tmp_path / "edge").mkdir()
    (tmp_path / "edge/go.mod").write_text('module "example.com/x/edge"\n')
    (tmp_path / "go.mod").unlink()
    text = "mode: set\nexample.com/x/edge/b.go:1.1,1.2 1 1\ncore/a.go:1.1,1.2 1 0\n"
    assert list(profile(text, roots=("edge",), go_module="core").sources) == ["a.go", "edge/b.go"]


def test_other_modules_may_be_excluded(profile):
    text = "mode: set\nexample.com/y/a.go:1.1,1.2 1 1\n" + BLOCK
    assert list(profile(text, exclude=("example.com/y/**",)).sources) == ["a.go"]


def test_sources_without_code_are_not_expected(recorded, read, tmp_path):
    report = read(recorded("go/cover.out"))
    (tmp_path / "go/book/late.go").write_text("package book\n\nfunc late() {}\n")
    there = ["book/book_test.go", "book/side.go", "book/late.go"]
    assert unmeasured(report, tmp_path / "go", ["**"], [], there) == ["book/late.go"]


PART = st.sampled_from(
    ["mode: set", "mode: count", "./a.go:1.1,2.2 1 0", "./a.go:1.1,2.2 1 1", "./b.go:2.1,1.1 1 1",
     "./a.go:1.1,2.2 2 1", "./a.go:3.1,3.9 1 4", "example.com/x/b.go:1.1,1.2 0 1", "", ":", "./a.go:1.1,2.2 1 "]
)  # fmt: skip


@given(parts=st.lists(PART, max_size=8), end=st.sampled_from(["", "\n"]))
def test_any_lines(tmp_path_factory, parts, end):
    folder = tmp_path_factory.mktemp("go")
    (folder / "r").write_text("\n".join(["mode: count", *parts]) + end)
    try:
        report = read_report(folder / "r", SourceRoot(folder))
    except MeasurementError as error:
        assert error.slug in (UNREADABLE, "coverage-report-empty")  # noqa: PT017
    else:
        assert any(source.lines for source in report.sources.values())
