"""``release-gates report --environment``: which run it tells of, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from release_gates.testing import GateProject

SUITE = """
import pytest
pytestmark = pytest.mark.gate("smoke")

def test_speed(gate):
    gate.measure("order.time", {value}, "ms")
"""


@pytest.fixture
def project(tmp_path: Path) -> GateProject:
    made = GateProject(tmp_path)
    made.write("suites/test_smoke.py", SUITE.format(value=3))
    made.limits("smoke", {"order.time": "<= 5 ms"})
    made.expect(["suites/test_smoke.py::test_speed"])
    return made


def report(project: GateProject, *words: str) -> str:
    """Write the page, and return it."""
    result = project.cli("report", "--environment", "staging", "--output", "out/page.html", *words)
    assert result.status == 0, result.output
    return (project.root / "out/page.html").read_text(encoding="utf-8")


def test_from_a_run_to_its_page(project: GateProject) -> None:
    project.run()
    html = report(project)
    assert "<h1>PROMOTE: <span>may enter staging.</span></h1>" in html
    assert "order.time" in html
    assert '<path class="value"' in html
    data = json.loads(project.cli("report", "--environment", "staging", "--json").output)
    assert data["verdict"]["verdict"] == "PROMOTE"
    assert data["limits"][0]["measurement"]["value"] == 3


def test_a_promote_that_no_longer_counts_says_so(project: GateProject) -> None:
    project.run()
    with (project.root / "gates/staging.toml").open("a") as file:
        file.write("# another rule\n")
    html = report(project)
    assert '<header class="stop">' in html
    assert "promote` refuses now: the rules changed since run" in html
    assert "release-gates promote --to" not in html


def test_what_is_promoted_is_live(project: GateProject) -> None:
    project.run()
    assert project.cli("promote", "--to", "staging").status == 0
    html = report(project)
    assert "<h1>PROMOTE: <span>is live in staging.</span></h1>" in html
    assert "Nothing: it is live already." in html
    assert "promote --to" not in html
    project.write("suites/test_smoke.py", SUITE.format(value=9))
    project.run()
    assert "Exactly this build is live in staging." in report(project)


def test_another_candidate_has_no_page(project: GateProject) -> None:
    project.run()
    report(project)
    project.candidate("engine 2")
    result = project.cli("report", "--environment", "staging", "--output", "out/page.html")
    assert result.status == 2
    assert "the ledger has no run of engine 1.0.0" in result.output
    assert not (project.root / "out/page.html").exists()  # no page of an earlier candidate survives


def test_each_run_has_its_page(project: GateProject) -> None:
    project.run()
    project.write("suites/test_smoke.py", SUITE.format(value=9))
    project.run()
    first, second = (view.started.run for view in project.runs())
    assert "HOLD (broken)" in report(project)
    html = report(project, "--run", first)
    assert f"run {first}" in html
    assert "may enter" not in html
    assert project.cli("report", "--environment", "staging", "--run", "nope").status == 2
    assert second != first


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "say whose entry: --environment ENV (or --history, --observed)"),
        (("--environment", "stagign"), "there is no environment 'stagign'"),
        (("--environment", "staging"), "the ledger has no run of engine 1.0.0"),
        (("dev", "--environment", "staging"), "name one environment"),
        (("--environment", "staging", "--output", "gates"), "cannot be written"),
    ],
)
def test_what_cannot_be_told(project: GateProject, words: tuple[str, ...], says: str) -> None:
    result = project.cli("report", *words)
    assert result.status == 2
    assert says in result.output
