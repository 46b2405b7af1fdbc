"""A report of checkov is taken whole or not at all: recorded ones, damaged ones, and any bytes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from release_gates.errors import MeasurementError
from release_gates.probes.checkov.report import Report, read_report

from .conftest import Edit, recorded, twice


def read(content: bytes, *, framework: str = "terraform", status: int = 1) -> Report:
    return read_report(content, framework=framework, place="infra", status=status)


def test_what_was_recorded_is_read() -> None:
    report = read(recorded("terraform"))
    assert report.summary.checkov_version == "3.3.30"
    assert len(report.results.failed_checks) == 6
    (skipped,) = report.results.skipped_checks
    assert (skipped.check_id, skipped.check_result.suppress_comment) == ("CKV_AWS_18", "nobody reads the log")
    assert {
        one.resource for one in read(recorded("kubernetes"), framework="kubernetes").results.failed_checks
    } == {"Role.trading.everything"}


def at(*path: str, value: Any) -> Edit:
    def edit(report: dict[str, Any]) -> None:
        for part in path[:-1]:
            report = report[part]
        report[path[-1]] = value

    return edit


REFUSED: dict[str, tuple[str, Edit, str]] = {
    "about something else": ("checkov-report", at("check_type", value="secrets"), "is about secrets"),
    "one finding less": (
        "checkov-report",
        lambda report: report["results"]["failed_checks"].pop(),
        "counts 6 FAILED, and the report has 5",
    ),
    "one pass more": ("checkov-report", twice("passed_checks"), "counts 4 PASSED, and the report has 5"),
    "a skip that is not told": (
        "checkov-report",
        at("results", "skipped_checks", value=[]),
        "counts 1 SKIPPED, and the report has 0",
    ),
    "a finding among the passes": (
        "checkov-report",
        lambda report: report["results"]["passed_checks"][0]["check_result"].update(result="FAILED"),
        "another result",
    ),
    "an unknown result": (
        "checkov-report",
        lambda report: report["results"]["passed_checks"][0]["check_result"].update(result="UNKNOWN"),
        "no report of checkov",
    ),
    "a negative count": ("checkov-report", at("summary", "failed", value=-1), "no report of checkov"),
    "no list of skips": (
        "checkov-report",
        lambda report: report["results"].pop("skipped_checks"),
        "no report of checkov",
    ),
    "a file that was not parsed": (
        "checkov-not-whole",
        at("results", "parsing_errors", value=["/infra/b.tf"]),
        "could not parse /infra/b.tf",
    ),
    "a count of files that were not parsed": (
        "checkov-not-whole",
        at("summary", "parsing_errors", value=2),
        "could not parse 2 files",
    ),
    "no resource": ("checkov-not-whole", at("summary", "resource_count", value=0), "saw no resource"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_add_up_is_no_report(name: str) -> None:
    slug, edit, sentence = REFUSED[name]
    with pytest.raises(MeasurementError, match=sentence) as error:
        read(recorded("terraform", edit))
    assert error.value.slug == slug


def test_the_status_has_to_fit() -> None:
    with pytest.raises(MeasurementError, match="ended with status 0, and its report has 6 findings"):
        read(recorded("terraform"), status=0)


def test_what_the_real_one_says_of_nothing_and_of_broken_files_is_no_pass() -> None:
    """Both end with status 0 and without a finding."""
    for name, sentence in (("nothing", "looked at nothing"), ("unparsed", "could not parse")):
        with pytest.raises(MeasurementError, match=sentence):
            read(recorded(name), status=0)


def test_a_report_in_which_nothing_was_asked_is_no_pass() -> None:
    def emptied(report: dict[str, Any]) -> None:
        for name in ("passed", "failed", "skipped"):
            report["results"][f"{name}_checks"], report["summary"][name] = [], 0

    with pytest.raises(MeasurementError, match="asked no check"):
        read(recorded("terraform", emptied), status=0)


WHOLE = recorded("kubernetes")


@given(st.binary(max_size=200) | st.integers(0, len(WHOLE) - 1).map(WHOLE.__getitem__).map(bytes))
def test_any_bytes_are_refused(content: bytes) -> None:
    with pytest.raises(MeasurementError):
        read(content)


@given(st.data())
def test_damage_is_refused_or_loses_no_finding(data: st.DataObject) -> None:
    """Cut, or with a value replaced: an error, or a report with as many findings as before."""
    if data.draw(st.booleans()):
        content = WHOLE[: data.draw(st.integers(0, len(WHOLE) - 1))]
    else:
        document = json.loads(WHOLE)
        place = document
        for key in data.draw(st.sampled_from(PLACES))[:-1]:
            place = place[key]
        key = data.draw(st.sampled_from(list(place) if isinstance(place, dict) else range(len(place))))
        place[key] = data.draw(st.none() | st.integers() | st.text(max_size=3) | st.just([]) | st.just({}))
        content = json.dumps(document).encode()
    try:
        report = read(content, framework="kubernetes")
    except MeasurementError:
        return
    assert len(report.results.failed_checks) == 3


PLACES = (
    ("check_type",),
    ("results", "failed_checks"),
    ("results", "failed_checks", 0, "check_result"),
    ("results", "failed_checks", 0, "check_result", "result"),
    ("results", "passed_checks", 0, "check_id"),
    ("summary", "failed"),
)
