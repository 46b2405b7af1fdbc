"""Real runs under ``mode = "observe"``: everything is told, nothing is held, and nothing leaks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from release_gates.ledger.opening import open_ledger
from release_gates.model.event import GateFailed, Promoted
from release_gates.model.outcome import Outcome
from release_gates.testing import GateProject

SMOKE = """
import pytest
pytestmark = pytest.mark.gate("smoke")

def test_book():
    assert {book}
"""
LOAD = """
import pytest
pytestmark = pytest.mark.gate("load")

def test_speed(gate):
    gate.measure("order.time", {value}, "ms")
"""
ENVIRONMENTS = """
schema = 1
path = ["staging", "production"]
[environment.staging]
local_may_promote = true
{staging}
[environment.production]
local_may_promote = true
"""
LIMITS = '[gate.load.limits]\n"order.time" = "<= 5 ms"\n'
OBSERVE = 'mode = "observe"'
DAY = timedelta(days=1)


def until(day: datetime) -> str:
    return f"{OBSERVE}\nobserve_until = {day.date()}"


@pytest.fixture
def project(tmp_path: Path) -> GateProject:
    made = GateProject(tmp_path / "project")
    rules(made)
    measure(made, 9)
    made.write("suites/test_smoke.py", SMOKE.format(book=True))
    made.expect()
    return made


def rules(project: GateProject, *, load: str = "", staging: str = "") -> None:
    project.write("gates/environments.toml", ENVIRONMENTS.format(staging=staging))
    gates = f'schema = 1\n[gate.smoke]\nowner = "a"\n[gate.load]\nowner = "b"\n{load}\n{LIMITS}'
    project.write("gates/staging.toml", gates)
    project.write("gates/production.toml", 'schema = 1\nextends = "staging"\n')


def measure(project: GateProject, value: object) -> None:
    project.write("suites/test_load.py", LOAD.format(value=value))


def facts(project: GateProject, kind: type) -> list[object]:
    ledger = open_ledger(None, base=project.root, state=project.root / ".gates")
    return [event.fact for event in ledger.events() if isinstance(event.fact, kind)]


# -- one gate -------------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [0, 2])
def test_an_observed_gate_fails_and_the_candidate_enters(project: GateProject, workers: int) -> None:
    rules(project, load=OBSERVE)
    result = project.run(workers=workers)
    assert result.status == 0
    assert result.verdict is not None
    assert result.verdict.promotes
    assert "LimitBroken" in result.output  # pytest says what it always says
    assert "OBSERVED FAIL load, would hold   1 of 1 tests   owner b" in result.output
    assert "only observed: this gate holds nothing" in result.output
    gate = next(gate for gate in result.verdict.gates if gate.name == "load")
    assert (gate.outcome, gate.mode) == (Outcome.FAIL, "observe")
    assert result.verdict_file["observed"][0]["gate"] == "load"
    assert facts(project, GateFailed) == []
    assert "Only observed, would hold:" in project.cli("explain", "staging").output
    assert project.cli("replay", result.verdict.run).status == 0


def test_an_enforced_gate_still_holds(project: GateProject) -> None:
    rules(project, load=OBSERVE)
    project.write("suites/test_smoke.py", SMOKE.format(book=False))
    result = project.run()
    assert (result.status, result.promotes) == (1, False)


def test_an_observed_fail_does_not_stick_once_the_gate_is_enforced(project: GateProject) -> None:
    rules(project, load=OBSERVE)
    assert project.run().status == 0
    rules(project)
    refused = project.cli("promote", "--to", "staging")
    assert (refused.status, "[rules-changed]" in refused.output) == (2, True)
    assert project.run().status == 1, "it still measures 9 ms, and now that holds"
    project.candidate("engine 2")
    measure(project, 3)
    assert project.run().promotes


def test_an_enforced_fail_survives_a_time_of_observing(project: GateProject) -> None:
    assert project.run().status == 1
    rules(project, load=OBSERVE)
    measure(project, 3)
    between = project.run()
    assert between.status == 0
    assert "OBSERVED FAIL load" in between.output, "the FAIL of then is not hidden either"
    rules(project)
    after = project.run()
    assert (after.status, after.promotes) == (1, False)
    assert "no later run replaces that" in after.sentences


def test_production_does_not_inherit_the_mode(project: GateProject) -> None:
    rules(project, load=OBSERVE, staging=OBSERVE)
    result = project.run(mark="gate_production")
    assert result.status == 1
    assert result.verdict is not None
    assert (result.verdict.title, result.verdict.would_hold) == ("HOLD (broken)", ())
    refused = project.cli("promote", "--to", "production")
    assert (refused.status, "[verdict-is-hold]" in refused.output) == (2, True)


# -- a whole entry --------------------------------------------------------------------------------


def test_an_observed_entry_lets_ci_go_on_and_records_the_hold(project: GateProject) -> None:
    rules(project, staging=OBSERVE)
    result = project.run()
    assert result.status == 0
    assert " WOULD HOLD (broken), observed: entry to staging " in result.output
    assert "The entry to staging is only observed: nothing is held." in result.output
    assert result.verdict is not None
    assert not result.verdict.promotes
    assert (result.verdict_file["verdict"], result.verdict_file["mode"]) == ("HOLD", "observe")
    assert facts(project, GateFailed) == []
    for words in (("run", "staging"), ("explain", "staging")):
        assert project.cli(*words).status == 0
    assert project.cli("verify").status == 0
    assert project.cli("replay", result.verdict.run).status == 0


def test_parts_are_decided_as_observed(project: GateProject) -> None:
    rules(project, staging=OBSERVE)
    part = project.root / "part.jsonl"
    assert project.run("--gate-part", "--gate-evidence", str(part)).status == 1, (
        "a part is pytest's own status"
    )
    decided = project.cli("decide", str(part), "--environment", "staging")
    assert decided.status == 0
    assert "WOULD HOLD (broken), observed" in decided.output


def test_observed_runs_use_up_no_attempt(project: GateProject) -> None:
    rules(project, staging=OBSERVE)
    for _ in range(4):
        result = project.run("-k", "book")
        assert result.verdict is not None
        assert (result.status, result.verdict.attempt) == (0, 1)
        assert result.verdict.title == "WOULD HOLD (not proven), observed"
    project.write("suites/test_load.py", LOAD.format(value="__import__('os')._exit(0)"))
    assert project.run().verdict is None
    assert project.runs()[-1].observed, "also one that was killed"


@pytest.mark.parametrize("workers", [0, 2])
def test_stopping_at_the_first_failure_is_no_interrupt(project: GateProject, workers: int) -> None:
    """Under xdist too, where pytest itself ends with 2, as for Ctrl-C."""
    enforced = project.run("-x", workers=workers)
    assert (enforced.status, enforced.promotes) == (1, False), enforced.output
    assert "pytest stopped early: stopping after 1 failures" in enforced.sentences
    project.candidate("engine 2")
    rules(project, staging=OBSERVE)
    observed = project.run("-x", workers=workers)
    assert observed.status == 0, observed.output
    assert observed.verdict is not None
    assert not observed.verdict.promotes
    project.candidate("engine 3")
    ctrl_c = "def pytest_runtest_logreport(report): raise KeyboardInterrupt('stopping after 1 failures')\n"
    project.write("conftest.py", ctrl_c)
    assert project.run("-x", workers=workers).status >= 2


def test_observing_does_not_hide_that_pytest_broke(project: GateProject) -> None:
    rules(project, staging=OBSERVE)
    assert project.run("--no-such-option").status == 4
    project.write("suites/test_more.py", "import nothing_of_that_name\n")
    assert project.run().status == 2
    (project.root / "suites/test_more.py").unlink()
    project.write("conftest.py", "def pytest_collection_finish(session):\n    raise RuntimeError('broken')\n")
    assert project.run().status == 3
    project.write(
        "conftest.py",
        "def pytest_sessionfinish(session):\n    session.testsfailed += 1\n    session.exitstatus = 1\n",
    )
    foreign = project.run()
    assert foreign.status == 1, "what belongs to no gate is not ours to observe"
    assert "belongs to no gate" in foreign.sentences


def test_a_pytest_that_vanishes_is_told_and_not_held(project: GateProject) -> None:
    rules(project, staging=OBSERVE)
    project.write("suites/test_load.py", LOAD.format(value="__import__('os')._exit(0)"))
    result = project.cli("run", "staging")
    assert result.status == 0
    assert "WOULD HOLD (not proven), observed" in result.output
    project.write("suites/test_load.py", LOAD.format(value="__import__('os').abort()"))
    assert project.cli("run", "staging").status >= 2


def test_a_promotion_under_observation_says_so(project: GateProject) -> None:
    rules(project, staging=OBSERVE)
    assert "[never-measured]" in project.cli("promote", "--to", "staging").output
    project.run()
    promoted = project.cli("promote", "--to", "staging")
    assert promoted.status == 0, promoted.output
    would = "load: order.time is 9 ms; the limit is <= 5 ms"
    said = " ".join(promoted.output.split())
    assert f"promoted under observation, would have been held: {would}" in said
    (fact,) = facts(project, Promoted)
    assert isinstance(fact, Promoted)
    assert fact.observed == would
    status = project.cli("status").output
    assert f"promoted under observation by tester; would have been held: {would}" in " ".join(status.split())
    assert "only observed: nothing is held" in status
    assert "WOULD HOLD (broken), observed" in status


def test_an_observed_verdict_is_worth_nothing_under_enforcement(project: GateProject) -> None:
    rules(project, staging=OBSERVE)
    measure(project, 3)
    assert project.run().verdict_file["verdict"] == "PROMOTE"
    rules(project)
    refused = project.cli("promote", "--to", "staging")
    assert (refused.status, "[rules-changed]" in refused.output) == (2, True)
    assert project.run().promotes
    assert project.cli("promote", "--to", "staging").status == 0
    (fact,) = facts(project, Promoted)
    assert isinstance(fact, Promoted)
    assert "observ" not in project.cli("status").output


# -- until when, and who may say so ---------------------------------------------------------------


def test_it_ends_by_itself(project: GateProject) -> None:
    now = datetime.now(UTC)
    rules(project, load=until(now + DAY))
    result = project.run()
    assert result.status == 0
    assert (
        f"only observed until the end of {(now + DAY).date()} (UTC): this gate holds nothing" in result.output
    )
    assert f"only observed until the end of {(now + DAY).date()} (UTC)" in project.cli("check").output
    rules(project, load=until(now - DAY))
    assert project.run().status == 1
    rules(project, staging=until(now - DAY))
    over = project.run()
    assert over.status == 1
    assert "observed" not in over.output


@pytest.mark.parametrize("name", ["GATE_MODE", "GATE_OBSERVE", "GATE_OBSERVE_UNTIL", "GATE_STAGING_MODE"])
def test_no_environment_variable_switches_it_on(project: GateProject, name: str) -> None:
    result = project.run(env={name: "observe"})
    assert (result.status, result.promotes) == (1, False)


def test_no_option_switches_it_on(project: GateProject) -> None:
    for option in ("--gate-mode=observe", "--gate-observe", "--observe"):
        assert project.run(option).status == 4
        assert project.cli("run", "staging", option).status != 0
    with (project.root / "pytest.ini").open("a") as file:
        file.write("gate_mode = observe\n")
    assert project.run().status == 4
