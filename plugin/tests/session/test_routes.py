"""Real runs on a route: what it leaves out is said, owed, and never taken for proven."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from msgspec.structs import replace

from release_gates.candidate.file import read_candidate, write_candidate
from release_gates.testing import GateProject, GateResult

LOAD = """
import pytest
pytestmark = pytest.mark.gate("load")

def test_load(gate):
    gate.measure("load.p99", {p99}, "ms")
"""
ANN, EVE = "Ann Lee <ann@example.org>", "Eve Ray <eve@example.org>"
ROUTES = """
[environment.staging.route.hotfix]
gates = ["smoke"]
full_within = "{within}"
[environment.staging.route.break-glass]
gates = ["smoke"]
full_within = "{within}"
[environment.staging.route.break-glass.approvals.role.on-call]
least = 2
persons = ["{ann}", "{eve}"]
"""
EMERGENCY = ("--break-glass", "--ticket", "OPS-1", "--reason", "orders are lost")


@pytest.fixture
def project(project: GateProject) -> GateProject:
    """Return the project with a second gate and two routes that leave it out."""
    with (project.root / "gates/staging.toml").open("a") as file:
        file.write('[gate.load]\nowner = "somebody"\n[gate.load.limits]\n"load.p99" = "<= 500 ms"\n')
    project.write("suites/test_load.py", LOAD.format(p99=400))
    project.write("gates/expected/load.txt", "suites/test_load.py::test_load\n")
    routes(project, within="24 h")
    return project


def routes(project: GateProject, *, within: str) -> None:
    path = project.root / "gates/environments.toml"
    head = path.read_text().partition("\n[environment.staging.route.hotfix]")[0]
    path.write_text(head + ROUTES.format(within=within, ann=ANN, eve=EVE))


def ran(project: GateProject, route: str = "hotfix") -> GateResult:
    return project.run("--gate-route", route)


def flat(result: GateResult) -> str:
    return " ".join(result.output.split())


def test_a_route_leaves_gates_out_and_says_so(project: GateProject) -> None:
    project.write("suites/test_load.py", LOAD.format(p99="1 / 0"))
    result = ran(project)
    assert (result.status, result.verdict is not None) == (0, True), result.output
    assert result.verdict is not None
    assert result.verdict.title == "PROMOTE on route hotfix"
    assert result.verdict.because.endswith("; left unproven on route hotfix: load")
    assert "left unproven on route hotfix: load" in flat(result)
    assert [gate.name for gate in result.verdict.gates] == ["smoke"]
    assert project.cli("replay", result.verdict.run).status == 0


def test_a_route_promotes_on_that_route_alone(project: GateProject) -> None:
    assert ran(project).status == 0
    refused = project.cli("promote", "--to", "staging")
    assert (refused.status, "was for the route hotfix, and this is normal" in flat(refused)) == (2, True)
    promoted = project.cli("promote", "--to", "staging", "--route", "hotfix")
    assert promoted.status == 0, promoted.output
    assert "the normal route has to pass for these digests within 24 h" in flat(promoted)


def test_what_is_owed_is_told_until_the_normal_route_has_passed(project: GateProject) -> None:
    ran(project)
    project.cli("promote", "--to", "staging", "--route", "hotfix")
    owes = "a PROMOTE on the normal route for the same digests is due by"
    assert owes in flat(project.cli("status"))
    page = project.root / "page.md"
    project.cli("report", "--environment", "staging", "--format", "markdown", "--output", str(page))
    assert "is due by" in page.read_text()
    assert page.read_text().startswith("## ⛔ PROMOTE on route hotfix")
    assert ran(project).status == 0, "once more on the shorter route pays nothing"
    assert owes in flat(project.cli("status"))
    assert project.run().status == 0
    assert owes not in flat(project.cli("status"))


def test_overdue_holds_every_other_candidate(project: GateProject) -> None:
    routes(project, within="1 s")
    ran(project)
    project.cli("promote", "--to", "staging", "--route", "hotfix")
    time.sleep(1.1)
    project.candidate("engine 2")
    assert project.run().status == 0
    refused = project.cli("promote", "--to", "staging")
    assert (refused.status, "nothing else enters before that" in flat(refused)) == (2, True), refused.output
    project.candidate("engine 1")
    assert project.run().status == 0
    project.candidate("engine 2")
    assert project.run().status == 0
    assert project.cli("promote", "--to", "staging").status == 0


def test_a_failure_sticks_on_a_route_that_does_not_ask(project: GateProject) -> None:
    project.write("suites/test_load.py", LOAD.format(p99=900))
    assert project.run().status == 1
    project.write("suites/test_load.py", LOAD.format(p99=400))
    result = ran(project)
    assert result.status == 1, result.output
    assert "this route does not ask again" in result.sentences


def test_a_part_of_another_route_proves_nothing(project: GateProject) -> None:
    project.run("--gate-part", "--gate-evidence", "part.jsonl")
    decided = project.cli("decide", "--environment", "staging", "--route", "hotfix", "part.jsonl")
    assert decided.status == 10, decided.output
    assert "was measured for the route normal, not for hotfix" in flat(decided)


def test_leaving_out_what_a_route_asks_for_is_a_hold(project: GateProject) -> None:
    result = project.run("--gate-route", "hotfix", "-k", "speed")
    assert (result.status, result.promotes) == (10, False)


@pytest.mark.parametrize("route", ["hotfx", ""])
def test_an_unknown_route_is_refused(project: GateProject, route: str) -> None:
    result = ran(project, route)
    assert (result.status, f"has no route '{route}'" in flat(result)) == (4, True), result.output


def test_a_route_by_the_command_and_by_workers(project: GateProject) -> None:
    result = project.cli("run", "staging", "--route", "hotfix")
    assert (result.status, "PROMOTE on route hotfix" in result.output) == (0, True), result.output
    assert project.run("--gate-route", "hotfix", workers=2).status == 0


def test_an_emergency_takes_two_persons_and_a_ticket(project: GateProject) -> None:
    file = project.root / "candidate.toml"
    made = replace(read_candidate(file), authors=("Dan Fox <dan@example.org>",))
    write_candidate(made, file)
    assert ran(project, "break-glass").status == 0
    alone = project.cli("promote", "--to", "staging", *EMERGENCY)
    assert alone.status == 2, alone.output
    for person in (ANN, EVE):
        said = project.cli("approve", "staging", "--route", "break-glass", "--by", person)
        assert said.status == 0, said.output
    untold = project.cli("promote", "--to", "staging", "--break-glass")
    assert (untold.status, "needs a ticket and a reason" in flat(untold)) == (2, True)
    done = project.cli("--json", "promote", "--to", "staging", *EMERGENCY)
    assert done.status == 0, done.output
    fact = json.loads(done.output)["fact"]
    assert (fact["route"], fact["ticket"], fact["reason"]) == ("break-glass", "OPS-1", "orders are lost")
    assert "entered staging on route break-glass" in flat(project.cli("status"))


def test_a_ticket_does_not_make_an_emergency(project: GateProject) -> None:
    assert project.run().status == 0
    refused = project.cli("promote", "--to", "staging", "--ticket", "OPS-1", "--reason", "in a hurry")
    assert (refused.status, "a ticket is for an emergency" in flat(refused)) == (2, True)


def test_a_ledger_elsewhere_does_not_hide_the_configuration_from_pytest(
    project: GateProject, tmp_path: Path
) -> None:
    """It looks for its ini file around every path that stands alone among its arguments."""
    (tmp_path / "elsewhere").mkdir()
    ledger = str(tmp_path / "elsewhere/ledger.db")
    project.write("pytest.ini", "[pytest]\ntestpaths = suites\n")
    project.write("other/test_broken.py", "raise RuntimeError")
    assert project.cli("--gate-ledger", ledger, "first-release", "staging", "--reason", "new").status == 0
    result = project.cli("--gate-ledger", ledger, "run", "staging", "--route", "hotfix")
    assert (result.status, "configfile: pytest.ini" in result.output) == (0, True), result.output


DRILL = """
[gate.drill]
owner = "operations"
valid_for = "31 d"
[gate.drill.limits]
"recovery.time" = "<= 60 min"
"""
DRILLED = '[environment.staging.route.drilled]\ngates = ["smoke", "drill"]\nfull_within = "24 h"\n'


def recorded(project: GateProject, *words: str, env: dict[str, str] | None = None) -> GateResult:
    value = ("drill", "recovery.time=42 min", "--source", "drill.pdf", "--valid-for", "31 d")
    return project.cli("record", *value, *words, env=env)


def test_what_others_measured_joins_on_the_route_that_it_was_taken_for(project: GateProject) -> None:
    for name, text in (("staging", DRILL), ("environments", DRILLED)):
        with (project.root / f"gates/{name}.toml").open("a") as file:
            file.write(text)
    project.write("drill.pdf", "what was seen")
    assert recorded(project, "--expect").status == 0
    project.run("--gate-part", "--gate-evidence", "part.jsonl", "--gate-route", "drilled")
    for words, env, status in (
        ((), {}, 10),
        (("--route", "drilled"), {}, 0),
        ((), {"GATE_ROUTE": "drilled"}, 0),
        (("--route", "hotfix"), {}, 2),
    ):
        (project.root / "drill.jsonl").unlink(missing_ok=True)
        taken = recorded(project, "--output", "drill.jsonl", *words, env=env)
        if status == 2:
            assert (taken.status, "on route hotfix asks for no gate 'drill'" in flat(taken)) == (2, True)
            continue
        assert taken.status == 0, taken.output
        decided = project.cli(
            "decide", "--environment", "staging", "--route", "drilled", "part.jsonl", "drill.jsonl"
        )
        assert decided.status == status, decided.output


def test_status_asks_those_whom_the_route_asks(project: GateProject) -> None:
    ran(project, "break-glass")
    assert "nobody knows the authors" in flat(project.cli("status"))
    routes(project, within="48 h")
    path = project.root / "gates/environments.toml"
    path.write_text(path.read_text().partition("[environment.staging.route.break-glass]")[0])
    gone = project.cli("status")
    assert (gone.status, "has no route 'break-glass'" in flat(gone)) == (0, True), gone.output
