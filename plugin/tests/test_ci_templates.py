"""The pipelines in ``reports/ci``: valid by their own schemas, and each command does what it says."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from release_gates.testing import GateProject
from reports.ci.steps import Job, read_jobs, run_jobs

ROOT = Path(__file__).resolve().parents[2]
CI = ROOT / "reports" / "ci"
TEMPLATES = ("gitlab-ci.yml", "github-actions.yml", "Jenkinsfile")
COMMIT = "0123456789abcdef0123456789abcdef01234567"
VARIABLES = {
    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    **{"CI_COMMIT_SHORT_SHA": COMMIT[:8], "CI_COMMIT_SHA": COMMIT, "GITHUB_SHA": COMMIT},
    "GITHUB_STEP_SUMMARY": "summary.md",
    **{"GIT_COMMIT": COMMIT, "BUILD_NUMBER": "7"},
}


TRUST = """schema = 1
[key.ci]
public = "{public}"
holder = "machine"
roles = ["evidence", "verdict"]
environments = ["staging"]
valid_from = {today}
valid_until = {tomorrow}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a project as ``release-gates init`` makes it, which promotes to staging by signed verdicts."""
    folder = tmp_path / "project"
    folder.mkdir()
    assert "Next:" in release_gates(folder, "init", ".")
    said = json.loads(release_gates(folder, "--json", "keygen", str(tmp_path / "key.pem")))
    today = datetime.now(UTC).date()
    days = {"today": today - timedelta(days=1), "tomorrow": today + timedelta(days=2)}
    (folder / "gates/trust.toml").write_text(TRUST.format(public=said["public"], **days), encoding="utf-8")
    staging = "[environment.staging]\nlocal_may_promote = true\n"
    changed(folder / "gates/environments.toml", staging, "")
    return folder


def variables(project: Path, template: str) -> dict[str, str]:
    """Return what the server gives to jobs: a secret as a text in GitHub, as a file elsewhere."""
    key = project.parent / "key.pem"
    (project.parent / "home").mkdir(exist_ok=True)
    secret = key.read_text(encoding="utf-8") if template.startswith("github") else str(key)
    folders = dict.fromkeys(("HOME", "RUNNER_TEMP"), str(project.parent / "home"))
    return {**VARIABLES, **folders, "GATES_KEY": secret}


def release_gates(folder: Path, *words: str) -> str:
    command = [sys.executable, "-m", "release_gates", *words]
    return GateProject.launch(command, folder, {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}).stdout


@pytest.fixture(params=TEMPLATES)
def template(request: pytest.FixtureRequest) -> str:
    """Return the name of one pipeline."""
    return str(request.param)


@pytest.fixture
def jobs(template: str) -> list[Job]:
    """Return the jobs of one pipeline."""
    return read_jobs(CI / template)


def changed(file: Path, before: str, after: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert text.count(before) == 1
    file.write_text(text.replace(before, after), encoding="utf-8")


@pytest.mark.parametrize(
    ("template", "schema"),
    [("gitlab-ci.yml", "vendor.gitlab-ci"), ("github-actions.yml", "vendor.github-workflows")],
)
def test_template_is_valid(template: str, schema: str) -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema]
    if schema == "vendor.gitlab-ci":
        command += ["--data-transform", "gitlab-ci"]
    done = subprocess.run([*command, CI / template], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_pipeline_has_the_same_jobs(jobs: list[Job]) -> None:
    assert [job.name.replace("part", "measure") for job in jobs] == [
        *("build", "measure", "measure", "decide", "promote")
    ]
    assert [job.variables for job in jobs[1:3]] == [{"PART": "orders"}, {"PART": "matching"}]


def unreported(jobs: list[Job]) -> list[Job]:
    """Return the jobs without their reports, which change nothing and take as long as the rest."""
    return [Job(job.name, re.sub(r".*release-gates report.*", "", job.script), job.variables) for job in jobs]


def test_good_candidate_is_promoted(jobs: list[Job], project: Path, template: str) -> None:
    """Also where policy asks for a signature; the key is gone afterwards."""
    statuses = run_jobs(unreported(jobs), project, variables(project, template))
    assert list(statuses.values()) == [0] * len(jobs)
    assert "live is exchange" in release_gates(project, "status")
    assert list((project.parent / "home").glob("*.pem")) == []


def test_only_the_deciding_job_has_the_key(jobs: list[Job], project: Path, template: str) -> None:
    """No job in which the candidate's code runs asks for it, and the one that has it runs no test."""
    assert [job.name for job in jobs if "GATES_KEY" in job.script] == ["decide"]
    (decide,) = (job for job in jobs if job.name == "decide")
    assert not re.search(r"pytest -|release-gates run", decide.script)
    without = {name: each for name, each in variables(project, template).items() if name != "GATES_KEY"}
    assert list(run_jobs(unreported(jobs), project, without).values())[-2:] != [0, 0]
    assert "live is exchange" not in release_gates(project, "status")


def test_broken_candidate_is_held_without_a_second_run(jobs: list[Job], project: Path, template: str) -> None:
    changed(
        project / "app" / "exchange.py",
        "                    side.remove(order)\n",
        "                    pass\n",
    )
    statuses = run_jobs(jobs, project, variables(project, template))
    assert list(statuses.values()) == [0, 0, 0, 1]
    assert "HOLD (broken): <span>do not promote" in (project / "release.html").read_text(encoding="utf-8")
    assert "attempt 1 of" in release_gates(project, "explain", "staging")


def test_candidate_that_is_not_proven_may_be_measured_again(
    jobs: list[Job], project: Path, template: str
) -> None:
    """The second part is lost on its way: 10. The whole pipeline once more promotes."""
    jobs, server = unreported(jobs), variables(project, template)
    lossy = [Job(job.name, f"{job.script}\nrm -f parts/matching.jsonl", job.variables) for job in jobs[:3]]
    assert list(run_jobs([*lossy, *jobs[3:]], project, server).values()) == [0, 0, 0, 10]
    shutil.rmtree(project / "parts")
    assert list(run_jobs(jobs, project, server).values()) == [0] * len(jobs)
    assert "attempt 2 of" in release_gates(project, "explain", "staging")
