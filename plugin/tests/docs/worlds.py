"""The projects in which commands of a page run: what a reader would have before the first of them."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

from release_gates.testing import GateProject

SMOKE = """
import pytest

pytestmark = pytest.mark.gate("smoke")


def test_ready(gate):
    gate.measure("service.ready_time", 0.2, "s")
"""
JUNIT = """<testsuites><testsuite name="engine" tests="2" failures="0">
<testcase classname="book" name="crosses" time="0.1"/><testcase classname="book" name="rests" time="0.1"/>
</testsuite></testsuites>"""
APPROVALS = """schema = 1
path = ["production"]
[environment.production]
local_may_promote = true
[environment.production.approvals.role.release]
least = 1
persons = ["Ann Lee <ann@example.org>"]
[environment.production.approvals.role.risk]
least = 1
persons = ["Eve Ray <eve@example.org>"]
"""


def empty(folder: Path) -> None:
    """Leave the folder as it is."""
    assert not list(folder.iterdir())


def repository(folder: Path) -> None:
    """Write a project that has tests and a distribution, and knows nothing of gates."""
    git(folder, "init", "-q")
    write(folder, "pyproject.toml", '[tool.pytest.ini_options]\ntestpaths = ["tests"]\n')
    write(folder, "tests/test_app.py", "def test_adds():\n    assert 1 + 1 == 2\n")
    write(folder, ".gitignore", "dist/\n")
    write(folder, "dist/app.whl", "a distribution")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "as released")


def decided(folder: Path) -> None:
    """Write a project whose candidate was decided."""
    git(folder, "init", "-q")
    project = smoke(folder)
    assert project.run().promotes


def unit_tests(folder: Path) -> None:
    """Write a project with JUnit XML of another tool, for the gate ``unit``."""
    gated(folder, "unit")
    write(folder, "build/engine.xml", JUNIT)


def analysed(folder: Path) -> None:
    """Write a project with sources for an analyser, for the gate ``security``."""
    gated(folder, "security")
    write(folder, "app/engine.py", '"""An engine."""\n')


def drilled(folder: Path) -> None:
    """Write a project with the report of a drill, for the gate ``dr``."""
    gated(folder, "dr", 'valid_for = "31 d"\n').limits("dr", {"dr.recovery_time": "<= 60 min"})
    write(folder, "drill.pdf", "what was seen")


def gated(folder: Path, gate: str, more: str = "") -> GateProject:
    """Write a project with one more gate, which no test of pytest is in."""
    project = smoke(folder)
    with (folder / "gates/staging.toml").open("a", encoding="utf-8") as file:
        file.write(f'[gate.{gate}]\nowner = "o"\n{more}')
    return project


def approved(folder: Path) -> None:
    """Write a project whose candidate may enter production as soon as two persons say so."""
    project = GateProject(folder)
    project.write("gates/environments.toml", APPROVALS)
    (folder / "gates/staging.toml").rename(folder / "gates/production.toml")
    project.write("suites/test_smoke.py", SMOKE)
    project.expect()
    file = folder / "candidate.toml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("authors = []", 'authors = ["Max Doe <max@example.org>"]'), encoding="utf-8")
    assert "max@" in file.read_text(encoding="utf-8")
    ran = project.run(mark="gate_production")
    assert ran.status == 0, ran.output


def routed(folder: Path) -> None:
    """Write a project with a route, that was rolled back once, and a new candidate for it."""
    project = smoke(folder)
    with (folder / "gates/staging.toml").open("a", encoding="utf-8") as file:
        file.write('[gate.load]\nowner = "o"\n')
    with (folder / "gates/environments.toml").open("a", encoding="utf-8") as file:
        file.write('[environment.staging.route.hotfix]\ngates = ["smoke"]\nfull_within = "24 h"\n')
    project.write("suites/test_load.py", SMOKE.replace("smoke", "load").replace("service.ready", "load.some"))
    project.write("gates/expected/load.txt", "suites/test_load.py::test_ready\n")
    for content in ("engine 1", "engine 2"):
        project.candidate(content)
        assert project.run().promotes
        assert project.cli("promote", "--to", "staging").status == 0
    project.candidate("engine 3")


def smoke(folder: Path) -> GateProject:
    """Write a project with one gate that passes."""
    project = GateProject(folder)
    project.write("suites/test_smoke.py", SMOKE)
    project.limits("smoke", {"service.ready_time": "<= 5 s"})
    project.expect()
    return project


def write(folder: Path, name: str, text: str) -> None:
    """Write a file below a folder."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def git(folder: Path, *words: str) -> None:
    """Run git, as somebody who has a name."""
    who = ("-c", "user.name=Max Doe", "-c", "user.email=max@example.org")
    subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True)
    if words[0] == "init":
        for name, value in (("user.name", "Max Doe"), ("user.email", "max@example.org")):
            subprocess.run(["git", "config", name, value], cwd=folder, check=True)


WORLDS: dict[str, Callable[[Path], object]] = {
    "an empty folder": empty,
    "a repository": repository,
    "a decided project": decided,
    "unit tests of another tool": unit_tests,
    "sources for an analyser": analysed,
    "the report of a drill": drilled,
    "a candidate that waits for approval": approved,
    "a project with a route": routed,
}
