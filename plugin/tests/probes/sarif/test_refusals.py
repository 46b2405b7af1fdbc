"""What is refused: a file that does not show that a tool looked at the candidate, and at all of it."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from release_gates.errors import MeasurementError
from release_gates.probes.sarif.completeness import check_commit, check_sources, ended
from release_gates.probes.sarif.document import read_log
from release_gates.probes.sarif.places import Places

from .conftest import document, read, result, tool_run

UNREADABLE, NOT_RUN, FAILED, CONTRADICTION = (
    f"sarif-{end}" for end in ("unreadable", "not-run", "run-failed", "contradiction")
)
RULES = [{"id": "R1"}, {"id": "R2", "properties": {"security-severity": "9.8"}}]


def call(**said):
    return {"invocations": [{"executionSuccessful": True, **said}]}


def note(level):
    return [{"level": level, "message": {"text": "out of\nmemory"}}]


def pointing(**said):
    return document(tool_run(result(**said), rules=RULES))


def noted(descriptor):
    run = tool_run(
        **call(toolExecutionNotifications=[{"descriptor": descriptor, "message": {"text": "out of memory"}}])
    )
    kinds = [{"id": "N0"}, {"id": "N1", "guid": "g1", "defaultConfiguration": {"level": "error"}}]
    run["tool"]["driver"]["notifications"] = kinds
    return document(run)


TABLE = {
    "torn": (document(tool_run(result()))[:-9], UNREADABLE, "no whole JSON"),
    "empty": (b"", UNREADABLE, "line 1, column 1"),
    "not UTF-8": (b'{"a": "\xff"}', UNREADABLE, "byte 7"),
    "a list": (b"[]", UNREADABLE, "no JSON object"),
    "no version": (b'{"runs": []}', UNREADABLE, "$.version: is None"),
    "version 2.0.0": (document().replace(b"2.1.0", b"2.0.0"), UNREADABLE, "is '2.0.0'"),
    "version 2.1": (document().replace(b'"2.1.0"', b"2.1"), UNREADABLE, "is 2.1"),
    "NaN": (document(tool_run(x=1)).replace(b'"x": 1', b'"x": NaN'), UNREADABLE, "NaN is no number"),
    "deep": (b'{"version": ' * 100_000, UNREADABLE, "nested too deeply"),
    "long number": (b'{"version": ' + b"9" * 9999 + b"}", UNREADABLE, "absurd length"),
    "results twice": (
        document(tool_run(result())).replace(b'"results"', b'"results": [], "results"'), UNREADABLE, "'results' stands twice"),
    "unknown level": (document(tool_run(result(level="fatal"))), UNREADABLE, "$.runs[0].results[0].level"),
    "unknown kind": (document(tool_run(result(kind="fine"))), UNREADABLE, "$.runs[0].results[0].kind"),
    "results of a wrong type": (document(tool_run() | {"results": {}}), UNREADABLE, "$.runs[0].results"),
    "line -1": (document(tool_run(result(line=-1))), UNREADABLE, "startLine"),
    "score is NaN": (pointing(properties={"security-severity": "nan"}), UNREADABLE, "security-severity 'nan'"),
    "score is negative": (pointing(properties={"security-severity": "-1"}), UNREADABLE, "'-1'"),
    "score of 11": (pointing(properties={"security-severity": 11}), UNREADABLE, "is no number from 0.0 to 10.0"),
    "score is true": (pointing(properties={"security-severity": True}), UNREADABLE, "True"),
    "no runs": (document(), NOT_RUN, "$.runs: it holds no run"),
    "runs are null": (b'{"version": "2.1.0", "runs": null}', NOT_RUN, "$.runs"),
    "no tool": (document({"results": []}), NOT_RUN, "no tool is named"),
    "tool without a name": (document({"tool": {"driver": {"name": " "}}, "results": []}), NOT_RUN, "no tool is named"),
    "results are null": (document(tool_run() | {"results": None}), NOT_RUN, "not even an empty list"),
    "no results": (document({"tool": {"driver": {"name": "scan"}}}), NOT_RUN, "not even an empty list"),
    "one run of two": (document(tool_run(), {"tool": {"driver": {"name": "scan"}}}), NOT_RUN, "did not analyse"),
    "results elsewhere": (
        document(tool_run(externalPropertyFileReferences={"results": [{}]})), NOT_RUN, "results into other files"),
    "inline results": (document(tool_run(), inlineExternalProperties=[{}]), NOT_RUN, "inlineExternalProperties"),
    "not successful": (document(tool_run(**call(executionSuccessful=False))), FAILED, "scan says that it failed"),
    "success not said": (document(tool_run(invocations=[{}])), UNREADABLE, "executionSuccessful"),
    "success is null": (document(tool_run(**call(executionSuccessful=None))), UNREADABLE, "executionSuccessful"),
    "success is 1": (document(tool_run(**call(executionSuccessful=1))), UNREADABLE, "executionSuccessful"),
    "second call failed": (
        document(tool_run(invocations=[{"executionSuccessful": True}, {"executionSuccessful": False}])), FAILED, "invocations[1]"),
    "killed": (document(tool_run(**call(exitSignalName="SIGKILL"))), FAILED, "SIGKILL"),
    "not started": (document(tool_run(**call(processStartFailureMessage="no\x1b[2J"))), FAILED, "no?[2J"),
    "error while running": (
        document(tool_run(**call(toolExecutionNotifications=note("error")))), FAILED, "error of its own: out of memory"),
    "error in the set-up": (document(tool_run(**call(toolConfigurationNotifications=note("error")))), FAILED, "out of memory"),
    "error by the kind of notification": (noted({"id": "N1"}), FAILED, "out of memory"),
    "error by its index": (noted({"index": 1}), FAILED, "out of memory"),
    "error by its GUID": (noted({"guid": "g1"}), FAILED, "out of memory"),
    "conversion failed": (
        document(tool_run(conversion={"invocation": {"executionSuccessful": False}})), FAILED, "conversion.invocation"),
    "pass with a level": (pointing(kind="pass", level="error"), CONTRADICTION, "kind 'pass' is no finding"),
    "informational with a score": (
        pointing(kind="informational", properties={"security-severity": "9.0"}), CONTRADICTION, "has a security-severity"),
    "index of another rule": (pointing(rule="R2", ruleIndex=0), CONTRADICTION, "leads to the rule 'R1'"),
    "index behind the end": (pointing(ruleIndex=2), CONTRADICTION, "points behind the 2"),
    "two ids": (
        document(tool_run(result() | {"rule": {"id": "R2"}})), CONTRADICTION, "ruleId is 'R1', and rule.id is 'R2'"),
    "index and reference": (
        document(tool_run(result(ruleIndex=0) | {"rule": {"index": 1}}, rules=RULES)), CONTRADICTION, "rule.index is 1"),
    "unknown extension": (
        document(tool_run(result() | {"rule": {"index": 0, "toolComponent": {"index": 3}}}, rules=RULES)), CONTRADICTION, "toolComponent.index"),
    "unknown part of the tool": (
        document(tool_run(result() | {"rule": {"index": 0, "toolComponent": {"guid": "g9"}}}, rules=RULES)), CONTRADICTION, "no part of the tool is called 'g9'"),
    "unknown call": (document(tool_run(result(provenance={"invocationIndex": 0}))), CONTRADICTION, "invocationIndex"),
}  # fmt: skip


@pytest.mark.parametrize(("data", "slug", "words"), TABLE.values(), ids=TABLE)
def test_refused_by_name(data, slug, words):
    with pytest.raises(MeasurementError) as error:
        read(data)
    assert error.value.slug == slug
    assert words in error.value.message
    assert error.value.message.startswith("f.sarif: ")
    assert error.value.message.isprintable()
    assert error.value.hint


def test_what_is_no_error(analysed):
    assert read(noted({"id": "N0"})) == []
    calls = call(toolExecutionNotifications=note("warning"), exitCode=1)
    assert analysed(**calls) == []
    assert read(b"\xef\xbb\xbf" + document(tool_run())) == []


def committed(*entries):
    said = [{"repositoryUri": uri, "revisionId": commit} for uri, commit in entries]
    return read_log("f", document(tool_run(versionControlProvenance=said))).runs[0]


COMMIT = "0123abc" + "4" * 33


@pytest.mark.parametrize(
    "entries", [[], [("r", COMMIT)], [("r", "0123ABC")], [("r", COMMIT), ("lib", "f" * 40)]]
)
def test_commit_of_the_candidate(entries):
    check_commit(committed(*entries), COMMIT, required=False, file="f", place="$")


@pytest.mark.parametrize(
    ("entries", "required"),
    [
        ([("r", "f" * 40)], False),
        ([("r", "0123ab")], False),
        ([("r", "")], False),
        ([("r", COMMIT), ("r", "f" * 40)], False),
        ([("lib", "f" * 40)], False),
        ([], True),
    ],
)
def test_another_commit(entries, required):
    with pytest.raises(MeasurementError) as error:
        check_commit(committed(*entries), COMMIT, required=required, file="f", place="$")
    assert error.value.slug == "sarif-other-source"


def test_no_commit_is_no_commit():
    with pytest.raises(MeasurementError):
        check_commit(committed(("r", COMMIT)), "", required=False, file="f", place="$")


def hashed(digest):
    artifact = {"location": {"uri": "src/a.py"}, "hashes": {"sha-256": digest}}
    return read_log("f", document(tool_run(artifacts=[artifact]))).runs[0]


def test_sources_that_were_hashed():
    now = {"src/a.py": "ab" * 32}.get
    for run in (hashed("AB" * 32), read_log("f", document(tool_run())).runs[0]):
        check_sources(run, Places(run, "/root"), now, file="f", place="$")
    run = hashed("cd" * 32)
    check_sources(run, Places(run, "/root"), {}.get, file="f", place="$")
    with pytest.raises(MeasurementError, match=r"src/a\.py had SHA-256 cdcd") as error:
        check_sources(run, Places(run, "/root"), now, file="f", place="$")
    assert error.value.slug == "sarif-other-source"


def test_end_is_that_of_the_earliest_call():
    ends = ["2026-01-02T03:04:05.678Z", "2026-01-02T03:04:05+02:00", "2026-01-02T02:00:00"]
    run = tool_run(invocations=[{"executionSuccessful": True, "endTimeUtc": end} for end in ends])
    assert ended(read_log("f", document(run)).runs[0]) == datetime(2026, 1, 2, 1, 4, 5, tzinfo=UTC)
    assert (
        ended(read_log("f", json.dumps({"version": "2.1.0", "runs": [tool_run()]}).encode()).runs[0]) is None
    )
