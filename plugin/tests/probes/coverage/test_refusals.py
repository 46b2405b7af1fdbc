"""What is refused, and that the sentence names file, place, value and remedy."""

from __future__ import annotations

import gzip
import json
import sys

import pytest

from release_gates.errors import GateError, MeasurementError, ProbeUnavailable

RISK = "orders/risk.py"
UNREADABLE, CONTRADICTION, EMPTY = (
    f"coverage-report-{end}" for end in ("unreadable", "contradiction", "empty")
)


def section(*records: str, lines: str = "DA:1,1\nLF:1\nLH:1") -> str:
    return "\n".join(["TN:", "SF:a.cpp", *records, lines, "end_of_record", ""])


def xml(body: str = "", *, valid: int = 1, covered: int = 1, head: str = "") -> str:
    line = '<line number="1" hits="1"/>'
    return (
        f'{head}<coverage lines-valid="{valid}" lines-covered="{covered}"><packages><package><classes>'
        f'<class name="A" filename="a.cpp"><methods/><lines>{body or line}</lines></class>'
        f"</classes></package></packages></coverage>"
    )


def gcovr(**line: object) -> str:
    entry = {"line_number": 1, "count": 1, "branches": []} | line
    return json.dumps(
        {"gcovr/format_version": "0.15", "files": [{"file": "a.cpp", "lines": [entry], "functions": []}]}
    )


LCOV_TABLE = {
    "negative hits": (section(lines="DA:1,-1\nLF:1\nLH:0"), UNREADABLE, "line 3", "'-1'"),
    "hits with exponent": (section(lines="DA:1,1e400\nLF:1\nLH:1"), UNREADABLE, "line 3", "'1e400'"),
    "hits are NaN": (section(lines="DA:1,nan\nLF:1\nLH:1"), UNREADABLE, "line 3", "'nan'"),
    "hits of 20 digits": (
        section(lines="DA:1,99999999999999999999\nLF:1\nLH:1"),
        UNREADABLE,
        "line 3",
        "'999",
    ),
    "no hits": (section(lines="DA:1\nLF:1\nLH:1"), UNREADABLE, "line 3", "''"),
    "line 0": (section(lines="DA:0,1\nLF:1\nLH:1"), UNREADABLE, "line 3", "'0'"),
    "line too large": (section(lines="DA:99999999,1\nLF:1\nLH:1"), UNREADABLE, "line 3", "'99999999'"),
    "LF too small": (
        section(lines="DA:1,1\nDA:2,0\nLF:1\nLH:1"),
        CONTRADICTION,
        "LF declares 1",
        "2 are recorded",
    ),
    "LH too large": (
        section(lines="DA:1,1\nDA:2,0\nLF:2\nLH:2"),
        CONTRADICTION,
        "LH declares 2",
        "1 are recorded",
    ),
    "doubled DA": (
        section(lines="DA:1,1\nDA:1,0\nLF:2\nLH:1"),
        CONTRADICTION,
        "LF declares 2",
        "1 are recorded",
    ),
    "no totals": (section(lines="DA:1,1"), UNREADABLE, "line 4", "no LF and LH"),
    "total twice": (section(lines="DA:1,1\nLF:1\nLF:1\nLH:1"), UNREADABLE, "line 5", "LF stands twice"),
    "BRH too large": (
        section("BRDA:1,0,0,-", "BRF:1", "BRH:1"),
        CONTRADICTION,
        "BRH declares 1",
        "0 are recorded",
    ),
    "FNF too small": (
        section("FN:1,f", "FN:2,g", "FNF:1"),
        CONTRADICTION,
        "FNF declares 1",
        "2 are recorded",
    ),
    "calls without FN": (section("FNDA:1,f"), UNREADABLE, "line 3", "'f'"),
    "FN without a name": (section("FN:1"), UNREADABLE, "line 3", "no function name"),
    "FNL twice": (section("FNL:0,1", "FNL:0,2"), UNREADABLE, "line 4", "twice"),
    "FNA without FNL": (section("FNA:0,1,f"), UNREADABLE, "line 3", "'0,1,f'"),
    "BRDA too short": (section("BRDA:1,0"), UNREADABLE, "line 3", "'1,0'"),
    "BRDA taken": (section("BRDA:1,0,0,?"), UNREADABLE, "line 3", "'?'"),
    "unknown record": (section("DX:1,1"), UNREADABLE, "line 3", "'DX:1,1'"),
    "torn": ("TN:\nSF:a.cpp\nDA:1,1\nLF:1\nLH:1\n", UNREADABLE, "without end_of_record", "a.cpp"),
    "torn at its end": ("TN:\nSF:a.cpp\nDA:1,1\nLF:1\nLH:1\nend_of_rec", UNREADABLE, "line 6", "end_of_rec"),
    "section in section": ("TN:\nSF:a.cpp\nSF:b.cpp\n", UNREADABLE, "line 3", "'a.cpp'"),
    "no section": ("TN:\nDA:1,1\n", UNREADABLE, "line 2", "before any SF"),
    "end without section": ("TN:\nend_of_record\n", UNREADABLE, "line 2", "end_of_record"),
    "no path": ("SF:\nend_of_record\n", UNREADABLE, "line 1", "''"),
    "no lines": ("TN:\nSF:a.cpp\nLF:0\nLH:0\nend_of_record\n", EMPTY, "0 of 0", "instrumented"),
    "no sections": ("TN:\n", EMPTY, "0 sources", "instrumented"),
    "nothing": ("", EMPTY, "0 bytes", "instrumented"),
    "white space": (" \n\n", EMPTY, "no content", "instrumented"),
}

METHOD = '<methods><method name="f"><lines><line number="{}" hits="1"/></lines></method></methods>'
CONDITION = '<line number="1" hits="1" branch="true" condition-coverage="{}"/>'
XML_TABLE = {
    "no XML": ("<coverage", UNREADABLE, "line 1", "ParseError"),
    "torn": (xml()[:-30], UNREADABLE, "line 1", "ParseError"),
    "other root": ("<html/>", UNREADABLE, "line 1", "'html'"),
    "report of another tool": ("<report/>", UNREADABLE, "line 1", "'report' has no name"),
    "Clover": ('<coverage generated="1" clover="4"/>', UNREADABLE, "line 1", "not Cobertura"),
    "internal DTD": (
        xml(head='<!DOCTYPE c [<!ATTLIST line hits CDATA "1">]>'), UNREADABLE, "line 1", "DTD of its own"),
    "entity": (xml("&e;", head='<!DOCTYPE c [<!ENTITY e "x">]>'), UNREADABLE, "line 1", "DTD of its own"),
    "undefined entity": (xml("&e;"), UNREADABLE, "line 1", "entity"),
    "external entity": (
        xml("&e;", head='<!DOCTYPE c [<!ENTITY e SYSTEM "file:///x">]>'),
        UNREADABLE, "line 1", "DTD of its own"),
    "negative hits": (xml('<line number="1" hits="-1"/>'), UNREADABLE, "line 1", "hits '-1'"),
    "infinite hits": (xml('<line number="1" hits="1e400"/>'), UNREADABLE, "line 1", "hits '1e400'"),
    "no hits": (xml('<line number="1"/>'), UNREADABLE, "line 1", "hits ''"),
    "line 0": (xml('<line number="0" hits="1"/>'), UNREADABLE, "line 1", "'0'"),
    "lines-valid": (xml(valid=2), CONTRADICTION, "lines-valid declares 2", "1 are recorded"),
    "lines-covered": (xml(covered=0), CONTRADICTION, "lines-covered declares 0", "1 are recorded"),
    "lines-valid is NaN": (xml().replace('valid="1"', 'valid="NaN"'), UNREADABLE, "line 1", "'NaN'"),
    "3 of 2": (xml(CONDITION.format("150% (3/2)")), UNREADABLE, "line 1", "150% (3/2)"),
    "0 of 0": (xml(CONDITION.format("100% (0/0)")), UNREADABLE, "line 1", "100% (0/0)"),
    "a percentage only": (xml(CONDITION.format("100%")), UNREADABLE, "line 1", "'100%'"),
    "too many": (xml(CONDITION.format("0% (0/999999)")), UNREADABLE, "line 1", "999999"),
    "branch without": (
        xml('<line number="1" hits="1" branch="true"/>'), UNREADABLE, "line 1", "branch='true"),
    "line outside": (
        xml().replace("</class>", '</class><line number="9" hits="1"/>'), UNREADABLE, "line 1", "outside"),
    "doubled line": (
        xml('<line number="1" hits="1"/><line number="1" hits="0"/>', valid=2),
        UNREADABLE, "number 1", "2 times"),
    "line of a method only": (
        xml().replace("<methods/>", METHOD.format(7)),
        UNREADABLE, "number 7", "not in its class"),
    "hit in a method only": (
        xml('<line number="1" hits="0"/>', covered=0).replace("<methods/>", METHOD.format(1)),
        UNREADABLE, "number 1", "hit in a method"),
    "no classes": ('<coverage lines-valid="0" lines-covered="0"/>', EMPTY, "0 sources", "instrumented"),
    "unknown encoding": (
        '<?xml version="1.0" encoding="klingon"?><coverage/>', UNREADABLE, "line 1", "refused"),
}  # fmt: skip

JSON_TABLE = {
    "torn": (gcovr()[:-3], UNREADABLE, "JSON", "truncated"),
    "other version": (gcovr().replace("0.15", "9.9"), UNREADABLE, "format_version", "'9.9'"),
    "negative count": (gcovr(count=-1), UNREADABLE, "$.files[0].lines[0].count", ">= 0"),
    "infinite count": (gcovr().replace('"count": 1', '"count": 1e400'), UNREADABLE, "JSON", "out of range"),
    "count is NaN": (gcovr().replace('"count": 1', '"count": NaN'), UNREADABLE, "JSON", "malformed"),
    "count is text": (gcovr(count="1"), UNREADABLE, "$.files[0].lines[0].count", "int"),
    "count is true": (gcovr(count=True), UNREADABLE, "$.files[0].lines[0].count", "int"),
    "no count": (gcovr().replace('"count": 1, ', ""), UNREADABLE, "$.files[0].lines[0]", "`count`"),
    "line 0": (gcovr(line_number=0), UNREADABLE, "$.files[0].lines[0].line_number", ">= 1"),
    "huge line": (gcovr(line_number=10**9), UNREADABLE, "$.files[0].lines[0].line_number", "<= 10000000"),
    "all excluded": (gcovr(**{"gcovr/excluded": True}), EMPTY, "0 of 0", "instrumented"),
    "no files": ('{"gcovr/format_version": "0.15", "files": []}', EMPTY, "0 sources", "instrumented"),
    "summary": ('{"gcovr/summary_format_version": "0.6"}', UNREADABLE, "summary", "gcovr --json"),
    "other JSON": ('{"a": 1}', UNREADABLE, "JSON", "neither"),
    "deep": ('{"a":' * 100_000, UNREADABLE, "JSON", "recursion"),
    "no UTF-8": (gcovr().encode().replace(b"a.cpp", b"\xff"), UNREADABLE, "JSON", "utf-8"),
}


def cases():
    tables = {"lcov": LCOV_TABLE, "xml": XML_TABLE, "json": JSON_TABLE}
    return [
        pytest.param(*row, id=f"{kind}: {name}")
        for kind, table in tables.items()
        for name, row in table.items()
    ]


@pytest.mark.parametrize(("content", "slug", "place", "value"), cases())
def test_refused_with_place_value_and_remedy(tmp_path, read, *, content, slug, place, value):
    report = tmp_path / "report"
    report.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(MeasurementError) as error:
        read(report)
    assert error.value.slug == slug
    assert str(report) in error.value.message
    assert place.lower() in str(error.value).lower()
    assert value.lower() in str(error.value).lower()
    assert error.value.hint


@pytest.mark.parametrize(
    ("edit", "place", "value"),
    [
        (lambda d: d["totals"].update(covered_lines=16), "totals", "covered_lines declares 16"),
        (lambda d: d["totals"].update(num_statements=1), "totals", "num_statements declares 1"),
        (lambda d: d["files"].pop("orders/risk.py"), "totals", "num_statements declares 19, but 2"),
        (lambda d: d["files"][RISK]["missing_lines"].clear(), RISK, "declares 17, but 13"),
        (lambda d: d["files"][RISK]["missing_branches"].clear(), RISK, "num_branches declares 6"),
        (lambda d: d["files"][RISK]["executed_lines"].append(12), RISK, "18, but 17"),
        (lambda d: d["files"]["run.py"]["executed_lines"].__setitem__(0, 0), "JSON", "executed_lines[0]"),
        (lambda d: d["files"]["run.py"].pop("missing_branches"), "run.py", "are not listed"),
        (lambda d: d["meta"].update(format=4), "meta.format", "format 4"),
        (lambda d: d["meta"].pop("format"), "$.meta", "format"),
    ],
)  # fmt: skip
def test_edited_coveragepy_json(recorded, read, edit, place, value):
    report = recorded("py/coveragepy.json")
    document = json.loads(report.read_text())
    edit(document)
    report.write_text(json.dumps(document))
    with pytest.raises(MeasurementError) as error:
        read(report)
    assert place in str(error.value)
    assert value in str(error.value)
    assert error.value.hint


def test_gcovr_tracefile_with_template_instances(recorded, read):
    with pytest.raises(MeasurementError, match=r"declares .* --merge-lines"):
        read(recorded("cpp/gcovr_templates.info"))


def test_source_path_that_is_not_utf8(tmp_path, read):
    (tmp_path / "r").write_bytes(b"TN:\nSF:\xff\xfe.cpp\nend_of_record\n")
    with pytest.raises(MeasurementError, match=r"line 2.*\\xff.*not UTF-8"):
        read(tmp_path / "r")


def test_entity_bomb(tmp_path, read):
    bomb = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
    (tmp_path / "r").write_text(
        f'<?xml version="1.0"?><!DOCTYPE c [<!ENTITY e0 "x">{bomb}]><coverage>&e11;</coverage>'
    )
    with pytest.raises(MeasurementError, match=r"line 1.*DTD of its own"):
        read(tmp_path / "r")


@pytest.mark.parametrize(
    ("content", "hint"),
    [
        (gzip.compress(b"TN:\n", mtime=0), "Decompress"),
        (b"\x7fELF", "LCOV, Cobertura"),
        (b"SQLite format 3\0", "coverage json"),
    ],
)
def test_unknown_format(tmp_path, read, content, hint):
    (tmp_path / "r").write_bytes(content)
    with pytest.raises(MeasurementError, match=hint) as error:
        read(tmp_path / "r")
    assert error.value.slug == UNREADABLE


def test_unreadable_file(tmp_path, read):
    for path in (tmp_path / "absent", tmp_path):
        with pytest.raises(MeasurementError, match="cannot be read") as error:
            read(path, root=tmp_path)
        assert error.value.slug == UNREADABLE


@pytest.mark.parametrize(
    ("module", "content"), [("defusedxml", b"<coverage/>"), ("coverage", b"SQLite format 3\0")]
)
def test_without_the_package(tmp_path, read, monkeypatch, module, content):
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setitem(sys.modules, f"{module}.ElementTree", None)
    (tmp_path / "r").write_bytes(content)
    with pytest.raises(ProbeUnavailable, match=r"pip install 'pytest-release-gates\[coverage\]'"):
        read(tmp_path / "r")


def test_path_outside_of_the_root(tmp_path, tracefile, read):
    report = tracefile({"a.cpp": {1: 1}})
    (tmp_path / "inner").mkdir()
    for name in ("../a.cpp", "/usr/include/c++/12/vector", str(tmp_path / "a.cpp"), "..", "."):
        report.write_text(tracefile({"a.cpp": {1: 1}}).read_text().replace("SF:a.cpp", f"SF:{name}"))
        with pytest.raises(GateError) as error:
            read(report, root=tmp_path / "inner")
        assert error.value.slug == "coverage-path-outside"
        assert repr(name) in str(error.value)
        assert "line 2" in str(error.value)


def test_path_outside_that_is_excluded(tmp_path, tracefile, read):
    text = tracefile({"a.cpp": {1: 1, 2: 0}}).read_text()
    (tmp_path / "r").write_text(text + text.replace("SF:a.cpp", "SF:/usr/include/c++/12/vector"))
    report = read(tmp_path / "r", exclude=("/usr/include/**",))
    assert list(report.sources) == ["a.cpp"]


def test_everything_excluded_is_empty(tmp_path, tracefile, read):
    with pytest.raises(MeasurementError, match="0 sources besides 1 excluded") as error:
        read(tracefile({"a.cpp": {1: 1}}), exclude=("**",))
    assert error.value.slug == EMPTY


def test_a_link_is_not_a_second_source(tmp_path, tracefile, read):
    text = tracefile({"a.cpp": {1: 1, 2: 0}}).read_text()
    (tmp_path / "link").symlink_to(tmp_path)
    (tmp_path / "r").write_text(text + text.replace("SF:a.cpp", "SF:link/./a.cpp"))
    assert dict(read(tmp_path / "r").sources["a.cpp"].lines) == {1: True, 2: False}


def test_source_root_must_exist(tmp_path, tracefile, read):
    with pytest.raises(MeasurementError, match=r"source_root.*not a directory"):
        read(tracefile({"a.cpp": {1: 1}}), root=tmp_path / "nowhere")
