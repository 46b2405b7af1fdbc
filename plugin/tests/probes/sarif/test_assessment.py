"""What policy does with findings, and the sentence that people read."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from release_gates.model.measurement import Attachment
from release_gates.model.outcome import Outcome
from release_gates.model.severity import Severity
from release_gates.probes.sarif.assessment import judge_findings, record_id, to_record
from release_gates.probes.sarif.findings import Finding
from release_gates.probes.sarif.known import KnownFinding
from release_gates.probes.sarif.settings import FindingsSettings

TODAY = date(2026, 3, 1)
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def finding(severity="high", identity="a", **said):
    return Finding(
        identity=identity, rule="R1", severity=Severity(severity), path="a.py", line=7, text="Bad.", **said
    )


def known(days, severity="critical", identity="a"):
    seen = TODAY - timedelta(days=days)
    return KnownFinding(
        test="t", id=identity, rule="R1", path="a.py", severity=Severity(severity), first_seen=seen
    )


def judged(found, entries=(), **said):
    settings = FindingsSettings(**said)
    each = judge_findings(found, entries, settings, today=TODAY)
    attachment = Attachment(name="f.sarif", sha256="0" * 64)
    return to_record(record_id("scan", "f.sarif"), "security", each, settings=settings, attachment=attachment, finished=NOW)  # fmt: skip


@pytest.mark.parametrize(
    ("action", "days", "outcome"),
    [
        ("block", None, "FAIL"),
        ("block", 0, "WARN"),
        ("block", 30, "WARN"),
        ("block", 31, "FAIL"),
        ("block after 7d", None, "INCONCLUSIVE"),
        ("block after 7 days", 7, "WARN"),
        ("block after 7 d", 8, "FAIL"),
        ("warn", None, "WARN"),
        ("warn", 999, "WARN"),
        ("note", None, "PASS"),
    ],
)
@pytest.mark.parametrize("severity", Severity)
def test_actions(action, days, outcome, severity):
    entries = [] if days is None else [known(days)]
    assert judged([finding(severity)], entries, **{str(severity): action}).outcome == outcome


def test_a_day_of_the_tool_makes_older_and_never_younger():
    old, late = TODAY - timedelta(days=40), TODAY + timedelta(days=40)
    assert judged([finding("medium", detected=old)]).outcome is Outcome.FAIL
    assert judged([finding("medium", detected=TODAY)]).outcome is Outcome.INCONCLUSIVE
    assert judged([finding("medium", detected=late)], [known(31)]).outcome is Outcome.FAIL


def test_undecided_findings_wait_for_a_person():
    record = judged([finding("critical", undecided=True)])
    assert record.outcome is Outcome.INCONCLUSIVE
    assert "leaves it to a person" in record.because
    assert judged([finding("critical", undecided=True)], [known(3)]).outcome is Outcome.WARN


@pytest.mark.parametrize(
    ("suppression", "policy", "outcome", "counts"),
    [
        ("justified", "justified", Outcome.WARN, (1, 0, 0)),
        ("justified", "never", Outcome.FAIL, (0, 1, 1)),
        ("unjustified", "justified", Outcome.FAIL, (0, 1, 1)),
    ],
)
def test_suppressions_are_shown_always(suppression, policy, outcome, counts):
    record = judged([finding("critical", suppression=suppression)], suppressions=policy)
    values = {each.name: each.value for each in record.measurements}
    names = ("suppressed", "suppressed_not_accepted", "new_critical")
    assert tuple(values[f"findings.{name}"] for name in names) == counts
    assert record.outcome is outcome
    assert "suppress" in record.because


def test_a_suppressed_finding_uses_up_no_known_one():
    record = judged([finding(suppression="justified"), finding()], [known(1)])
    assert {each.name: each.value for each in record.measurements}["findings.known_high"] == 1
    assert record.outcome is Outcome.WARN


def test_sentence_names_the_worst_with_place_and_remedy():
    found = [finding("high", str(n)) for n in range(3)] + [finding("critical", "c", remedy="Do not.")]
    record = judged(found)
    assert record.because.startswith(
        "4 findings block: critical R1 at a.py:7, new: Bad (remedy: Do not); high"
    )
    assert record.because.endswith("; and 1 more")
    assert judged(found[:1]).because == "1 finding blocks: high R1 at a.py:7, new: Bad"
    assert judged([finding("medium", str(n)) for n in range(2)]).because.startswith(
        "2 findings are undecided: "
    )
    assert judged([]).because == ""


def test_record():
    record = judged([finding("low"), finding("high", "b")], [known(1, identity="b")])
    assert (record.id, record.gate, record.finished) == ("sarif:scan::f.sarif", "security", NOW)
    assert record.phases == ("setup", "call", "teardown")
    assert {each.name: each.value for each in record.measurements if each.value} == {
        "findings.new_low": 1, "findings.known_high": 1, "findings.total": 2}  # fmt: skip
    assert {each.unit for each in record.measurements} == {"count"}
    assert len(record.measurements) == 12


SOME = st.lists(st.builds(finding, st.sampled_from(Severity), st.sampled_from("abc")), max_size=6)
KNOWN = st.lists(
    st.builds(known, st.integers(0, 60), st.sampled_from(Severity), st.sampled_from("abc")), max_size=4
)


@given(found=SOME, more=SOME, entries=KNOWN)
def test_never_better_with_more_findings(found, more, entries):
    assert judged([*found, *more], entries).outcome.rank >= judged(found, entries).outcome.rank


@given(found=SOME, entries=KNOWN)
def test_nothing_new_and_bad_passes(found, entries):
    record = judged(found, entries)
    values = {each.name: each.value for each in record.measurements}
    if values["findings.new_critical"] or values["findings.new_high"]:
        assert record.outcome is Outcome.FAIL
    elif values["findings.new_medium"]:
        assert not record.outcome.promotes


@pytest.mark.parametrize(
    "wrong",
    [
        {"critical": "ignore"},
        {"high": ""},
        {"medium": "block after"},
        {"medium": "block after -1d"},
        {"medium": "block after 30"},
        {"medium": "block after 1e3d"},
        {"low": "Block"},
        {"accept_for": "ever"},
        {"suppressions": "all"},
        {"criticl": "block"},
    ],
)
def test_wrong_settings(wrong):
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(wrong, FindingsSettings, strict=True)
