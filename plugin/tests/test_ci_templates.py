"""The pipelines in ``reports/ci``: valid by their own schemas, and each command does what it says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
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


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a new project, as ``release-gates init`` makes it."""
    assert "Next:" in release_gates(tmp_path, "init", ".")
    return tmp_path


def release_gates(folder: Path, *words: str) -> str:
    command = [sys.executable, "-m", "release_gates", *words]
    return GateProject.launch(command, folder, {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}).stdout


@pytest.fixture(params=TEMPLATES)
def jobs(request: pytest.FixtureRequest) -> list[Job]:
    """Return the jobs of one pipeline."""
    return read_jobs(CI / request.param)


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


def test_good_candidate_is_promoted(jobs: list[Job], project: Path) -> None:
    statuses = run_jobs(unreported(jobs), project, VARIABLES)
    assert list(statuses.values()) == [0] * len(jobs)
    assert "live is exchange" in release_gates(project, "status")


def test_broken_candidate_is_held_without_a_second_run(jobs: list[Job], project: Path) -> None:
    changed(
        project / "app" / "exchange.py",
        "                    side.remove(order)\n",
        "                    pass\n",
    )
    statuses = run_jobs(jobs, project, VARIABLES)
    assert list(statuses.values()) == [0, 0, 0, 1]
    assert "HOLD (broken): <span>do not promote" in (project / "release.html").read_text(encoding="utf-8")
    assert "attempt 1 of" in release_gates(project, "explain", "staging")


def test_candidate_that_is_not_proven_is_measured_again(jobs: list[Job], project: Path) -> None:
    """The second part is lost on its way; what ``decide`` cannot judge is measured again, and promoted."""
    jobs = unreported(jobs)
    lossy = [Job(job.name, f"{job.script}\nrm -f parts/matching.jsonl", job.variables) for job in jobs[:3]]
    assert list(run_jobs([*lossy, *jobs[3:]], project, VARIABLES).values()) == [0] * len(jobs)
    assert "attempt 2 of" in release_gates(project, "explain", "staging")
