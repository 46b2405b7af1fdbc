"""Allure results of gate tests: read back from the files that allure-pytest and we wrote."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from release_gates.testing import GateProject, GateResult

SUITE = '''
import pytest
pytestmark = pytest.mark.gate("smoke")

@pytest.mark.parametrize("profile", ["ramp", "spike"])
def test_entry(gate, profile):
    """Order entry keeps its budget."""
    gate.measure("order_entry.p95", 612 if profile == "spike" else 412, "ms", samples=1000)
    gate.measure("seen", 3, "count")

def test_broken(gate):
    raise RuntimeError("no engine")

def test_noisy(gate):
    gate.measure("noise", 3, "ms", samples=1)

def test_skip(gate):
    pytest.skip("not here")

def test_setup_fails(gate, request):
    request.getfixturevalue("nowhere")

def test_ok():
    pass
'''
IDS = ("entry[ramp]", "entry[spike]", "broken", "noisy", "skip", "setup_fails", "ok", "gone")
NAMES = [f"suites/test_load.py::test_{name}" for name in IDS]


@pytest.fixture
def project(tmp_path: Path) -> GateProject:
    made = GateProject(tmp_path / "project")
    made.write("suites/test_load.py", SUITE)
    made.limits("smoke", {"order_entry.p95": "<= 500 ms"})
    with (made.root / "gates/staging.toml").open("a") as file:
        file.write('"noise" = { limit = "<= 5 ms", min_samples = 100 }\n')
    made.expect(NAMES)
    return made


def run(project: GateProject, *words: str, workers: int = 0, **env: str) -> GateResult:
    return project.run("--alluredir", "results", *words, workers=workers, env=env)


def results(project: GateProject) -> dict[str, dict[str, Any]]:
    """Return Allure's results by node id; the verdict as ``verdict``."""
    found = {}
    for file in (project.root / "results").glob("*-result.json"):
        result = json.loads(file.read_text(encoding="utf-8"))
        cases = [each["value"] for each in result.get("parameters", ()) if each["name"] == "case id"]
        found[cases[0] if cases else "verdict"] = result
    return found


def labels(result: dict[str, Any], name: str) -> list[str]:
    return [each["value"] for each in result["labels"] if each["name"] == name]


def outline(project: GateProject) -> dict[str, Any]:
    """Return what has to be the same in every run of the same tests."""
    return {
        test: (
            result["status"],
            re.sub(r"run \S+", "run", result["name"]),
            result["historyId"],
            sorted((each["name"], each["value"]) for each in result.get("parameters", ())),
            [(each["name"], each["status"]) for each in result.get("steps", ())],
            labels(result, "epic") + labels(result, "feature") + labels(result, "owner"),
        )
        for test, result in results(project).items()
    }


def test_the_whole_story(project: GateProject) -> None:
    assert run(project).status == 1
    found = results(project)
    assert sorted(found) == sorted([*NAMES, "verdict"])
    spike = found[NAMES[1]]
    assert spike["name"] == "test_entry[spike]: order_entry.p95 612 ms / limit <= 500 ms (and 1 more)"
    assert [(step["name"], step["status"]) for step in spike["steps"]] == [
        ("order_entry.p95 612 ms / limit <= 500 ms", "failed"),
        ("seen 3", "passed"),
    ]
    assert {"name": "limit order_entry.p95", "value": "<= 500 ms", "excluded": True} in spike["parameters"]
    assert "Order entry keeps its budget." in spike["description"]
    assert "release-gates explain staging" in spike["description"]
    assert [labels(spike, name) for name in ("epic", "feature", "severity", "owner")] == [
        ["entry to staging"],
        ["smoke"],
        ["critical"],
        ["somebody"],
    ]
    (source,) = [each["source"] for each in spike["attachments"] if each["name"] == "measurement.json"]
    kept = json.loads((project.root / "results" / source).read_text())
    assert kept["measurements"][0]["value"] == 612
    assert kept["judged"][0]["outcome"] == "FAIL"
    states = {test.rpartition("_")[2]: found[test]["status"] for test in NAMES[2:]}
    assert states == {
        "broken": "broken",
        "noisy": "failed",
        "skip": "skipped",
        "fails": "broken",
        "ok": "passed",
        "gone": "broken",
    }
    assert "INCONCLUSIVE: " in found[NAMES[3]]["statusDetails"]["message"]
    assert found[NAMES[7]]["statusDetails"]["message"].startswith("MISSING: ")
    verdict = found["verdict"]
    assert verdict["status"] == "failed"
    assert verdict["name"].startswith("Verdict: HOLD (broken): smoke: order_entry.p95 is 612 ms")
    assert verdict["start"] <= min(each["start"] for each in found.values())


def test_what_identifies_the_run(project: GateProject) -> None:
    variables = {
        "GITHUB_ACTIONS": "true",
        "GITHUB_SERVER_URL": "https://git.example",
        "GITHUB_REPOSITORY": "a/b",
        "GITHUB_RUN_ID": "7",
    }
    run(project, **variables)
    folder = project.root / "results"
    environment = (folder / "environment.properties").read_text()
    assert "Commit=0123abc\n" in environment
    executor = json.loads((folder / "executor.json").read_text())
    assert executor["buildUrl"] == "https://git.example/a/b/actions/runs/7"
    told = json.loads((folder / "release-gates.json").read_text())
    assert told["title"] == "HOLD (broken)"
    assert told["variables"]["Ledger"] == "LOCAL (unsigned)"
    (performance,) = folder.glob("*-perf.json")
    values = {each["key"]: each for each in json.loads(performance.read_text())}
    assert values["smoke/order_entry.p95"]["better"] == "lower"
    assert values["smoke/seen"]["value"] == 3
    assert len({each["id"] for each in json.loads(performance.read_text())}) == 5
    pages = [file.read_text() for file in folder.glob("*-attachment.html")]
    assert len(pages) == 1
    assert "HOLD (broken)" in pages[0]


def test_xdist_tells_the_same(project: GateProject) -> None:
    run(project)
    serial = outline(project)
    project.candidate("engine 2")  # what failed once sticks to its digests, and the verdict says so
    run(project, "--clean-alluredir", workers=2)
    assert outline(project) == serial


def test_a_test_whose_process_died_is_shown(project: GateProject) -> None:
    project.write(
        "suites/test_load.py",
        SUITE.replace('raise RuntimeError("no engine")', "import os; os._exit(0)"),
    )
    result = run(project, workers=1)
    assert not result.promotes
    died = results(project)[NAMES[2]]
    assert died["status"] == "broken"
    assert died["statusDetails"]["message"].startswith("ERROR: the process that ran it died")


def test_another_limit_is_the_same_history(project: GateProject) -> None:
    run(project)
    before = {test: each["historyId"] for test, each in results(project).items()}
    policy = project.root / "gates/staging.toml"
    policy.write_text(policy.read_text().replace("<= 500 ms", "<= 700 ms"))
    run(project, "--clean-alluredir")
    after = results(project)
    assert {test: each["historyId"] for test, each in after.items()} == before
    assert len(set(before.values())) == len(before)
    assert after[NAMES[1]]["status"] == "passed"


def test_a_promote_is_green(project: GateProject) -> None:
    project.write("suites/test_load.py", SUITE.partition("def test_broken")[0].replace("612", "12"))
    project.write("gates/staging.toml", 'schema = 1\n[gate.smoke]\nowner = "somebody"\n')
    project.limits("smoke", {"order_entry.p95": "<= 500 ms"})
    project.expect(NAMES[:2])
    assert run(project).status == 0
    assert results(project)["verdict"]["status"] == "passed"


BREAKS = {
    "a hook": "def pytest_gate_decided(): raise ValueError('no chat')\n",
    "the exit status": "S = []\ndef pytest_sessionstart(session): S.append(session)\n"
    "def pytest_unconfigure(): S[0].exitstatus = 9\n",
}


@pytest.mark.parametrize("text", BREAKS.values(), ids=BREAKS)
def test_a_promote_that_is_taken_back_is_not_green(project: GateProject, text: str) -> None:
    project.write("suites/test_load.py", SUITE.partition("def test_broken")[0].replace("612", "12"))
    project.write("gates/staging.toml", 'schema = 1\n[gate.smoke]\nowner = "somebody"\n')
    project.expect(NAMES[:2])
    project.write("conftest.py", text)
    assert run(project, GITHUB_ACTIONS="true").status in (9, 10)
    verdicts = [each for each in results(project).values() if each["name"].startswith("Verdict")]
    assert [(each["status"], each["name"][:26]) for each in verdicts] == [
        ("broken", "Verdict: HOLD (not proven)")
    ]
    folder = project.root / "results"
    for name in ("release-gates.json", "executor.json"):
        assert "HOLD (not proven)" in (folder / name).read_text()
    (told,) = [json.loads(file.read_text()) for file in folder.glob("*-globals.json")]
    html = (folder / told["attachments"][0]["source"]).read_text()
    assert '<header class="stop">' in html
    assert "This run was invalidated: " in html
    assert not [file for file in folder.iterdir() if '"PROMOTE"' in file.read_text()]


def test_quotes_and_backslashes_in_an_id_break_nothing(project: GateProject) -> None:
    project.write(
        "suites/test_load.py",
        r"""
        import pytest
        pytestmark = pytest.mark.gate("smoke")

        @pytest.mark.parametrize("venue", [1, 2, 3], ids=["l'or", r"a\tb", "é"])
        def test_venue(gate, venue):
            pass
        """,
    )
    project.write("gates/staging.toml", 'schema = 1\n[gate.smoke]\nowner = "somebody"\n')
    project.expect()
    found = run(project)
    assert found.status == 0, found.output
    expected = (project.root / "gates/expected/smoke.txt").read_text().splitlines()
    names = {line for line in expected if line and not line.startswith("#")}
    assert (len(names), {"verdict", *names}) == (3, set(results(project)))


@pytest.mark.parametrize("workers", [0, 2])
def test_two_cases_of_one_id_are_refused(project: GateProject, workers: int) -> None:
    project.write(
        "conftest.py",
        """
        def pytest_collection_modifyitems(items):
            items.append(items[0])
        """,
    )
    result = run(project, workers=workers)
    assert result.status == 4
    assert "two cases have this id" in result.output
    assert not result.promotes


def test_a_test_plan_is_refused(project: GateProject) -> None:
    plan = project.write(
        "plan.json", '{"version": "1.0", "tests": [{"selector": "suites.test_load#test_ok"}]}'
    )
    result = project.run(env={"ALLURE_TESTPLAN_PATH": str(plan)})
    assert result.status == 4
    assert "a test plan silently leaves out tests of gates" in result.output
    assert not result.promotes


def test_results_of_earlier_runs_are_told_of(project: GateProject) -> None:
    run(project)
    result = run(project)
    assert "held 9 Allure results of earlier runs before this one" in " ".join(result.output.split())


def test_what_cannot_be_written_changes_no_verdict(project: GateProject) -> None:
    project.write(
        "conftest.py",
        """
        import shutil
        from pathlib import Path
        def pytest_sessionfinish():
            shutil.rmtree("results")
            Path("results").write_text("no folder")
        """,
    )
    result = run(project)
    assert result.status == 1
    assert "Allure was not told everything" in result.output


def test_without_alluredir_there_is_nothing(project: GateProject) -> None:
    project.run()
    assert not (project.root / "results").exists()
    project.write(
        "pytest.ini", "[pytest]\ntestpaths = suites\naddopts = -p no:allure_pytest --import-mode=importlib\n"
    )
    assert project.run().status == 1
