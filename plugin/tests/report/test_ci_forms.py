"""What CI servers are given: each form read back by somebody else's reader, never better than it is."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import msgspec
import pytest
from defusedxml import ElementTree
from hypothesis import given
from hypothesis import strategies as st
from junitparser import JUnitXml
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from release_gates.cli.reporting import FORMS
from release_gates.ledger.history import runs
from release_gates.model.outcome import Outcome
from release_gates.model.release import Release
from release_gates.model.verdict import Reason
from release_gates.probes.sarif.document import read_log
from release_gates.report.annotations import commands
from release_gates.report.findings import code_quality, sarif
from release_gates.report.junit import junit
from release_gates.report.markdown import LARGEST_BYTES, plain, summary
from release_gates.report.notification import notification
from release_gates.report.openmetrics import openmetrics
from release_gates.report.places import place_of
from release_gates.report.tally import holding, tally
from release_gates.session.release import release_of

from .sample import ACK, RATES, SMOKE, Story, held, measured, promoted

SCHEMA = Path(__file__).parent / "data/sarif-2.1.0.json"


def told(story: Story) -> Release:
    """Return the newest run with every test."""
    newest = runs(story.events)[-1]
    made = story.events[-1].at
    return release_of(story.events, newest, root=story.root, made=made, head="e" * 64, every_test=True)


@pytest.fixture
def hold(tmp_path: Path) -> Release:
    return told(held(tmp_path / "held"))


@pytest.fixture
def promote(tmp_path: Path) -> Release:
    return told(promoted(tmp_path / "promoted"))


def unfinished(release: Release) -> Release:
    return msgspec.structs.replace(release, verdict=None, limits=())


def stale(release: Release) -> Release:
    return msgspec.structs.replace(release, stands="it is 30.0 h old")


def green(form: str, text: str) -> bool:
    """Return whether a CI server would show this as fine."""
    if form == "junit":
        root = ElementTree.fromstring(text)
        return (root.get("failures"), root.get("errors")) == ("0", "0")
    if form == "openmetrics":
        return bool(re.search(r"^release_gates_promotes\{[^}]*\} 1\.0$", text, re.MULTILINE))
    if form == "codequality":
        return not any(each["severity"] in ("blocker", "major") for each in json.loads(text))
    if form == "sarif":
        return not any(
            each["level"] in ("error", "warning") for each in json.loads(text)["runs"][0]["results"]
        )
    return {"markdown": "## ✅", "github": "::notice", "html": '<header class="go">'}[form] in text


@pytest.mark.parametrize("form", sorted(FORMS))
def test_only_a_promote_that_stands_is_green(form: str, promote: Release, hold: Release) -> None:
    assert green(form, FORMS[form](promote))
    assert not green(form, FORMS[form](hold))
    for what in (stale, unfinished):
        assert not green(form, FORMS[form](what(promote)))
        assert not green(form, FORMS[form](what(hold)))


# -- JUnit ----------------------------------------------------------------------------------------


def test_junit_has_verdict_measured_and_limit(hold: Release) -> None:
    document = ElementTree.fromstring(junit(hold))
    suites = {suite.get("name"): suite for suite in document}
    assert [*suites] == ["verdict", "gate smoke", "gate load", "gate benchmark", "gate drill"]
    found = {each.get("name"): each.get("value") for each in suites["verdict"].iter("property")}
    assert found["verdict"] == "HOLD (broken)"
    assert found["counts"].startswith("2 of 13 limits broken, 5 checks not proven, 6 of 9 tests passed.")
    cases = {case.get("name"): case for case in document.iter("testcase")}
    properties = {each.get("name"): each.get("value") for each in cases[ACK].iter("property")}
    assert (properties["order_ack.p99"], properties["order_ack.p99 limit"]) == ("612 ms", "<= 500 ms")
    assert (
        cases[ACK].find("failure").get("message") == "FAIL: order_ack.p99 is 612 ms; the limit is <= 500 ms"
    )
    assert cases[RATES].find("error").get("message").startswith("MISSING: ")
    assert cases["attested:drill"].find("skipped").get("message").startswith("FAIL: recovery.time is 42 min")
    assert all(len(cases[test]) == 0 for test in SMOKE)


def test_junit_counts_as_the_terminal_does(hold: Release, promote: Release) -> None:
    for release in (hold, promote):
        assert release.verdict is not None
        names = {f"gate {gate.name}" for gate in holding(release.verdict)}
        cases = [
            case
            for suite in JUnitXml.fromstring(junit(release).encode())
            if suite.name in names
            for case in suite
        ]
        tests = [case for case in cases if not case.name.startswith("check ")]
        counts = tally(holding(release.verdict))
        assert len(tests) == counts.tests
        assert sum(case.is_passed for case in tests) == counts.passed


def test_a_test_without_a_record_is_no_pass(promote: Release) -> None:
    lost = msgspec.structs.replace(promote, tests=promote.tests[1:])
    root = ElementTree.fromstring(junit(lost))
    assert root.get("errors") == "1"


@given(st.text())
def test_junit_takes_any_text(text: str) -> None:
    from release_gates.report.junit import _text

    element = ElementTree.fromstring(_element(_text(text)))
    assert element.get("b") is not None


def _element(text: str) -> str:
    from xml.etree.ElementTree import Element, tostring

    return tostring(Element("a", b=text), encoding="unicode")


# -- GitHub ---------------------------------------------------------------------------------------


def test_the_verdict_is_the_first_of_at_most_ten(hold: Release) -> None:
    assert hold.verdict is not None
    reasons = tuple(
        Reason(outcome=Outcome.FAIL, sentence=f"no {at}", gate="load", test=ACK) for at in range(50)
    )
    many = msgspec.structs.replace(hold, verdict=msgspec.structs.replace(hold.verdict, reasons=reasons))
    lines = commands(many).splitlines()
    assert len(lines) == 10
    assert lines[0].startswith("::error title=Release gates::HOLD (broken): do not promote to staging. ")
    assert lines[1] == "::error file=suites/load/test_orders.py,title=FAIL load::no 0"
    assert "and 42 more reasons" in lines[9]


def test_no_text_becomes_a_command_or_a_link(hold: Release) -> None:
    evil = (
        "a\x1b[2J\x07\n::error::b ![x](https://evil.example/y) <img src=https://evil.example/z> | `c` @team"
    )
    assert hold.verdict is not None
    reasons = (Reason(outcome=Outcome.FAIL, sentence=evil, gate="load"),)
    release = msgspec.structs.replace(
        hold, verdict=msgspec.structs.replace(hold.verdict, reasons=reasons), stands=evil
    )
    assert len(commands(release).splitlines()) == 2
    text = summary(release)
    assert not {"\x1b", "\x07"} & {*text, *commands(release)}
    assert "https://" not in text
    assert "<img" not in text
    assert "![" not in text
    message = json.loads(notification(release))
    assert "<img" not in message["blocks"][1]["text"]["text"]
    assert "@team" not in message["blocks"][1]["text"]["text"]


def test_what_a_chat_shows_first_is_what_to_do(promote: Release) -> None:
    for release, said in (
        (promote, "may enter staging"),
        (stale(promote), "do not act on this now: staging"),
    ):
        message = json.loads(notification(release))
        assert message["text"].endswith(said)
        assert message["blocks"][0]["text"]["text"].endswith(said)


def test_a_summary_stays_below_one_mebibyte(hold: Release) -> None:
    limit = hold.limits[0]
    long = msgspec.structs.replace(limit.judged, name="n" * 5000, measured="m" * 5000)
    many = msgspec.structs.replace(hold, limits=(msgspec.structs.replace(limit, judged=long),) * 5000)
    text = summary(many)
    assert len(text.encode()) < LARGEST_BYTES < 2**20
    assert re.search(r"And 4 \d{3} limits more", text)


@given(st.text())
def test_plain_text_has_no_tag_and_no_line(text: str) -> None:
    made = plain(text)
    assert not set("<>\n\r") & set(made)
    assert not re.search(r"(?<!\\)(?:\\\\)*[|`\[]", made)


# -- metrics, findings ----------------------------------------------------------------------------


def test_openmetrics_is_read_by_its_reference_parser(hold: Release) -> None:
    families = {family.name: family for family in text_string_to_metric_families(openmetrics(hold))}
    measured_there = {
        sample.labels["name"]: (sample.value, sample.labels["unit"])
        for sample in families["release_gates_measured"].samples
    }
    assert measured_there["order_ack.p99"] == (612.0, "ms")
    counts = {s.labels["kind"]: s.value for s in families["release_gates_checks"].samples}
    assert counts["broken"] == 3
    (promotes,) = families["release_gates_promotes"].samples
    assert promotes.value == 0


def test_sarif_is_valid_and_read_back(hold: Release) -> None:
    document = json.loads(sarif(hold))
    jsonschema.validate(document, json.loads(SCHEMA.read_text()))
    results = document["runs"][0]["results"]
    assert [result["level"] for result in results] == [
        *("error", "note", "error", "warning", "error", "warning")
    ]
    read_log("report.sarif", sarif(hold).encode())
    del document["runs"][0]["tool"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, json.loads(SCHEMA.read_text()))


def test_code_quality_names_files_once(hold: Release) -> None:
    found = json.loads(code_quality(hold))
    assert len({each["fingerprint"] for each in found}) == len(found) == 6
    assert {each["location"]["path"] for each in found} == {
        "gates/staging.toml",
        "suites/load/test_orders.py",
        "suites/benchmark/test_core.py",
    }
    assert [each["severity"] for each in found] == [
        *("blocker", "minor", "blocker", "major", "blocker", "major")
    ]


def test_a_finding_keeps_its_key_while_its_value_changes(tmp_path: Path) -> None:
    keys = []
    for at, p99 in enumerate((612.0, 700.0)):
        story = held(tmp_path / str(at))
        story.run("1.6.0", measured(p99))
        keys.append({each["fingerprint"] for each in json.loads(code_quality(told(story)))})
    assert keys[0] == keys[1] != set()


@pytest.mark.parametrize(
    ("test", "place"),
    [
        ("suites/a/test_b.py::test_c[x]", "suites/a/test_b.py"),
        ("junit:core::book", ""),
        ("attested:drill", ""),
        ("../outside.py::test_a", ""),
        ("/etc/passwd.py::test_a", ""),
        ("", ""),
    ],
)
def test_where_a_test_is(test: str, place: str) -> None:
    assert place_of(test) == place
