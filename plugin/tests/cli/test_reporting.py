"""``report --observed`` as a team calls it after two weeks."""

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
OBSERVED = """
schema = 1
path = ["staging"]
[environment.staging]
local_may_promote = true
mode = "observe"
"""


@pytest.fixture
def project(tmp_path: Path) -> GateProject:
    made = GateProject(tmp_path)
    made.write("gates/environments.toml", OBSERVED)
    made.write("suites/test_smoke.py", SUITE.format(value=9))
    made.limits("smoke", {"order.time": "<= 5 ms"})
    made.expect()
    return made


def test_an_empty_ledger_is_a_sentence(project: GateProject) -> None:
    result = project.cli("report", "--observed")
    assert result.status == 0
    assert "The ledger has no run that was only observed: nothing to tell." in result.output
    assert project.cli("report", "--observed", "staging", "--since", "14d").status == 0
    assert json.loads(project.cli("report", "--observed", "--json").output)["observations"]["entries"] == []


def test_what_two_weeks_would_have_held(project: GateProject) -> None:
    assert project.run().status == 0
    project.candidate("engine 2")
    project.write("suites/test_smoke.py", SUITE.format(value=7.5))
    assert project.run().status == 0
    project.candidate("engine 3")
    project.write("suites/test_smoke.py", SUITE.format(value=3))
    assert project.run().status == 0
    result = project.cli("report", "--observed", "staging", "--since", "14d")
    assert result.status == 0
    text = " ".join(result.output.split())
    assert "3 runs of 3 candidates" in text
    assert "2 x FAIL order.time is … ms; the limit is <= … ms" in text
    assert "Enforcing today would have held 2 of 3 candidates: engine 1.0.0" in text
    assert max(map(len, result.output.splitlines())) <= 80
    data = json.loads(project.cli("--json", "report", "--observed").output)
    (entry,) = data["observations"]["entries"]
    assert (entry["broken"], entry["candidates"], len(entry["held"])) == (2, 3, 2)
    assert data["closing"]["staging"].startswith("Enforcing today would have held 2 of 3")
    assert "3 runs" not in project.cli("report", "--observed", "--since", "1 us").output


def test_the_ledger_alone_is_asked(project: GateProject) -> None:
    project.run()
    project.write("gates/environments.toml", "this is no policy")
    assert "Enforcing today" in project.cli("report", "--observed", "staging").output


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("report",), "say whose entry: --environment ENV (or --history, --observed)"),
        (("report", "--observed", "stagign"), "there is no environment 'stagign'"),
        (("report", "--observed", "--since", "soon"), "--since soon: is no duration. Write --since 14d"),
        (("report", "--observed", "--since", "-1 d"), "--since"),
    ],
)
def test_what_cannot_be_asked(project: GateProject, words: tuple[str, ...], says: str) -> None:
    result = project.cli(*words)
    assert result.status == 2
    assert says in result.output


def test_check_reminds(project: GateProject) -> None:
    result = project.cli("check")
    assert result.status == 0
    assert "staging: only observed, and no observe_until ends it: nothing is held" in result.output
