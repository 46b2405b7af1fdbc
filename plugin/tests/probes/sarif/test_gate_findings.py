"""Findings of a tool that ran inside a gate test: judged as imported ones are."""

from __future__ import annotations

import json

import pytest

from release_gates.testing import GateProject

SUITE = """
from pathlib import Path
import pytest
from release_gates.probes.sarif.fixtures import gate_findings

pytestmark = pytest.mark.gate("quality")


def test_tool(gate_findings):
    here = Path(__file__).parents[1]
    gate_findings.measure(here / "tool.sarif", root=here, looked_at=7)
"""
POLICY = '\n[gate.quality]\nowner = "core"\n[gate.quality.limits]\n"ruff.blocking" = "== 0 count"\n'
KNOWN = {"test": "sarif:ruff::x.sarif", "rule": "R1", "path": "a.py", "severity": "high"}


@pytest.fixture
def project(tmp_path):
    made = GateProject(tmp_path)
    made.write("suites/test_tool.py", SUITE)
    made.write("gates/staging.toml", "schema = 1" + POLICY)
    made.write("a.py", "import os\n")
    made.expect(["suites/test_tool.py::test_tool"], gate="quality")
    return made


def sarif(project, *levels, **run):
    place = {"physicalLocation": {"artifactLocation": {"uri": "a.py"}, "region": {"startLine": 1}}}
    bad = {"ruleId": "R1", "message": {"text": "bad"}, "locations": [place]}
    results = [{**bad, "level": level} for level in levels]
    tool = {"tool": {"driver": {"name": "ruff"}}, "results": results, **run}
    project.write("tool.sarif", json.dumps({"version": "2.1.0", "runs": [tool]}))


def test_nothing_found_passes_and_a_finding_fails_by_name(project):
    sarif(project)
    assert project.run().promotes
    project.candidate("engine 2")
    sarif(project, "error")
    held = project.run()
    assert held.status == 1
    assert "1 finding blocks: high R1 at a.py:1, new: bad" in held.sentences


def test_what_policy_tolerates_passes_and_is_counted(project):
    sarif(project, "note")
    policy = project.root / "gates/staging.toml"
    more = '"ruff.tolerated" = { target = "== 0 count" }\n[gate.quality.findings]\nlow = "warn"\n'
    policy.write_text(policy.read_text() + more)
    run = project.run()
    assert run.promotes, run.output
    assert "~ ruff.tolerated" in run.output


def test_a_finding_that_has_no_first_day_yet_is_no_pass(project):
    sarif(project, "warning")
    held = project.run()
    assert held.status == 1  # the limit of the policy counts it as blocking
    assert "is undecided: medium R1" in held.sentences


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "no whole JSON"),
        ('{"version": "2.1.0", "runs": []}', "nothing was analysed"),
        ('{"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "ruff"}}}]}', "did not analyse"),
    ],
)
def test_a_tool_that_shows_no_analysis_proves_nothing(project, content, words):
    project.write("tool.sarif", content)
    held = project.run()
    assert held.status == 10
    assert words in held.sentences


def test_a_known_finding_is_tolerated_whatever_its_file_was_called(project):
    sarif(project, "error")
    identity = _identity(project)
    known = {**KNOWN, "id": identity, "first_seen": _today(), "count": 1}
    project.write("gates/findings/quality.json", json.dumps({"schema": 1, "findings": [known]}))
    assert project.run().promotes
    project.candidate("engine 2")
    sarif(project, "error", "error")
    held = project.run()
    assert held.status == 1
    assert "1 finding blocks" in held.sentences


def _identity(project):
    from release_gates.probes.sarif.checkout import Checkout
    from release_gates.probes.sarif.document import read_log
    from release_gates.probes.sarif.findings import findings_of
    from release_gates.probes.sarif.places import Places

    (run,) = read_log("x", (project.root / "tool.sarif").read_bytes()).runs
    places = Places(run, str(project.root))
    (finding,) = findings_of(run, "ruff", places, Checkout(project.root).lines_of, file="x", place="$")
    return finding.identity


def _today():
    from datetime import UTC, datetime

    return datetime.now(UTC).date().isoformat()
