"""From results to findings: severity, rule, place, identity, suppression."""

from __future__ import annotations

from datetime import date

import pytest

from .conftest import document, read, result, tool_run


def rule(name="R1", **said):
    return {"id": name, **said}


def scored(score):
    return {"properties": {"security-severity": score}}


@pytest.mark.parametrize(
    ("score", "severity"),
    [("10.0", "critical"), ("9.0", "critical"), ("8.9", "high"), (7, "high"), ("6.999", "medium"), (4.0, "medium"), ("3.9", "low"), ("0.0", "low")],
)  # fmt: skip
def test_severity_by_score(analysed, score, severity):
    assert [f.severity for f in analysed(result(level="note"), rules=[rule(**scored(score))])] == [severity]


@pytest.mark.parametrize(
    ("level", "severity"), [("error", "high"), ("warning", "medium"), ("note", "low"), ("none", "medium"), (None, "medium")]
)  # fmt: skip
def test_severity_by_level(analysed, level, severity):
    assert analysed(result(level=level))[0].severity == severity
    default = {"defaultConfiguration": {"level": level}}
    assert analysed(result(), rules=[rule(**default)])[0].severity == severity
    assert analysed(result("R1/case"), rules=[rule(**default)])[0].severity == severity


def test_worst_score_counts(analysed):
    assert analysed(result(**scored("9.1")), rules=[rule(**scored("2"))])[0].severity == "critical"
    assert analysed(result(), rules=[rule(**scored("2")), rule(**scored("9.1"))])[0].severity == "critical"
    assert (
        analysed(result(ruleIndex=0), rules=[rule(**scored("2")), rule(**scored("9.1"))])[0].severity == "low"
    )


def overriding(level, **descriptor):
    override = {"descriptor": descriptor, "configuration": {"level": level} if level else {}}
    return {"executionSuccessful": True, "ruleConfigurationOverrides": [override]}


@pytest.mark.parametrize(
    ("calls", "said", "severity"),
    [
        ([overriding("error", id="R1")], {}, "high"),
        ([overriding("error", index=0)], {}, "high"),
        ([overriding("error", index=1)], {}, "low"),
        ([overriding("error", id="R2")], {}, "low"),
        ([overriding(None, id="R1")], {}, "low"),
        ([overriding("error", id="R1")], {"level": "warning"}, "medium"),
        ([overriding("error", id="R1")] * 2, {}, "low"),
        (
            [overriding("error", id="R1"), overriding("warning", id="R1")],
            {"provenance": {"invocationIndex": 1}},
            "medium",
        ),
    ],
)
def test_overrides_of_the_run(analysed, calls, said, severity):
    rules = [rule(defaultConfiguration={"level": "note"}), rule("R2")]
    assert analysed(result(**said), rules=rules, invocations=calls)[0].severity == severity


def test_rules_of_an_extension():
    run = tool_run(result(None), rules=[rule("other")])
    run["results"][0]["rule"] = {"index": 0, "toolComponent": {"index": 0}}
    run["tool"]["extensions"] = [{"name": "pack", "rules": [rule("java/sqli", **scored("9.8"))]}]
    found = read(document(run))
    assert [(f.rule, f.severity) for f in found] == [("java/sqli", "critical")]


@pytest.mark.parametrize(
    "reference",
    [
        {"guid": "r1"},
        {"index": 0, "toolComponent": {"guid": "p1"}},
        {"index": 0, "toolComponent": {"name": "pack"}},
    ],
)
def test_rules_by_guid_or_name_of_their_part(reference):
    run = tool_run(result(None), rules=[rule("other")])
    run["results"][0]["rule"] = reference
    made = rule("java/sqli", guid="r1", **scored("9.8"))
    run["tool"]["extensions"] = [{"name": "pack", "guid": "p1", "rules": [made]}]
    assert [(f.rule, f.severity) for f in read(document(run))] == [("java/sqli", "critical")]


@pytest.mark.parametrize("kind", ["pass", "notApplicable", "informational"])
def test_results_that_are_no_findings(analysed, kind):
    assert analysed(result(kind=kind), result(kind=kind, level="none")) == []


@pytest.mark.parametrize("kind", ["review", "open"])
def test_results_that_the_tool_leaves_open(analysed, kind):
    assert [f.undecided for f in analysed(result(kind=kind))] == [True]


def test_absent_only_if_the_tool_compared(analysed):
    assert len(analysed(result(baselineState="absent"))) == 1
    assert analysed(result(baselineState="absent"), baselineGuid="1") == []
    assert len(analysed(result(baselineState="unchanged"), baselineGuid="1")) == 1


@pytest.mark.parametrize(
    ("suppressions", "expected"),
    [
        (None, ""),
        ([], ""),
        ([{"kind": "inSource"}], "unjustified"),
        ([{"kind": "inSource", "status": "accepted"}], "unjustified"),
        ([{"kind": "external", "status": "accepted", "justification": " "}], "unjustified"),
        ([{"kind": "external", "justification": "dead code"}], "unjustified"),
        ([{"kind": "external", "status": "underReview", "justification": "dead code"}], "unjustified"),
        ([{"kind": "external", "status": "accepted", "justification": "dead code"}], "justified"),
        (
            [{"kind": "external", "status": "accepted", "justification": "x"}, {"kind": "inSource"}],
            "unjustified",
        ),
    ],
)
def test_suppressions(analysed, suppressions, expected):
    assert [f.suppression for f in analysed(result(suppressions=suppressions))] == [expected]


def placed(uri, **said):
    location = {"artifactLocation": {"uri": uri, **said}, "region": {"startLine": 3}}
    return result(locations=[{"physicalLocation": location}])


@pytest.mark.parametrize(
    ("made", "place"),
    [
        (placed("src/a.py"), "src/a.py:3"),
        (placed("./src/b/../a%2Epy"), "src/a.py:3"),
        (placed("file:///root/src/a.py"), "src/a.py:3"),
        (placed("file:///other/a.py"), "/other/a.py:3"),
        (placed("a.py", uriBaseId="SRC"), "src/a.py:3"),
        (placed("a.py", uriBaseId="LOOP"), "a.py:3"),
        (placed("", index=0), "src/a.py:3"),
        (placed("https://192.0.2.1/a"), "https://192.0.2.1/a:3"),
        (result(locations=[]), "no place"),
    ],
)
def test_places(analysed, made, place):
    bases = {
        "ROOT": {"uri": "file:///root/"},
        "SRC": {"uri": "src/", "uriBaseId": "ROOT"},
        "LOOP": {"uriBaseId": "LOOP"},
    }
    artifacts = [{"location": {"uri": "src/a.py"}}]
    assert analysed(made, originalUriBaseIds=bases, artifacts=artifacts)[0].place == place


def test_identity_by_fingerprint_or_by_text(analysed):
    one, moved, other, third = analysed(
        result(line=3), result(line=4), result(line=1), result("R2", line=3), rules=[]
    )
    assert one.identity == moved.identity
    assert len({one.identity, other.identity, third.identity}) == 3
    first, second, alien = analysed(
        result(line=1, partialFingerprints={"hash": "a"}),
        result(line=3, partialFingerprints={"hash": "a"}),
        result(line=3, partialFingerprints={"hash": "b"}),
    )
    assert first.identity == second.identity != alien.identity


def test_identity_keeps_files_apart(analysed):
    first, second = (placed(uri) | {"partialFingerprints": {"hash": "a"}} for uri in ("src/a.py", "src/b.py"))
    assert len({f.identity for f in analysed(first, second)}) == 2


def test_whole_fingerprints_are_not_believed(analysed):
    said = {"fingerprints": {"matchBasedId/v1": "requires login"}}
    assert len({f.identity for f in analysed(result(line=1, **said), result(line=3, **said))}) == 2


def test_snippet_is_context(analysed):
    def snippet(text, line):
        location = {
            "artifactLocation": {"uri": "x.c"},
            "region": {"startLine": line, "snippet": {"text": text}},
        }
        return result(locations=[{"physicalLocation": location}])

    one, two, three = analysed(snippet("gets( s );", 1), snippet("  gets( s );\n", 9), snippet("gets(t);", 1))
    assert one.identity == two.identity != three.identity


def test_words(analysed):
    rules = [rule(messageStrings={"m": {"text": "Use of gets."}}, help={"text": "Use fgets."})]
    found = analysed(result(message={"id": "m"}), result(message={"text": "\x1b[31mred\nline"}), rules=rules)
    assert [(f.text, f.remedy) for f in found] == [
        ("Use of gets.", "Use fgets."),
        ("?[31mred line", "Use fgets."),
    ]
    fixed = analysed(result(fixes=[{"description": {"text": "Bad"}}]))[0]
    assert fixed.remedy == ""


def test_result_without_a_rule_is_a_finding(analysed):
    assert [(f.rule, f.severity) for f in analysed(result(None))] == [("(no rule)", "medium")]


def test_first_detection(analysed):
    said = {"firstDetectionTimeUtc": "2026-01-01T23:30:00-02:00"}
    assert analysed(result(provenance=said))[0].detected == date(2026, 1, 2)
