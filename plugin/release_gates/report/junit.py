"""The run as JUnit XML: a suite for the verdict, one for each gate, measured and limit as properties."""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.etree import ElementTree as ET

from release_gates.model.evidence import TestRecord
from release_gates.model.outcome import Outcome, worst
from release_gates.model.release import Release
from release_gates.model.verdict import GateJudgement, LimitJudgement, TestProblem
from release_gates.report.headline import headline
from release_gates.report.rows import rows
from release_gates.report.tally import holding

CLASS = "release-gates"
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold, escaped or not."""
Part = LimitJudgement | TestProblem


def junit(release: Release) -> str:
    """Return the document. The verdict is a case of its own, so that a HOLD is red whatever holds it."""
    root = ET.Element("testsuites", name=f"entry to {release.environment}")
    _add_suite(root, _verdict_suite(release))
    if release.verdict is not None:
        hold = {gate.name for gate in holding(release.verdict)}
        for gate in release.verdict.gates:
            _add_suite(root, _gate_suite(release, gate, holds=gate.name in hold))
    for kind in ("tests", "failures", "errors", "skipped"):
        root.set(kind, str(sum(int(suite.get(kind, "0")) for suite in root)))
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _verdict_suite(release: Release) -> ET.Element:
    top = headline(release, rows(release))
    suite = ET.Element("testsuite", name="verdict")
    candidate = release.candidate
    unproven = release.verdict.unproven if release.verdict else ""
    _properties(
        suite,
        {
            "verdict": top.title,
            **({"unproven": unproven} if unproven else {}),
            "environment": release.environment,
            "candidate": f"{candidate.name} {candidate.version}",
            "digest": candidate.digest,
            "run": release.run,
            "ledger_head": release.head,
            "counts": " ".join(top.counts),
        },
    )
    name = f"Verdict: {top.title}" + (f", {unproven}" if unproven else "")
    case = ET.SubElement(suite, "testcase", classname=CLASS, name=_text(name))
    if not top.go:
        broken = release.verdict is not None and release.verdict.kind == "broken"
        text = " ".join((f"{top.title}: {top.call}.", top.because, *top.warnings))
        ET.SubElement(case, "failure" if broken else "error", message=_text(text))
    return suite


def _gate_suite(release: Release, gate: GateJudgement, *, holds: bool) -> ET.Element:
    suite = ET.Element("testsuite", name=f"gate {_text(gate.name)}")
    _properties(
        suite,
        {
            "outcome": gate.outcome,
            "owner": gate.owner,
            "severity": gate.severity,
            "holds": "yes" if holds else "no",
            "because": gate.because,
        },
    )
    told: set[str] = set()
    records = {record.id: record for record in release.tests if record.gate == gate.name}
    for test in dict.fromkeys((*release.expected.get(gate.name, ()), *records)):
        told.add(test)
        suite.append(_case(gate, test, records.get(test), holds=holds))
    for number, part in enumerate(_others(gate, told), start=1):
        case = ET.SubElement(suite, "testcase", classname=f"gate.{_text(gate.name)}", name=f"check {number}")
        _outcome(case, part.outcome, part.because, holds=holds)
    return suite


def _case(gate: GateJudgement, test: str, record: TestRecord | None, *, holds: bool) -> ET.Element:
    limits = [limit for limit in gate.limits if limit.test == test]
    problems = [problem for problem in gate.problems if problem.test == test]
    parts: list[Part] = sorted([*limits, *problems], key=lambda part: -part.outcome.rank)
    case = ET.Element("testcase", classname=f"gate.{_text(gate.name)}", name=_text(test))
    if record is not None:
        case.set("time", f"{record.duration_s:.3f}")
    found: dict[str, str] = {}
    for limit in limits:
        found |= {f"{limit.name}": limit.measured, f"{limit.name} limit": limit.allowed}
    _properties(case, found)
    outcome = worst([Outcome.PASS, *(part.outcome for part in parts)])
    if record is None and outcome.promotes:
        outcome = Outcome.MISSING
    because = "\n".join(part.because for part in parts if part.outcome.rank) or "it did not run"
    _outcome(case, outcome, because, holds=holds)
    return case


def _others(gate: GateJudgement, told: set[str]) -> Iterator[Part]:
    """Yield what is wrong and belongs to no test that has a case."""
    parts: list[Part] = [*gate.limits, *gate.problems]
    for part in parts:
        if part.test not in told and not part.outcome.promotes:
            yield part


def _outcome(case: ET.Element, outcome: Outcome, because: str, *, holds: bool) -> None:
    """Say what became of a case; in a gate that holds nothing it is skipped, with the same words."""
    if outcome in (Outcome.PASS, Outcome.WARN):
        return
    kind = "failure" if outcome in (Outcome.FAIL, Outcome.INCONCLUSIVE) else "error"
    kind = "skipped" if outcome is Outcome.WAIVED or not holds else kind
    ET.SubElement(
        case, kind, message=_text(f"{outcome}: {because.splitlines()[0] if because else ''}")
    ).text = _text(because)


def _add_suite(root: ET.Element, suite: ET.Element) -> None:
    cases = suite.findall("testcase")
    suite.set("tests", str(len(cases)))
    for kind, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(kind, str(sum(case.find(tag) is not None for case in cases)))
    root.append(suite)


def _properties(parent: ET.Element, found: dict[str, str]) -> None:
    if found:
        box = ET.SubElement(parent, "properties")
        for name, value in found.items():
            ET.SubElement(box, "property", name=_text(name), value=_text(value))


def _text(text: str) -> str:
    return _FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", text)
