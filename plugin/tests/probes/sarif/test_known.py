"""Known findings: what an entry covers, and that accepting changes no day."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from release_gates.errors import PolicyError
from release_gates.model.severity import Severity
from release_gates.probes.sarif.findings import Finding
from release_gates.probes.sarif.known import KnownFinding, dated, known_after, read_known, render_known

TODAY = date(2026, 3, 1)
TEST = "sarif:scan::f.sarif"


def finding(identity="a", severity=Severity.HIGH, **said):
    return Finding(identity=identity, rule="R1", severity=severity, path="a.py", line=1, text="Bad.", **said)


def known(identity="a", days=5, count=1, severity=Severity.HIGH, test=TEST):
    seen = TODAY - timedelta(days=days)
    return KnownFinding(test=test, id=identity, rule="R1", path="a.py", severity=severity, first_seen=seen, count=count, text="Bad.")  # fmt: skip


def days(findings, entries):
    return [None if day is None else (TODAY - day).days for _, day in dated(findings, entries)]


def test_a_copy_is_new():
    assert days([finding(), finding()], [known()]) == [5, None]
    assert days([finding(), finding(), finding()], [known(days=1), known(days=9, count=1)]) == [9, 1, None]


def test_a_finding_that_became_worse_is_new():
    assert days([finding(severity=Severity.CRITICAL)], [known()]) == [None]
    assert days([finding(severity=Severity.LOW)], [known()]) == [5]


def test_accepting_keeps_days_and_drops_what_is_gone():
    old = [known("a", 9), known("gone", 9), known("b", 9, test="sarif:other::g.sarif")]
    new = known_after(old, {TEST: [finding("a"), finding("a"), finding("c")]}, today=TODAY)
    assert {(each.id, (TODAY - each.first_seen).days, each.count) for each in new} == {
        ("b", 9, 1), ("a", 9, 1), ("a", 0, 1), ("c", 0, 1)}  # fmt: skip


def test_accepting_believes_an_earlier_day_of_the_tool_only():
    early, late = date(2026, 1, 1), date(2027, 1, 1)
    new = known_after([], {TEST: [finding("a", detected=early), finding("b", detected=late)]}, today=TODAY)
    assert {each.id: each.first_seen for each in new} == {"a": early, "b": TODAY}


FOUND = st.lists(st.builds(finding, st.sampled_from("abc"), st.sampled_from(Severity)), max_size=8)
ENTRIES = st.lists(
    st.builds(known, st.sampled_from("abc"), st.integers(0, 99), st.integers(1, 3), st.sampled_from(Severity)), max_size=5
)  # fmt: skip


@given(found=FOUND, entries=ENTRIES)
def test_laws(found, entries):
    before = days(found, entries)
    assert sum(day is not None for day in before) <= sum(entry.count for entry in entries)
    accepted = known_after(entries, {TEST: found}, today=TODAY)
    assert sum(entry.count for entry in accepted) == len(found)
    assert None not in days(found, accepted)
    again = known_after(accepted, {TEST: found}, today=TODAY + timedelta(days=7))
    assert max((entry.first_seen for entry in again), default=TODAY) <= TODAY
    text = render_known(accepted)
    assert sorted(map(str, read_known("k", text, today=TODAY))) == sorted(map(str, accepted))
    assert render_known(reversed(accepted)) == text or len({(e.id, e.first_seen) for e in accepted}) < len(
        accepted
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "truncated"),
        ("[]", "Expected `object`"),
        ('{"schema": 2}', "schema 2"),
        ('{"findings": [], "x": 1}', "unknown field"),
        (render_known([known(days=-1)]), "first seen on 2026-03-02, in the future"),
        (render_known([known()]).replace('"count": 1', '"count": 0'), ">= 1"),
        (render_known([known()]).replace('"high"', '"none"'), "none"),
    ],
)
def test_file_that_cannot_be_used(text, words):
    with pytest.raises(PolicyError, match=words) as error:
        read_known("gates/findings/security.json", text, today=TODAY)
    assert error.value.slug == "findings-known"


def test_empty_file():
    assert read_known("k", render_known([]), today=TODAY) == ()
