"""The gate on checkov's findings: what it measures, fails and refuses, and that its absence is never a pass."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fixtures.checkov import PROGRAM, VERSION
from fixtures.trading_system.deploy.plan import FOLDER, plan_artifacts
from fixtures.trading_system.deploy.render import manifest_artifacts
from release_gates.errors import CandidateError, MeasurementError
from release_gates.model.severity import Severity
from release_gates.probes.checkov.assessment import COUNTS
from release_gates.probes.checkov.judging import severity_of
from release_gates.probes.checkov.settings import CheckovSettings
from release_gates.probes.checkov.severities import OURS
from release_gates.probes.terraform.catalogue import CATALOGUE

from .conftest import BUCKET, KUBERNETES, TERRAFORM, looked, recorded, says

ACCEPTED = {"because": "a test bucket", "owner": "ops", "until": "2026-11-21", "resource": "aws_s3_bucket.*"}
CHECKS = ("CKV2_AWS_6", "CKV2_AWS_62", "CKV2_AWS_61", "CKV_AWS_145", "CKV_AWS_144", "CKV_AWS_21")


def told(**counts: float) -> dict[str, float]:
    return {f"checkov.{name}": counts.get(name, 0) for name in COUNTS}


def test_findings_fail_with_our_severities(tmp_path: Path) -> None:
    says(tmp_path, recorded("terraform"))
    probe, gate = looked(tmp_path, severity={"CKV_AWS_144": "low"})
    with pytest.raises(AssertionError) as failure:
        probe.check()
    said = str(failure.value)
    assert "CKV_AWS_21 (high) aws_s3_bucket.snapshots in infra/main.tf:1-4: " in said, "our own TF08 names it"
    assert "switched off beside it (nobody reads the log), and only policy accepts" in said
    assert "CKV_AWS_144" not in said, "it is tolerated"
    assert said.index("CKV_AWS_21 ") < said.index("CKV_AWS_145 ")
    probe.measure()
    assert gate.told == told(high=1, medium=5, low=1, resources=1)


def test_policy_accepts_until_a_day_and_switches_off_with_a_reason(tmp_path: Path) -> None:
    says(tmp_path, recorded("terraform"))
    accepted = [{"check": check, **ACCEPTED} for check in CHECKS]
    off = {"CKV_AWS_18": "nobody reads it"}
    probe, gate = looked(tmp_path, accepted=accepted, off=off)
    probe.check()
    probe.measure()
    assert gate.told == told(accepted=6, off=1, resources=1)
    late = [{**one, "until": "2026-11-20"} for one in accepted]
    with pytest.raises(AssertionError, match="CKV_AWS_21"):
        looked(tmp_path / "again", accepted=late, off=off, program=str(tmp_path / "checkov"))[0].check()


def test_an_acceptance_of_nothing_is_an_error(tmp_path: Path) -> None:
    says(tmp_path, recorded("terraform"))
    probe, _ = looked(tmp_path, accepted=[{"check": "CKV_AWS_21", **ACCEPTED, "resource": "aws_s3_bucket.x"}])
    with pytest.raises(MeasurementError, match="covers no finding"):
        probe.check()


@pytest.mark.parametrize("program", ["./checkov", "/nowhere/checkov", "no-such-checkov"])
def test_without_the_program_it_is_missing(tmp_path: Path, program: str) -> None:
    probe, gate = looked(tmp_path, program=program, version=VERSION)
    with pytest.raises(pytest.skip.Exception, match="there is no such program"):
        probe.check()
    probe.measure()
    assert set(gate.told) == {f"checkov.{name}" for name in COUNTS}
    for said in gate.told.values():
        assert said.startswith("MISSING ")
        assert f"pip install checkov=={VERSION}" in said


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "a crash": ({"status": 2, "errors": "Traceback: boom"}, "ended with status 2: Traceback: boom"),
    "a crash without a word": ({"status": 139}, "ended with status 139: nothing"),
    "a complaint": ({"errors": "[WARNI] Failed to download module x"}, "complains: .*Failed to download"),
    "nothing said": ({"output": b""}, "no report of checkov"),
    "nothing looked at": ({"output": recorded("nothing"), "status": 0}, "looked at nothing"),
    "a broken file": ({"output": recorded("unparsed"), "status": 0}, "could not parse"),
    "another framework": ({"output": recorded("kubernetes")}, "about kubernetes, not terraform"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_checkov_that_did_not_do_its_work_is_an_error(tmp_path: Path, name: str) -> None:
    how, sentence = REFUSED[name]
    says(tmp_path, **{"output": recorded("terraform"), **how})
    probe, _ = looked(tmp_path)
    for ask in (probe.check, probe.measure):
        with pytest.raises(MeasurementError, match=sentence):
            ask()


def test_another_version_and_a_resource_too_few_are_errors(tmp_path: Path) -> None:
    program = str(says(tmp_path, recorded("terraform")))
    with pytest.raises(MeasurementError, match=r"it is 3\.3\.30, and policy asks for 3\.3\.29"):
        looked(tmp_path / "old", version="3.3.29", program=program)[0].check()
    probe, gate = looked(tmp_path / "more", program=program)
    (gate.rootdir / "infra/more.tf").write_text(BUCKET.replace("snapshots", "more"), encoding="utf-8")
    with pytest.raises(MeasurementError, match="saw 1 of at least 2 resources"):
        probe.check()


def test_a_pod_of_which_checkov_says_nothing_is_an_error(tmp_path: Path) -> None:
    """The count is reached all the same: checkov counts the pods of controllers too."""
    inflated = recorded("kubernetes", lambda report: report["summary"].update(resource_count=9))
    says(tmp_path, inflated)
    probe, gate = looked(tmp_path, scans=[{"framework": "kubernetes", "folder": "pods"}])
    (gate.rootdir / "pods").mkdir()
    (gate.rootdir / "pods/000000.json").write_text('{"kind": "Role"}', encoding="utf-8")
    (gate.rootdir / "pods/a.yaml").write_text("kind: Pod\n", encoding="utf-8")
    with pytest.raises(MeasurementError, match=r"checkov says nothing of /a\.yaml"):
        probe.check()


def test_one_that_hangs_is_ended_with_what_it_started(tmp_path: Path) -> None:
    first = f"sleep 600 & echo $! > '{tmp_path / 'pid'}'; wait"
    says(tmp_path, recorded("terraform"), first=first)
    probe, _ = looked(tmp_path, timeout_s=1)
    with pytest.raises(MeasurementError, match="took longer than 1 s"):
        probe.check()
    pid = int((tmp_path / "pid").read_text())
    deadline = time.monotonic() + 30
    while Path(f"/proc/{pid}").exists() and "Z" not in Path(f"/proc/{pid}/stat").read_text().split()[2]:
        assert time.monotonic() < deadline, "it outlives the scan"
        time.sleep(0.05)


def test_what_lies_in_the_folder_or_the_environment_configures_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real one obeys a `.checkov.yaml` where it scans and runs, and variables."""
    monkeypatch.setenv("CKV_SKIP_EVERYTHING", "1")
    monkeypatch.setenv("CHECKOV_EXPERIMENT", "1")
    monkeypatch.chdir(tmp_path)
    says(tmp_path, recorded("terraform"), first=f"(env; pwd; ls -a . ~ $2) > '{tmp_path / 'seen'}'")
    (tmp_path / "infra").mkdir()
    for folder in (tmp_path, tmp_path / "infra"):
        (folder / ".checkov.yaml").write_text("skip-check: [CKV_AWS_21]\n")
    with pytest.raises(AssertionError, match="CKV_AWS_21"):
        looked(tmp_path)[0].check()
    seen = (tmp_path / "seen").read_text()
    assert "main.tf" in seen
    assert ".checkov.yaml" not in seen
    assert "CKV_SKIP" not in seen
    assert "CHECKOV_EXPERIMENT" not in seen
    assert f"{tmp_path}\n" not in seen


UNREAD = {
    "JSON": ("infra/more.tf.json", "{}", [TERRAFORM], "does not read this form"),
    "OpenTofu": ("infra/more.tofu", "", [TERRAFORM], "does not read this form"),
    "broken YAML": ("kubernetes.yaml", "kind: Pod\n  bad: [\n", [KUBERNETES], "kubernetes.yaml"),
    "a torn plan": (
        "plan.json",
        '{"format_version": "1.2"',
        [{"framework": "terraform_plan", "artifact": "plan.json"}],
        "it is no plan",
    ),
}


@pytest.mark.parametrize("name", UNREAD)
def test_what_checkov_would_pass_over_is_an_error_before_it_runs(tmp_path: Path, name: str) -> None:
    file, text, scans, sentence = UNREAD[name]
    says(tmp_path, recorded("nothing"), first="exit 3")
    probe, gate = looked(tmp_path, scans=scans)
    (gate.rootdir / file).write_text(text, encoding="utf-8")
    with pytest.raises(MeasurementError, match=sentence):
        probe.check()


def test_an_artifact_that_the_candidate_does_not_have(tmp_path: Path) -> None:
    says(tmp_path, recorded("kubernetes"))
    with pytest.raises(CandidateError):
        looked(tmp_path, scans=[KUBERNETES])[0].check()


BAD: dict[str, dict[str, Any]] = {
    "scanning nothing is no pass": {"scans": []},
    "either a folder or an artifact": {"scans": [{"framework": "kubernetes"}]},
    "names a folder": {"scans": [{"framework": "terraform", "artifact": "x"}]},
    "names an artifact": {"scans": [{"framework": "terraform_plan", "folder": "x"}]},
    "below the root": {"scans": [{"framework": "terraform", "folder": "../x"}]},
    "is no check": {"severity": {"TF06": "low"}},
    "say in words why": {"off": {"CKV_AWS_1": "no"}},
    "say something": {"accepted": [{"check": "CKV_AWS_1", **ACCEPTED, "resource": "*"}]},
    "at most 3600": {"timeout_s": float("nan")},
    "own program": {"program": " "},
}


@pytest.mark.parametrize("sentence", BAD)
def test_policy_that_makes_no_sense_is_refused(sentence: str) -> None:
    said = {"scans": [TERRAFORM], **BAD[sentence]}
    with pytest.raises(msgspec.ValidationError, match=sentence):
        msgspec.convert(said, CheckovSettings)


def test_our_own_rules_and_the_table_agree() -> None:
    """`CKV_AWS_53 to 56` in the catalogue of Terraform is four checks."""
    compared = 0
    for rule in CATALOGUE.values():
        for reference in rule.references:
            if spelt := re.fullmatch(r"(CKV\w*_)(\d+)(?: to (\d+))?", reference):
                for number in range(int(spelt[2]), int(spelt[3] or spelt[2]) + 1):
                    assert OURS[f"{spelt[1]}{number}"] is rule.severity, (rule.id, reference)
                    compared += 1
    assert compared >= 20


def test_where_a_severity_comes_from() -> None:
    settings = msgspec.convert(
        {"scans": [TERRAFORM], "severity": {"CKV_AWS_21": "low"}, "otherwise": "high"}, CheckovSettings
    )

    def of(check: str, said: str | None = None) -> Severity:
        return severity_of(check, said, settings, "x")

    assert of("CKV_AWS_21", "CRITICAL") is Severity.LOW, "policy has the last word"
    assert of("CKV_AWS_54", "LOW") is Severity.CRITICAL, "TF05 names it in a range"
    assert of("CKV_K8S_16") is Severity.CRITICAL
    assert of("CKV_AWS_144", "MODERATE") is Severity.MEDIUM
    assert of("CKV_AWS_144") is Severity.HIGH
    with pytest.raises(MeasurementError, match="has the severity OFF, which nobody knows"):
        of("CKV_AWS_144", "OFF")


@pytest.mark.skipif(not PROGRAM.exists(), reason="python -m fixtures.checkov installs the real one (300 MB)")
def test_the_real_one(tmp_path: Path) -> None:
    """Its own findings of the reference's sources, plan and manifests; and what it would not tell."""
    plan_artifacts(tmp_path)
    manifest_artifacts(tmp_path, "0" * 64)
    scans = [TERRAFORM, {"framework": "terraform_plan", "artifact": "plan.json"}, KUBERNETES]
    probe, gate = looked(tmp_path, program=str(PROGRAM), version=VERSION, scans=scans)
    for file in FOLDER.glob("*"):
        (tmp_path / "infra" / file.name).write_bytes(file.read_bytes())
    (tmp_path / "infra/.checkov.yaml").write_text("skip-check: [CKV_AWS_21, CKV_AWS_144, CKV_AWS_18]\n")
    with pytest.raises(AssertionError) as failure:
        probe.check()
    assert "CKV2_AWS_11 (medium) aws_vpc.trading in infra/network.tf:1-4: " in str(failure.value)
    assert "CKV2_AWS_11 (medium) aws_vpc.trading in plan.json: " in str(failure.value)
    probe.measure()
    assert gate.told["checkov.resources"] >= 14 + 14 + 21
    bucket, gate = looked(tmp_path / "bucket", program=str(PROGRAM))
    with pytest.raises(AssertionError, match=r"CKV_AWS_18 .*switched off beside it \(nobody reads the log\)"):
        bucket.check()
    far = 'module "far" {\n  source = "terraform-aws-modules/vpc/aws"\n  version = "5.1.0"\n}\n'
    probe, gate = looked(tmp_path / "far", program=str(PROGRAM))
    (gate.rootdir / "infra/far.tf").write_text(far, encoding="utf-8")
    with pytest.raises(MeasurementError, match="Failed to download module"):
        probe.check()
