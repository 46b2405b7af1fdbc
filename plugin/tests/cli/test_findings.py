"""`release-gates import sarif`, with what ruff really writes, from the file to the verdict."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner

from release_gates.cli.commands import program
from release_gates.ledger.evidence import read_evidence
from release_gates.model.outcome import Outcome
from release_gates.testing import GateProject

POLICY = '\n[gate.security]\nowner = "appsec"\n[gate.security.findings]\n'
HASHED = {"location": {"uri": "app/bad.py"}, "hashes": {"sha-256": "0" * 64}}
IMPORT = ("import", "sarif", "ruff.sarif", "--gate", "security")


@pytest.fixture
def project(tmp_path):
    made = GateProject(tmp_path)
    made.write("suites/test_a.py", 'import pytest\n@pytest.mark.gate("smoke")\ndef test_a(gate): pass\n')
    made.expect(["suites/test_a.py::test_a"])
    policy = made.root / "gates/staging.toml"
    policy.write_text(policy.read_text() + POLICY)
    made.write("app/bad.py", "def f(x):\n    return eval(x)\n")
    scan(made)
    return made


def called(project, *arguments):
    """Call the command in this process, which is quicker."""
    with contextlib.chdir(project.root):
        return CliRunner().invoke(program, arguments)


def scan(project):
    command = [sys.executable, "-m", "ruff", "check", "--isolated", "--no-cache", "--select", "F,S307"]
    command += ["--output-format", "sarif", "app"]
    done = subprocess.run(command, cwd=project.root, capture_output=True, text=True, check=False)
    (project.root / "ruff.sarif").write_text(done.stdout)


def edit(project, change):
    file = project.root / "ruff.sarif"
    document = json.loads(file.read_text())
    change(document["runs"][0])
    file.write_text(json.dumps(document))


def refused(project, slug, *more):
    """The import says why, writes nothing, and leaves with 10 (not proven), whatever lay there."""
    done = called(project, *IMPORT, "--output", "part.jsonl", *more)
    assert f"[{slug}]" in done.output
    assert done.exit_code == 10
    assert not (project.root / "part.jsonl").exists()
    return done.output


def decided(project, part):
    project.run("--gate-part", "--gate-evidence", f"{part}.smoke")
    return project.cli("decide", "--environment", "staging", part, f"{part}.smoke")


def test_from_the_first_finding_to_a_promote(project):
    assert called(project, *IMPORT, "--expect").exit_code == 0
    assert called(project, *IMPORT, "--output", "1.jsonl").exit_code == 0
    held = decided(project, "1.jsonl")
    assert held.status == 1
    assert "1 finding blocks: high S307 at app/bad.py:2, new" in " ".join(held.output.split())

    project.candidate("engine 2")
    said = called(project, *IMPORT, "--accept-known")
    assert "+ high S307 at app/bad.py" in said.output
    called(project, *IMPORT, "--output", "2.jsonl")
    promoted = decided(project, "2.jsonl")
    assert promoted.promotes, promoted.output
    assert "1 finding is tolerated: high S307 at app/bad.py:2, known" in " ".join(promoted.output.split())

    project.candidate("engine 3")
    project.write("app/bad.py", "import os\n\n\ndef f(x):\n    return eval(x)\n")
    scan(project)
    called(project, *IMPORT, "--output", "3.jsonl")
    held = decided(project, "3.jsonl")
    assert "1 finding blocks: high F401 at app/bad.py:1, new" in " ".join(held.output.split())
    assert not held.promotes


def test_evidence_holds_counts_source_and_file(project):
    said = called(project, *IMPORT, "--output", "part.jsonl")
    assert "1 not expected, which is an ERROR" in said.output
    evidence = read_evidence(project.root / "part.jsonl")
    (record,), (source,) = evidence.tests, evidence.header.sources
    assert (record.id, record.outcome) == ("sarif:ruff::ruff.sarif", Outcome.FAIL)
    assert {each.name: each.value for each in record.measurements if each.value} == {
        "findings.new_high": 1, "findings.total": 1}  # fmt: skip
    assert (source.kind, source.tool, source.cases) == ("sarif", "ruff", 1)
    assert source.note == "the file does not say which commit was analysed"
    stored = project.root / ".gates/artifacts" / record.attachments[0].sha256
    assert stored.read_bytes() == (project.root / "ruff.sarif").read_bytes()


def test_clean_code_promotes_and_a_limit_counts(project):
    project.write("app/bad.py", "def f(x):\n    return x\n")
    scan(project)
    project.limits("security", {"findings.total": "== 0 count", "findings.suppressed": "== 0 count"})
    called(project, *IMPORT, "--expect")
    called(project, *IMPORT, "--output", "part.jsonl")
    assert decided(project, "part.jsonl").promotes


def test_scan_that_was_not_imported_is_missing(project):
    called(project, *IMPORT, "--expect")
    project.run("--gate-part", "--gate-evidence", "smoke.jsonl")
    held = project.cli("decide", "--environment", "staging", "smoke.jsonl")
    assert (held.status, held.promotes) == (10, False)
    assert "sarif:ruff::ruff.sarif" in held.sentences


def test_expect_leaves_the_line_of_the_scan(project):
    called(project, *IMPORT, "--expect")
    assert "up to date" in project.cli("expect", "--check").output


@pytest.mark.parametrize(
    ("change", "slug"),
    [
        (lambda run: run.update(results=None), "sarif-not-run"),
        (lambda run: run.pop("tool"), "sarif-not-run"),
        (lambda run: run.update(invocations=[{"executionSuccessful": False}]), "sarif-run-failed"),
        (lambda run: run.update(versionControlProvenance=[{"revisionId": "f" * 40}]), "sarif-other-source"),
        (lambda run: run.update(artifacts=[HASHED]), "sarif-other-source"),
        (lambda run: run["results"][0].update(kind="pass"), "sarif-contradiction"),
        (lambda run: run["results"][0].update(ruleIndex=99), "sarif-contradiction"),
    ],
)  # fmt: skip
def test_a_doctored_file_is_refused(project, change, slug):
    edit(project, change)
    refused(project, slug)


def test_a_torn_file_is_refused(project):
    file = project.root / "ruff.sarif"
    file.write_bytes(file.read_bytes()[:-20])
    refused(project, "sarif-unreadable")


def test_an_old_file_is_refused(project):
    old = (datetime.now(UTC) - timedelta(days=2)).timestamp()
    os.utime(project.root / "ruff.sarif", (old, old))
    refused(project, "source-too-old")


@pytest.mark.parametrize(("days", "slug"), [(-2, "source-too-old"), (2, "source-from-the-future")])
def test_a_touched_file_with_another_end_is_refused(project, days, slug):
    end = (datetime.now(UTC) + timedelta(days=days)).isoformat()
    edit(project, lambda run: run.update(invocations=[{"executionSuccessful": True, "endTimeUtc": end}]))
    refused(project, slug)


def test_the_same_file_twice_is_refused(project):
    refused(project, "source-twice", "ruff.sarif")


def test_commit_may_be_required(project):
    policy = project.root / "gates/staging.toml"
    policy.write_text(policy.read_text() + "commit_required = true\n")
    assert "does not say which commit" in refused(project, "sarif-other-source")
    edit(project, lambda run: run.update(versionControlProvenance=[{"revisionId": "0123abc"}]))
    assert called(project, *IMPORT, "--output", "part.jsonl").exit_code == 0


def test_a_suppression_without_a_reason_blocks(project):
    edit(project, lambda run: run["results"][0].update(suppressions=[{"kind": "inSource"}]))
    assert "its suppression is not accepted" in called(project, *IMPORT, "--output", "1.jsonl").output
    reason = {"kind": "inSource", "status": "accepted", "justification": "the input is ours"}
    edit(project, lambda run: run["results"][0].update(suppressions=[reason]))
    said = called(project, *IMPORT, "--output", "2.jsonl").output
    assert "WARN: 1 suppressed, 1 total" in said
    assert "S307 at app/bad.py:2, suppressed with a reason" in said


def test_known_findings_that_were_edited_are_refused(project):
    called(project, *IMPORT, "--accept-known")
    file = project.root / "gates/findings/security.json"
    file.write_text(file.read_text().replace('"first_seen": "20', '"first_seen": "30'))
    done = called(project, *IMPORT, "--output", "part.jsonl")
    assert (done.exit_code, "[findings-known]" in done.output) == (2, True)


def test_accepting_is_part_of_the_rules(project):
    """Evidence that was taken before somebody accepted findings does not count after it."""
    called(project, *IMPORT, "--expect")
    called(project, *IMPORT, "--output", "part.jsonl")
    called(project, *IMPORT, "--accept-known")
    held = decided(project, "part.jsonl")
    assert "was measured under other rules" in held.sentences
    assert not held.promotes


def test_usage(project):
    assert called(project, *IMPORT).exit_code == 2
    assert called(project, *IMPORT, "--output", "part.jsonl", "--accept-known").exit_code == 2
    (project.root / "part.jsonl").write_text("yesterday")
    assert "[evidence-exists]" in called(project, *IMPORT, "--output", "part.jsonl").output


def test_misspelt_severity_is_a_mistake_in_policy(project):
    policy = project.root / "gates/staging.toml"
    policy.write_text(policy.read_text() + 'hihg = "block"\n')
    assert "Did you mean 'high'?" in called(project, "check").output


def test_known_and_expected_at_once_is_one_json_document(project):
    said = called(project, "--json", *IMPORT, "--expect", "--accept-known")
    assert said.exit_code == 0
    document = json.loads(said.output)
    assert [each["rule"] for each in document["known"]["added"]] == ["S307"]
    assert document["expected"]["added"] == ["sarif:ruff::ruff.sarif"]


def test_each_cell_of_the_matrix_has_to_be_imported(project):
    policy = project.root / "gates/staging.toml"
    policy.write_text(policy.read_text() + '[gate.security.matrix]\nos = ["arm", "x86"]\n')
    project.write("app/bad.py", "def f(x):\n    return x\n")
    scan(project)
    assert called(project, *IMPORT, "--output", "0.jsonl").exit_code == 2
    assert called(project, *IMPORT, "--expect").exit_code == 0
    assert called(project, *IMPORT, "--cell", "os=arm", "--output", "arm.jsonl").exit_code == 0
    project.run("--gate-part", "--gate-evidence", "smoke.jsonl")
    held = project.cli("decide", "--environment", "staging", "arm.jsonl", "smoke.jsonl")
    assert (held.status, held.promotes) == (10, False)
    assert "sarif:ruff::ruff.sarif[os=x86]" in held.sentences
    edit(project, lambda run: run["tool"]["driver"].update(fullName="ruff for x86"))
    assert called(project, *IMPORT, "--cell", "os=x86", "--output", "x86.jsonl").exit_code == 0
    decided = project.cli("decide", "--environment", "staging", "arm.jsonl", "x86.jsonl", "smoke.jsonl")
    assert decided.promotes, decided.output


def test_a_known_finding_of_one_cell_is_new_in_another(project):
    policy = project.root / "gates/staging.toml"
    policy.write_text(policy.read_text() + '[gate.security.matrix]\nos = ["arm", "x86"]\n')
    assert called(project, *IMPORT, "--cell", "os=arm", "--accept-known").exit_code == 0
    for os_name, outcome in (("arm", Outcome.WARN), ("x86", Outcome.FAIL)):
        called(project, *IMPORT, "--cell", f"os={os_name}", "--output", f"{os_name}.jsonl")
        (record,) = read_evidence(project.root / f"{os_name}.jsonl").tests
        assert (record.outcome, record.cell) == (outcome, f"os={os_name}")


def test_known_findings_of_no_gate_are_a_mistake_of_the_policy(project):
    project.write("gates/findings/secruity.json", '{"schema": 1}\n')
    checked = called(project, "check")
    assert checked.exit_code == 1
    assert "findings/secruity.json: belongs to no gate. Did you mean 'security'?" in checked.output
