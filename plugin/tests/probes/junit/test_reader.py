"""What each tool writes, what is refused, and how a bad candidate might try to look good."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from release_gates.errors import GateError, MeasurementError
from release_gates.model.evidence import TestRecord
from release_gates.model.outcome import Outcome
from release_gates.probes.junit.facts import Report
from release_gates.probes.junit.reader import check_commit, read_junit
from release_gates.probes.junit.records import to_records

SAMPLES = Path(__file__).parent / "samples"
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
KEYS = ("commit", "git.commit", "GIT_COMMIT")


def read(data: bytes | str, **more: object) -> Report:
    content = data.encode() if isinstance(data, str) else data
    return read_junit("r.xml", content, written=NOW, commit_keys=KEYS, **more)  # type: ignore[arg-type]


def records(*data: bytes | str, cell: str = "") -> dict[str, TestRecord]:
    made = to_records([read(each) for each in data], gate="unit", cell=cell)
    return {record.id: record for record in made}


def outcomes(*data: bytes | str) -> dict[str, str]:
    return {test.removeprefix("junit:"): str(record.outcome) for test, record in records(*data).items()}


def suite(inside: str, header: str = "") -> str:
    return f'<testsuite name="s" {header}>{inside}</testsuite>'


def case(inside: str = "", more: str = "", name: str = "a") -> str:
    return f'<testcase classname="C" name="{name}" {more}>{inside}</testcase>'


SAID = {
    "pytest.xml": {
        "pytest::test_a::test_double": "FAIL",
        "pytest::test_a::test_err": "ERROR",
        "pytest::test_a::test_fail": "FAIL",
        "pytest::test_a::test_p[1]": "PASS",
        "pytest::test_a::test_p[2]": "PASS",
        "pytest::test_a::test_pass": "PASS",
        "pytest::test_a::test_skip": "INCONCLUSIVE",
        "pytest::test_a::test_tear": "ERROR",
        "pytest::test_a::test_xfail": "INCONCLUSIVE",
    },
    "rerunfailures.xml": {
        "pytest::test_r::test_flaky": "ERROR",
        "pytest::test_r::test_never": "FAIL",
    },
    "googletest.xml": {
        "Book::Book::Adds": "PASS",
        "Book::Book::DISABLED_Later": "INCONCLUSIVE",
        "Book::Book::Fails": "FAIL",
        "Book::Book::Skips": "INCONCLUSIVE",
        "Few/P::Few/P::Holds/0": "PASS",
        "Few/P::Few/P::Holds/1": "PASS",
        "S::S::Inside": "INCONCLUSIVE",
    },
    "jest.xml": {
        "book::book adds::book adds": "PASS",
        "book::book fails::book fails": "FAIL",
        "book::book same::book same": "ERROR",
        "book::book skips::book skips": "INCONCLUSIVE",
    },
    "node.xml": {
        "::test::adds": "PASS",
        "::test::fails": "FAIL",
        "::test::skipped": "INCONCLUSIVE",
        "::test::todo": "INCONCLUSIVE",
        "outer::test::inner": "PASS",
    },
    "surefire.xml": {
        "exchange.BookTest::exchange.BookTest::adds": "PASS",
        "exchange.BookTest::exchange.BookTest::breaks": "ERROR",
        "exchange.BookTest::exchange.BookTest::disabled": "INCONCLUSIVE",
        "exchange.BookTest::exchange.BookTest::each(int)[1]": "PASS",
        "exchange.BookTest::exchange.BookTest::fails": "FAIL",
        "exchange.BookTest::exchange.BookTest::flaky": "FAIL",
    },
    "gradle.xml": {
        "exchange.RiskTest::exchange.RiskTest::later()": "INCONCLUSIVE",
        "exchange.RiskTest::exchange.RiskTest::limits()": "PASS",
        "exchange.RiskTest::exchange.RiskTest::rejects()": "FAIL",
    },
    "gotestsum.xml": {
        "example.com/exchange/book::example.com/exchange/book::TestAdd/bid": "PASS",
        "example.com/exchange/book::example.com/exchange/book::TestCancel": "FAIL",
        "example.com/exchange/book::example.com/exchange/book::TestNUMA": "INCONCLUSIVE",
        "example.com/exchange/broken::::TestMain": "FAIL",
    },
}


@pytest.mark.parametrize("file", SAID)
def test_each_tool_is_read(file: str) -> None:
    assert outcomes((SAMPLES / file).read_bytes()) == SAID[file]


def test_every_sample_is_tried() -> None:
    assert {path.name for path in SAMPLES.glob("*.xml")} == set(SAID)


@pytest.mark.parametrize(
    ("file", "tool", "version"),
    [
        ("pytest.xml", "pytest", ""),
        ("googletest.xml", "GoogleTest", ""),
        ("jest.xml", "jest-junit", ""),
        ("surefire.xml", "maven-surefire", ""),
        ("gotestsum.xml", "gotestsum", "go1.23.2 linux/amd64"),
        ("gradle.xml", "", ""),
    ],
)
def test_the_tool_is_known_where_the_file_tells(file: str, tool: str, version: str) -> None:
    report = read((SAMPLES / file).read_bytes())
    assert (report.tool, report.version) == (tool, version)


def test_a_rerun_is_an_attempt() -> None:
    found = records((SAMPLES / "surefire.xml").read_bytes())
    flaky = found["junit:exchange.BookTest::exchange.BookTest::flaky"]
    assert (flaky.attempts, flaky.outcome, flaky.last) == (2, Outcome.FAIL, Outcome.PASS)
    assert flaky.because.startswith("first try")
    again = records((SAMPLES / "rerunfailures.xml").read_bytes())["junit:pytest::test_r::test_flaky"]
    assert (again.attempts, again.outcome, again.last) == (2, Outcome.ERROR, Outcome.PASS)


def test_sentences_are_those_of_our_own_tests() -> None:
    found = {
        test.rpartition("::")[2]: each.because
        for test, each in records((SAMPLES / "pytest.xml").read_bytes()).items()
    }
    assert found["test_skip"] == "skipped: not today"
    assert found["test_xfail"] == "expected to fail (known)"
    assert found["test_fail"] == "assert 1 == 2"
    google = records((SAMPLES / "googletest.xml").read_bytes())
    assert google["junit:Book::Book::Fails"].because == "g.cc:5 Expected equality of these values:"
    assert google["junit:Book::Book::DISABLED_Later"].because == "skipped: status=notrun"


# -- how could a bad candidate look good? ---------------------------------------------------------

BAD = {
    "empty error element": (case("<error/>"), "ERROR"),
    "empty failure element": (case("<failure/>"), "FAIL"),
    "skipped and failure": (case("<skipped/><failure message='x'/>"), "FAIL"),
    "failure and error": (case("<error/><failure/>"), "FAIL"),
    "not run, by attribute": (case(more='status="notrun" result="suppressed"'), "INCONCLUSIVE"),
    "skipped, in capitals": (case(more='status="SKIPPED"'), "INCONCLUSIVE"),
    "failed, by attribute": (case(more='status="failed"'), "FAIL"),
    "failed, though it was run": (case(more='status="run" result="failed"'), "FAIL"),
    "error, by attribute": (case(more='result="Timeout"'), "ERROR"),
    "passed, with a failure": (case("<failure/>", 'status="passed" result="completed"'), "FAIL"),
    "disabled flag": (case(more='disabled="true"'), "INCONCLUSIVE"),
    "success flag": (case(more='success="false"'), "FAIL"),
    "verdict": (case(more='verdict="Fail"'), "FAIL"),
    "failed flag": (case(more='failed="true"'), "FAIL"),
    "failure attribute": (case(more='failure="1 == 2"'), "FAIL"),
    "flaky": (case("<flakyError message='x'/>"), "ERROR"),
    "twice, one passes": (case() + case("<failure/>"), "FAIL"),
    "twice, one skipped": (case() + case("<skipped/>"), "ERROR"),
    "twice, both skipped": (case("<skipped/>") * 2, "INCONCLUSIVE"),
    "twice, both pass": (case() + case(), "ERROR"),
    "nested suites": (f'<testsuite name="s">{case("<failure/>")}</testsuite>', "FAIL"),
    "failure beside output": (case("<system-out>all passed</system-out><failure/>"), "FAIL"),
}  # fmt: skip


@pytest.mark.parametrize(("inside", "outcome"), BAD.values(), ids=BAD)
def test_nothing_bad_passes(inside: str, outcome: str) -> None:
    assert list(outcomes(suite(inside)).values()) == [outcome]


def test_output_is_only_text() -> None:
    fake = "&lt;testcase name='b'/&gt;<![CDATA[</testcase><testcase name='c'/>]]>"
    assert outcomes(suite(case(f"<system-out>{fake}</system-out><failure/>"), 'tests="1"')) == {
        "s::C::a": "FAIL"
    }


REFUSED = {
    "failure of another namespace": (suite(case('<x:failure xmlns:x="urn:x"/>')), "of which this reader does not know"),
    "all in a namespace": ('<testsuite xmlns="urn:x" name="s"><testcase name="a"/></testsuite>', "root element"),
    "failure in other letters": (suite(case("<Failure/>")), "'Failure'"),
    "unknown element": (suite(case("<aborted/>")), "'aborted'"),
    "failure of the suite": (suite(case() + "<failure/>"), "'failure'"),
    "case in output": (suite(case() + "<system-out><testcase name='b'/></system-out>"), "'testcase'"),
    "case in a case": (suite(case(case("<failure/>"))), "'testcase'"),
    "unknown status": (suite(case(more='status="meh"')), "status='meh'"),
    "attribute in other letters": (suite(case(more='Status="failed"')), "'Status'"),
    "header in other letters": (suite(case(), 'Failures="1"'), "'Failures'"),
    "failures of a case": (suite(case(more='failures="2"')), "failures='2'"),
    "neither true nor false": (suite(case(more='success="no"')), "success='no'"),
    "no name": (suite("<testcase/>"), "without a name"),
    "more tests claimed": (suite(case(), 'tests="2"'), "tests=2, but its test cases show 1"),
    "fewer tests claimed": (suite(case() + case(name="b"), 'tests="1"'), "tests=1"),
    "failures lost": (suite(case(), 'tests="1" failures="1"'), "failures=1, but its test cases show 0"),
    "failures denied": (suite(case("<failure/>"), 'failures="0"'), "failures=0, but its test cases show 1"),
    "errors lost": (suite(case(), 'errors="1"'), "errors=1"),
    "skips lost": (suite(case(), 'skipped="1"'), "skipped=1"),
    "disabled lost": (suite(case(), 'disabled="1"'), "disabled=1"),
    "root claims more": (f'<testsuites tests="5">{suite(case())}</testsuites>', "tests=5"),
    "negative count": (suite(case(), 'tests="-1"'), "tests='-1'"),
    "negative time": (suite(case(more='time="-0.1"')), "time='-0.1'"),
    "no number": (suite(case(more='time="NaN"')), "time='NaN'"),
    "infinite": (suite(case(more='time="1e999"')), "time='1e999'"),
    "infinite suite": (suite(case(), 'time="inf"'), "time='inf'"),
    "no date": (suite(case(), 'timestamp="yesterday"'), "timestamp='yesterday'"),
    "not closed": (suite(case())[:-5], "refused"),
    "two roots": (suite(case()) * 2, "refused"),
    "entities": (f'<!DOCTYPE t [<!ENTITY a "b">]>{suite(case())}', "DTD or entities"),
    "external entity": (f'<!DOCTYPE t SYSTEM "file:///etc/passwd">{suite(case())}', "DTD or entities"),
    "unknown entity": (suite(case("<failure>&a;</failure>")), "refused"),
    "not XML": ("tests passed: 12", "refused"),
    "another format": ("<coverage/>", "'coverage'"),
    "empty file": ("", "no test case"),
    "no case": (suite(""), "no test case"),
    "only empty suites": ("<testsuites><testsuite name='s'/></testsuites>", "no test case"),
    "control character": (suite(case("<failure>&#0;</failure>")), "refused"),
    "endless name": (suite(case(name="x" * 3000)), "3000 characters"),
    "too deep": ("<testsuite>" * 40 + case() + "</testsuite>" * 40, "more than 32"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "says"), REFUSED.values(), ids=REFUSED)
def test_refused(text: str, says: str) -> None:
    with pytest.raises(MeasurementError) as caught:
        read(text)
    assert says in str(caught.value)
    assert "r.xml" in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (suite(case()).encode().replace(b'"a"', b'"\xff\xfe"'), "refused"),
        (b'<?xml version="1.0" encoding="windows-1252"?>' + suite(case()).encode(), "windows-1252"),
        (b'<?xml version="1.0" encoding="utf-7"?>' + suite(case()).encode(), "multi-byte"),
        (b'<?xml version="1.0" encoding="utf-16"?>' + suite(case()).encode(), "refused"),
        (b"\xef\xbb\xbf", "no test case"),
        (b"\x00" * 64, "no test case"),
        (b"PK\x03\x04" + b"x" * 64, "refused"),
    ],
)
def test_damaged_bytes_are_refused(data: bytes, says: str) -> None:
    with pytest.raises(MeasurementError, match=r"r\.xml") as caught:
        read(data)
    assert says in str(caught.value)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-8"])
def test_every_honest_encoding_says_the_same(encoding: str) -> None:
    assert outcomes(suite(case("<failure/>", name="größe")).encode(encoding)) == {"s::C::größe": "FAIL"}


def test_two_files_with_the_same_suite_do_not_replace_each_other() -> None:
    found = records(suite(case("<failure message='bad'/>")), suite(case()))
    assert [each.outcome for each in found.values()] == [Outcome.FAIL]
    passing = records(suite(case(), 'time="1"'), suite(case(), 'time="2"'))["junit:s::C::a"]
    assert (passing.outcome, passing.last) == (Outcome.ERROR, Outcome.ERROR)
    assert "stands 2 times" in passing.because


def test_two_files_can_be_told_apart() -> None:
    assert [each.id for each in read(suite(case()), suite="core").cases] == ["junit:core::C::a"]


def test_a_cell_is_part_of_the_id() -> None:
    found = records(suite(case()), cell="python=3.11,os=linux")
    assert list(found) == ["junit:s::C::a[python=3.11,os=linux]"]
    assert found["junit:s::C::a[python=3.11,os=linux]"].cell == "python=3.11,os=linux"


def test_the_oldest_time_counts() -> None:
    old, new = "2026-11-20T10:00:00Z", "2026-11-21T11:00:00+00:00"
    report = read(
        f'<testsuites timestamp="{new}"><testsuite name="s" timestamp="{old}">{case()}</testsuite></testsuites>'
    )
    assert report.taken == datetime(2026, 11, 20, 10, tzinfo=UTC)
    assert report.dated
    assert read(suite(case())).taken == NOW
    assert not read(suite(case())).dated


def test_a_time_without_a_zone_is_the_earlier_one(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    for zone, hours in (("Etc/GMT-5", -5), ("Etc/GMT+5", 0)):
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        taken = read(suite(case(), 'timestamp="2026-11-21T11:00:00"')).taken
        assert taken == datetime(2026, 11, 21, 11, tzinfo=UTC) + timedelta(hours=hours)
    monkeypatch.delenv("TZ")
    time.tzset()


@pytest.mark.parametrize(
    ("value", "commit", "fits"),
    [
        ("0123abc4567", "0123abc4567", True),
        ("0123abc", "0123abc4567", True),
        ("0123ABC4567", "0123abc", True),
        ("0123ab", "0123abc4567", False),
        ("fedcba98765", "0123abc4567", False),
        ("0123abc4567-dirty", "0123abc4567", False),
        ("", "0123abc4567", False),
        ("0123abc4567", "", False),
    ],
)
def test_a_commit_has_to_be_the_candidates(value: str, commit: str, *, fits: bool) -> None:
    report = read(suite(f'<properties><property name="git.commit" value="{value}"/></properties>{case()}'))
    if fits:
        check_commit(report, commit, required=True)
        return
    with pytest.raises(GateError, match=r"git\.commit") as caught:
        check_commit(report, commit, required=False)
    assert caught.value.slug == "junit-foreign-commit"


def test_a_commit_can_be_required() -> None:
    report = read(suite(case()))
    check_commit(report, "0123abc", required=False)
    with pytest.raises(GateError, match="junit-foreign-commit"):
        check_commit(report, "0123abc", required=True)
