"""Whatever the bytes are: a clear refusal or records, and never a pass that no test case stands for."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from release_gates.errors import GateError
from release_gates.model.outcome import Outcome
from release_gates.probes.junit.reader import read_junit
from release_gates.probes.junit.records import to_records

NOW = datetime(2026, 11, 21, tzinfo=UTC)
SAMPLES = [path.read_bytes() for path in sorted((Path(__file__).parent / "samples").glob("*.xml"))]
PIECES = [
    *(
        b"<failure/>",
        b"<error/>",
        b"<skipped/>",
        b"</testcase>",
        b"<testcase name='z'>",
        b"<testcase name='y'/>",
    ),
    *(
        b"<testsuite>",
        b"</testsuite>",
        b"<![CDATA[",
        b"]]>",
        b"<!--",
        b"-->",
        b"&#x0;",
        b"\xff",
        b"\x00",
        b'"',
    ),
    *(
        b"<x:failure xmlns:x='u'/>",
        b" tests='1'",
        b" status='run'",
        b"<!DOCTYPE a>",
        b"<system-out>",
        b"&amp;",
    ),
]


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    data = draw(st.sampled_from(SAMPLES))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        length = draw(st.integers(0, 80))
        piece = draw(st.one_of(st.just(b""), st.sampled_from(PIECES), st.binary(max_size=6)))
        data = data[:at] + piece + data[at + length :]
    return data


def passes(data: bytes) -> int:
    try:
        report = read_junit("r.xml", data, written=NOW, commit_keys=("commit",))
    except GateError as error:
        return 0 if error.slug.startswith("junit-") and "r.xml" in str(error) else len(data)
    made = to_records([report], gate="unit", cell="")
    assert made
    return sum(record.outcome is Outcome.PASS for record in made)


@settings(max_examples=400, deadline=None)
@given(damaged())
def test_damage_is_never_a_pass(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    assert passes(data) <= text.count("<testcase")


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    passes(data)


RESULT = st.sampled_from(
    ["", "<failure/>", "<error/>", "<skipped/>", "<flakyFailure/>", "<failure/><skipped/>"]
)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abcd"), RESULT), min_size=1, max_size=8), st.booleans())
def test_exactly_the_clean_and_single_cases_pass(cases: list[tuple[str, str]], nested: bool) -> None:
    inside = "".join(f'<testcase name="{name}">{result}</testcase>' for name, result in cases)
    xml = f'<testsuite name="s">{inside}</testsuite>'
    data = (f"<testsuites>{xml}</testsuites>" if nested else xml).encode()
    names = [name for name, _ in cases]
    clean = sum(not result and names.count(name) == 1 for name, result in cases)
    assert passes(data) == clean


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(SAMPLES), st.data())
def test_a_file_that_was_cut_is_refused(data: bytes, draw: st.DataObject) -> None:
    whole = data.rstrip()
    end = draw.draw(st.integers(0, len(whole) - 1))
    assert passes(whole[:end]) == 0
