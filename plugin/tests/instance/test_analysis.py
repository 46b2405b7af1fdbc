"""The tools of the suites quality and security: what they say is read strictly, or the test is an error."""

from __future__ import annotations

import gzip
import json
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fixtures import planted
from fixtures.analysis import cpp, python, secrets
from fixtures.analysis.tools import Said, ToolError, check_all, remembered, run_tool
from fixtures.sources import Sources, SourcesError, collect, pack, unpack
from fixtures.unit_tests import declared, declared_as

GOOD = "Success: no issues found in 9 source files\n"
BAD = 'a.py:3:5: error: Name "x" is not defined  [name-defined]\na.py:3:5: note: so it is\n'
FOUND_ONE = "Found 1 error in 1 file (checked 9 source files)\n"
TIDY = (
    "a.cpp:3:5: warning: 'text' used after it was moved [bugprone-use-after-move]\n    text.size();\n    ^\n"
)
XML = '<?xml version="1.0"?><results version="2"><cppcheck version="2.10"/><errors>{}</errors></results>'
ERROR = '<error id="{}" severity="{}" msg="bad"><location file="a.cpp" line="7"/></error>'


def said(out="", err="", status=0):
    return Said(status, out, err)


def test_mypy_is_read():
    assert python.read_mypy(said(GOOD)) == ([], 9)
    (error,), files = python.read_mypy(said(BAD + FOUND_ONE, status=1))
    assert (error.rule, error.path, error.line, files) == ("name-defined", "a.py", 3, 9)


@pytest.mark.parametrize(
    "wrong",
    [
        said(),
        said("mypy 2.4\n"),
        said(GOOD, status=1),
        said(BAD + GOOD),
        said(FOUND_ONE, status=1),
        said("Traceback (most recent call last):\n" + GOOD),
        said(BAD + "Found 1 error in 1 file (errors prevented further checking)\n", status=1),
        said(GOOD + "and more\n"),
    ],
)
def test_mypy_that_did_not_end_well_is_an_error(wrong):
    with pytest.raises(ToolError):
        python.read_mypy(wrong)


def test_clang_tidy_is_read():
    (found,) = cpp.read_tidy(TIDY)
    assert (found.rule, found.path, found.line) == ("bugprone-use-after-move", "a.cpp", 3)
    assert cpp.read_tidy("") == []


@pytest.mark.parametrize(
    "wrong", ["Segmentation fault\n", "a.cpp:1:1: error: 'x.hpp' file not found [clang-diagnostic-error]\n"]
)
def test_clang_tidy_that_could_not_read_is_an_error(wrong):
    with pytest.raises(ToolError):
        cpp.read_tidy(wrong)


def test_cppcheck_is_read():
    version, (found,) = cpp.read_cppcheck(said(err=XML.format(ERROR.format("nullPointer", "error"))))
    assert (version, found.rule, found.level, found.line) == ("2.10", "nullPointer", "error", 7)


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "cppcheck: error: no such file",
        XML.format("")[:-12],
        "<results/>",
        XML.format(ERROR.format("syntaxError", "error")),
        XML.format(ERROR.format("internalError", "error")),
        XML.format(ERROR.format("", "error")),
        '<!DOCTYPE a [<!ENTITY b "c">]>' + XML.format(""),
    ],
)
def test_cppcheck_that_could_not_read_is_an_error(wrong):
    with pytest.raises(ToolError):
        cpp.read_cppcheck(said(err=wrong))


@settings(max_examples=80, deadline=None)
@given(st.text(max_size=60), st.integers(0, 200), st.integers(0, 200))
def test_garbage_is_an_error_and_never_no_finding(piece, start, end):
    whole = XML.format(ERROR.format("nullPointer", "error"))
    for read, text in (
        (lambda text: cpp.read_cppcheck(said(err=text))[1], whole[:start] + piece + whole[end:]),
        (lambda text: python.read_mypy(said(text, status=1))[0], piece + BAD + FOUND_ONE[end:]),
    ):
        try:
            found = read(text)
        except ToolError:
            continue
        assert found or "nullPointer" not in text


def test_a_tool_that_is_absent_crashes_or_looks_away_is_an_error(tmp_path):
    with pytest.raises(ToolError, match="no-such-tool is not installed"):
        run_tool(["no-such-tool"], cwd=tmp_path, accept={0})
    with pytest.raises(ToolError, match="sh ended with status 3: broken"):
        run_tool(["sh", "-c", "echo broken; exit 3"], cwd=tmp_path, accept={0, 1})
    with pytest.raises(ToolError, match=r"did not look at b\.py"):
        check_all("ruff", ["a.py", "b.py"], ["a.py"])
    with pytest.raises(ToolError, match="nothing to look at"):
        check_all("ruff", [], [])


def test_no_sources_are_no_pass(tmp_path):
    empty = Sources(tmp_path, tmp_path / "cache", tmp_path)
    for tool in (python.ruff, cpp.clang_tidy):
        with pytest.raises(ToolError, match="nothing to look at"):
            tool(empty, tmp_path / "x.sarif")


def test_what_is_remembered_is_of_exactly_this_content_and_damage_is_made_anew(tmp_path):
    assert remembered(tmp_path, ["a", 1], lambda: "one") == "one"
    assert remembered(tmp_path, ["a", 1], lambda: "two") == "one"
    assert remembered(tmp_path, ["a", 2], lambda: "two") == "two"
    for file in tmp_path.iterdir():
        file.write_text('{"key": "other", "said": ""}')
    assert remembered(tmp_path, ["a", 1], lambda: "three") == "three"


def baseline(**entry):
    digest = "ab3ffe9c11" * 4
    found = {"type": "Secret Keyword", "filename": "a.py", "hashed_secret": digest, **entry}
    return json.dumps({"plugins_used": [{"name": "KeywordDetector"}], "results": {"a.py": [found]}})


def test_only_what_a_person_audited_is_no_secret():
    assert secrets.read_audited(baseline(is_secret=False)) == {("a.py", "Secret Keyword", "ab3ffe9c11" * 4)}
    assert not secrets.read_audited(baseline())
    assert not secrets.read_audited(baseline(is_secret=True))
    for nothing in (None, "", "[]", "{}", '{"plugins_used": []}'):
        with pytest.raises(ToolError):
            secrets.read_settings(nothing)


def test_a_secret_is_found_and_a_file_that_is_no_text_is_an_error(tmp_path):
    root, policy = tmp_path / "sources", (planted.prepare.ROOT / "gates" / secrets.BASELINE).read_text()
    root.mkdir()
    (root / "a.py").write_text(f"{secrets.CANARIES['AWS Access Key']}  # pragma: allowlist secret\n")
    sources = Sources(root, tmp_path / "cache", trusted(tmp_path))
    assert secrets.detect_secrets(sources, tmp_path / "x.sarif", policy) == 1
    (result,) = json.loads((tmp_path / "x.sarif").read_text())["runs"][0]["results"]
    assert result["ruleId"] == "AWS-Access-Key"
    (root / "gates").mkdir()
    (root / "gates" / secrets.BASELINE).write_text(baseline(is_secret=False))
    secrets.detect_secrets(sources, tmp_path / "x.sarif", policy)
    results = json.loads((tmp_path / "x.sarif").read_text())["runs"][0]["results"]
    assert len(results) > 1, "a baseline that is not that of the run is a file like any other"
    (root / "b.bin").write_bytes(b"\xff\xfe")
    with pytest.raises(ToolError, match=r"b\.bin is no text"):
        secrets.detect_secrets(sources, tmp_path / "x.sarif", policy)
    blind = json.dumps({"plugins_used": [{"name": "KeywordDetector"}]})
    with pytest.raises(ToolError, match="does not find the AWS Access Key"):
        secrets.detect_secrets(sources, tmp_path / "x.sarif", blind)


@pytest.mark.parametrize("name", ["a.css", "a.svg", "poetry.lock", "reports/package-lock.json", "swagger.py"])
def test_a_secret_is_found_whatever_its_file_is_called(tmp_path, name):
    policy = (planted.prepare.ROOT / "gates" / secrets.BASELINE).read_text()
    file = tmp_path / "sources" / name
    file.parent.mkdir(parents=True)
    file.write_text(secrets.CANARIES["AWS Access Key"])
    secrets.detect_secrets(
        Sources(tmp_path / "sources", tmp_path / "cache", tmp_path), tmp_path / "x.sarif", policy
    )
    assert places(tmp_path / "x.sarif") == [("AWS-Access-Key", name)]


def trusted(folder, text='[tool.ruff.lint]\nselect = ["F"]\n[tool.mypy]\nstrict = true\n'):
    """Write the configuration of those who decide, beside the candidate's sources."""
    (folder / "trusted").mkdir(exist_ok=True)
    (folder / "trusted" / "pyproject.toml").write_text(text)
    return folder / "trusted"


def places(file):
    results = json.loads(file.read_text())["runs"][0]["results"]
    return [(r["ruleId"], r["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]) for r in results]


def test_no_file_of_the_candidate_configures_ruff(tmp_path):
    root = tmp_path / "sources"
    (root / "sub").mkdir(parents=True)
    loose = '[tool.ruff]\nextend-exclude = ["sub"]\n[tool.ruff.lint]\nselect = ["W605"]\nignore = ["F401"]\n'
    (root / "pyproject.toml").write_text(loose)
    for folder in (root, root / "sub"):
        (folder / "ruff.toml").write_text('[lint]\nselect = ["W605"]\n')
        (folder / "a.py").write_text("import os\n")
    python.ruff(Sources(root, tmp_path / "cache", trusted(tmp_path)), tmp_path / "x.sarif")
    assert [rule for rule, _ in places(tmp_path / "x.sarif")] == ["F401", "F401"]


@pytest.mark.parametrize("text", ["# ruff: noqa\n{}\n", "{}  # noqa\n"])
def test_a_comment_that_hides_every_rule_is_a_finding_of_the_security_gate(tmp_path, text):
    root = tmp_path / "sources"
    root.mkdir()
    (root / "a.py").write_text("import os\n" + text.format('os.system("ls " + os.name)'))
    python.ruff(Sources(root, tmp_path / "cache", trusted(tmp_path)), tmp_path / "x.sarif", python.SECURITY)
    assert [rule for rule, _ in places(tmp_path / "x.sarif")] == ["PGH004"]


def test_a_module_of_the_candidate_is_not_the_tool(tmp_path, monkeypatch):
    monkeypatch.setattr(python, "TYPED", ("conftest.py",))
    root = tmp_path / "sources"
    root.mkdir()
    (root / "conftest.py").write_text("import os\ndef f(x):\n    return 1\n")
    for name in ("ruff", "mypy"):
        (root / f"{name}.py").write_text("print('Success: no issues found in 9999 source files')\n")
    sources = Sources(root, tmp_path / "cache", trusted(tmp_path))
    python.ruff(sources, tmp_path / "x.sarif")
    ((rule, place),) = places(tmp_path / "x.sarif")
    assert (rule, place.rpartition("/")[2]) == ("F401", "conftest.py")
    python.mypy(sources, tmp_path / "x.sarif")
    assert places(tmp_path / "x.sarif") == [("no-untyped-def", "conftest.py")]


def test_without_a_configuration_of_those_who_decide_nothing_is_looked_at(tmp_path):
    (tmp_path / "sources").mkdir()
    (tmp_path / "sources" / "a.py").write_text("")
    for tool in (python.ruff, python.mypy):
        with pytest.raises(ToolError, match="says how ruff and mypy look"):
            tool(Sources(tmp_path / "sources", tmp_path / "cache", tmp_path), tmp_path / "x.sarif")


def test_a_comment_that_tells_mypy_to_look_away_is_a_finding(tmp_path, monkeypatch):
    monkeypatch.setattr(python, "TYPED", ("conftest.py",))
    root = tmp_path / "sources"
    root.mkdir()
    (root / "conftest.py").write_text("import os\n# mypy: ignore-errors\ndef f(x):\n    return 1\n")
    python.mypy(Sources(root, tmp_path / "cache", trusted(tmp_path)), tmp_path / "x.sarif")
    assert places(tmp_path / "x.sarif") == [("inline-configuration", "conftest.py")]


def test_mypy_is_strict_whatever_else_the_candidate_configures(tmp_path, monkeypatch):
    monkeypatch.setattr(python, "TYPED", ("conftest.py",))
    root = tmp_path / "sources"
    root.mkdir()
    (root / "pyproject.toml").write_text("[tool.mypy]\nstrict = false\n")
    (root / "mypy.ini").write_text("[mypy]\nignore_errors = True\n")
    (root / "conftest.py").write_text("def f(x):\n    return 1\n")
    assert python.mypy(Sources(root, tmp_path / "cache", trusted(tmp_path)), tmp_path / "x.sarif") == 1
    assert places(tmp_path / "x.sarif") == [("no-untyped-def", "conftest.py")]


def test_a_file_of_the_candidate_does_not_configure_clang_tidy(tmp_path, monkeypatch):
    monkeypatch.setattr(cpp, "TIDIED", ("journal",))
    root, folder = tmp_path / "sources", tmp_path / "sources" / cpp.ENGINE / "journal"
    folder.mkdir(parents=True)
    (folder.parent / "core").mkdir()
    option = "bugprone-unused-return-value.CheckedFunctions"
    (folder / ".clang-tidy").write_text(f"CheckOptions:\n  - {{key: {option}, value: '::none'}}\n")
    (folder / "lost.inc").write_text("")
    (folder / "a.cpp").write_text('#include <memory>\n#include "lost.inc"\n')
    sources, file = Sources(root, tmp_path / "cache", trusted(tmp_path)), tmp_path / "x.sarif"
    assert cpp.clang_tidy(sources, file) == 1
    assert places(file) == []
    (folder / "lost.inc").write_text("inline void f(std::unique_ptr<int> p) { p.release(); }\n")
    cpp.clang_tidy(sources, file)
    expected = ("bugprone-unused-return-value", f"{cpp.ENGINE}/journal/lost.inc")
    assert expected in places(file), "what a unit includes is part of what is remembered of it"


def test_an_archive_is_the_same_bytes_and_comes_back_whole(tmp_path):
    files = {"b/c.py": b"1", "a.py": b"2"}
    pack(files, tmp_path / "1.tar.gz")
    pack(dict(reversed(files.items())), tmp_path / "2.tar.gz")
    assert (tmp_path / "1.tar.gz").read_bytes() == (tmp_path / "2.tar.gz").read_bytes()
    unpack(tmp_path / "1.tar.gz", tmp_path / "out")
    assert Sources(tmp_path / "out", tmp_path, tmp_path).files(".py") == ("a.py", "b/c.py")


def test_what_is_no_file_is_not_left_out_in_silence(tmp_path):
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    (tmp_path / "a.py").write_text("1\n")
    assert list(collect(tmp_path)) == ["a.py"]
    (tmp_path / "b.py").symlink_to("a.py")
    with pytest.raises(SourcesError, match=r"b\.py: a link"):
        collect(tmp_path)


def test_a_damaged_archive_is_an_error_and_no_smaller_one(tmp_path):
    pack({f"{name}.py": b"x = 1\n" * 9 for name in "abc"}, tmp_path / "whole.tar.gz")
    data = bytearray(gzip.decompress((tmp_path / "whole.tar.gz").read_bytes()))
    for position in (148, 1024 + 148, 2048 + 148):  # the checksums of the headers
        damaged = bytes(data[:position]) + b"\xff" * 8 + bytes(data[position + 8 :])
        (tmp_path / "bad.tar.gz").write_bytes(gzip.compress(damaged))
        with pytest.raises(SourcesError, match="damaged"):
            unpack(tmp_path / "bad.tar.gz", tmp_path / f"out-{position}")
    packed = (tmp_path / "whole.tar.gz").read_bytes()
    for torn in (b"", b"x", packed[:-20], packed[:30], gzip.compress(b""), gzip.compress(bytes(data[:1024]))):
        (tmp_path / "bad.tar.gz").write_bytes(torn)
        with pytest.raises(SourcesError):
            unpack(tmp_path / "bad.tar.gz", tmp_path / "torn")


@pytest.mark.parametrize("files", [{}, {"../a.py": b"1"}, {"/a.py": b"1"}])
def test_an_archive_that_is_no_source_tree_is_refused(tmp_path, files):
    pack(files, tmp_path / "1.tar.gz")
    with pytest.raises(SourcesError):
        unpack(tmp_path / "1.tar.gz", tmp_path / "out")


def test_declared_tests_are_those_of_the_report():
    sources = Sources(planted.prepare.ROOT, planted.prepare.ROOT, planted.prepare.ROOT)
    assert "AllocationCounter.CountsEveryFormOfNew" in declared(sources)
    assert (
        declared_as("junit:Books/OrderBooks::Books/OrderBooks::FindWhatRests/0") == "OrderBooks.FindWhatRests"
    )


def test_each_defect_in_the_sources_changes_one_file_of_the_copy_alone():
    before = collect(planted.prepare.ROOT)
    for change in planted.IN_SOURCES.values():
        after = dict(before)
        change(after)
        assert [name for name in before if after[name] != before[name]] != []
        assert sum(after[name] != before[name] for name in before) == 1
