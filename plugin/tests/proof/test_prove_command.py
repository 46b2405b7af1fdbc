"""``release-gates prove`` as a user calls it: what each row says, what it leaves behind, how it ends.

The project's tests turn red, or prove nothing, by what stands in the candidate or on the host.
"""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from release_gates.ledger.opening import open_ledger
from release_gates.testing import HOST, GateProject

SMOKE = """
import os, time
from pathlib import Path

import pytest

pytestmark = pytest.mark.gate("smoke")


def test_orders(gate):
    engine = gate.candidate.artifact("engine").read_text()
    host = Path("host").read_text() if Path("host").exists() else ""
    if "hangs" in engine + host:
        Path("hanging").write_text("now")
        time.sleep(300)
    if "dies" in engine:
        os._exit(3)
    if "skips" in engine:
        pytest.skip("order 7 is acknowledged and lost")
    if "raises" in engine:
        raise RuntimeError("order 7 is acknowledged and lost")
    assert "loses" not in engine + host, "order 7 is acknowledged and lost"
    assert "crosses" not in engine + host, "the book is crossed"


def test_book():
    pass
"""
LOAD = """
import pytest

pytestmark = pytest.mark.gate("load")


def test_order_time(gate):
    engine = gate.candidate.artifact("engine").read_text()
    gate.measure("order.time", 9 if "slow" in engine else 3, "ms", samples=1 if "few" in engine else 100)
"""
CONFTEST = """
def pytest_collection_modifyitems(config, items):
    if "/deselects/" in str(config.getoption("gate_candidate")):
        config.hook.pytest_deselected(items=items[1:])
        del items[1:]
"""
PLANT = '''
"""Write the artifact and the candidate file: python plant.py CANDIDATE CONTENT."""

import sys
from pathlib import Path

from release_gates.candidate.create import Origin, create_candidate
from release_gates.candidate.file import write_candidate

candidate, content = Path(sys.argv[1]), sys.argv[2]
(candidate.parent / "engine").write_text(content)
made = create_candidate(
    name="engine",
    version="1",
    artifacts={"engine": Path("engine")},
    root=candidate.parent,
    origin=Origin(commit="0123abc"),
)
write_candidate(made, candidate)
'''
HEAD = """
schema = 1
environment = "staging"
timeout = "60 s"
clean = ["{python}", "plant.py", "{candidate}", "engine"]
apply = ["{python}", "plant.py", "{candidate}", "{defect}"]
"""
LOST = "is acknowledged and lost"
ON_HOST = "import sys; from pathlib import Path; Path('host').write_text(sys.argv[1])"
OFF_HOST = "from pathlib import Path; Path('host').unlink(missing_ok=True); Path('undone').write_text('yes')"


def command(*words: str) -> str:
    """Return a command as defects.toml writes it."""
    return json.dumps(list(words))


class Planting(GateProject):
    """A project whose defects a test declares one by one."""

    def defect(self, name: str, gate: str = "smoke", message: str = LOST, **keys: str) -> None:
        """Declare one defect; other keys are TOML."""
        text = "".join(f"{key} = {value}\n" for key, value in keys.items())
        self._append(f'\n[defect.{name}]\nwhat = "…"\ngate = "{gate}"\nmessage = "{message}"\n{text}')

    def host_defect(self, name: str, content: str, *, undo: str = OFF_HOST, then: str = "pass") -> None:
        """Declare a defect that lies on the host; the candidate is the clean one."""
        apply = f"{ON_HOST}; import runpy; sys.argv[1:] = sys.argv[2:]; {then}; runpy.run_path('plant.py')"
        self.defect(
            name,
            apply=command("{python}", "-c", apply, content, "{candidate}", "engine"),
            undo=command("{python}", "-c", undo),
        )

    def timeout(self, text: str) -> None:
        """Give each command less or more time."""
        path = self.root / "gates/defects.toml"
        path.write_text(path.read_text().replace("60 s", text))

    def files(self) -> dict[str, bytes]:
        """Return every file but those below .gates, and the lock of the host, which is nobody's."""
        return {
            str(path): path.read_bytes()
            for path in self.root.rglob("*")
            if path.is_file() and path.relative_to(self.root).parts[0] not in (".gates", HOST)
        }

    def facts(self) -> list[str]:
        """Return the kind of each event in the ledger."""
        ledger = open_ledger(None, base=self.root, state=self.root / ".gates")
        return [type(event.fact).__name__ for event in ledger.events()]

    def rows(self, *words: str) -> Mapping[str, Any]:
        """Prove, and return what it says in JSON, the rows by defect, and the exit status."""
        done = self.cli("prove", *words, "--json")
        found: dict[str, Any] = json.loads(done.output[: done.output.rindex("\n}") + 2])
        return {**found, "rows": {row["defect"]: row for row in found["proofs"]}, "status": done.status}

    def _append(self, text: str) -> None:
        with (self.root / "gates/defects.toml").open("a", encoding="utf-8") as file:
            file.write(text)


@pytest.fixture
def project(tmp_path: Path) -> Planting:
    """Return a project for one test."""
    return planting(tmp_path / "project")


def planting(root: Path) -> Planting:
    """Write a project without any defect."""
    made = Planting(root)
    made.write("suites/test_smoke.py", SMOKE)
    made.write("suites/test_load.py", LOAD)
    made.write("conftest.py", CONFTEST)
    made.write("plant.py", PLANT)
    made.write(
        "gates/staging.toml",
        """
        schema = 1
        [gate.smoke]
        owner = "me"
        [gate.load]
        owner = "me"
        [gate.load.limits]
        "order.time" = { limit = "<= 5 ms", min_samples = 10 }
        """,
    )
    made.write("gates/defects.toml", HEAD)
    smoke = "suites/test_smoke.py"
    made.expect([f"{smoke}::test_orders", f"{smoke}::test_book"])
    made.expect(["suites/test_load.py::test_order_time"], gate="load")
    return made


# -- the matrix -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def matrix(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Any]:
    """Prove one defect of every kind, and tell what lay in the project before and afterwards."""
    project = planting(tmp_path_factory.mktemp("matrix") / "project")
    for name in ("loses", "skips", "raises", "dies", "harmless"):
        project.defect(name)
    project.defect("deselects", apply=command("{python}", "plant.py", "{candidate}", "loses"))
    project.defect("crosses")
    project.defect("slow", message="order.time is")
    project.defect("slow_rightly", gate="load", message="order.time is 9 ms")
    project.defect("few", gate="load", message="order.time is")
    project.defect("broken_build", apply=command("{python}", "-c", "print('no compiler'); exit(3)"))
    project.defect("no_program", apply=command("no-such-program"))
    project.defect("no_candidate", apply=command("{python}", "-c", "pass"))
    project.defect("not_planted", apply=command("{python}", "plant.py", "{candidate}", "engine"))
    project.defect("torn_log", gate="audit", unguarded='"the audit gate comes later"')
    before = project.files()
    found = project.rows()
    return {**found, "project": project, "before": before}


@pytest.mark.parametrize(
    ("defect", "outcome", "said"),
    [
        ("loses", "caught", "test_orders: order 7 is acknowledged and lost"),
        ("slow_rightly", "caught", "order.time is 9 ms; the limit is <= 5 ms"),
        ("crosses", "other reason", "test_orders: the book is crossed"),
        ("slow", "wrong gate", "load went red, smoke did not"),
        ("harmless", "missed", "smoke stayed PASS, and no other gate went red"),
        ("broken_build", "not proven", "ended with status 3 (no compiler)"),
        ("no_program", "not proven", "`no-such-program` cannot be started: No such file or directory"),
        ("no_candidate", "not proven", "the command left no candidate"),
        ("not_planted", "not proven", "has the clean one's digests"),
        ("few", "not proven", "load is INCONCLUSIVE: order.time"),
        (
            "skips",
            "not proven",
            "smoke is INCONCLUSIVE: test_orders: skipped: order 7 is acknowledged and lost",
        ),
        (
            "raises",
            "not proven",
            "smoke is ERROR: test_orders: RuntimeError: order 7 is acknowledged and lost",
        ),
        ("dies", "not proven", "did not end"),
        ("deselects", "not proven", "1 expected test did not run: suites/test_smoke.py::test_orders"),
        ("torn_log", "unguarded", "the audit gate comes later"),
    ],
)
def test_what_became_of_each_defect(matrix: Mapping[str, Any], defect: str, outcome: str, said: str) -> None:
    row = matrix["rows"][defect]
    assert row["outcome"] == outcome, row
    assert said in row["said"]


def test_a_red_names_its_tests_and_its_candidate(matrix: Mapping[str, Any]) -> None:
    row = matrix["rows"]["loses"]
    assert row["tests"] == ["suites/test_smoke.py::test_orders"]
    assert len(row["candidate"]) == 64
    assert row["candidate"] != matrix["candidate"]
    assert matrix["rows"]["not_planted"]["candidate"] == matrix["candidate"]
    assert matrix["rows"]["broken_build"]["candidate"] == ""


def test_one_wrong_row_is_broken(matrix: Mapping[str, Any]) -> None:
    assert (matrix["status"], matrix["standing"]) == (1, "broken")
    assert matrix["because"].startswith("2 of 14 guarded defects caught; 1 unguarded: torn_log;")
    assert [clean["outcome"] for clean in matrix["clean"]] == ["PASS", "PASS"]


def test_nothing_is_written_but_the_fact_and_the_proofs_own_folder(matrix: Mapping[str, Any]) -> None:
    project: Planting = matrix["project"]
    assert project.files() == matrix["before"]
    assert all(path.stat().st_size == 0 for path in (project.root / HOST).iterdir())
    assert project.facts() == ["GatesProved"]
    assert {path.name for path in (project.root / ".gates").iterdir()} <= {
        *("prove", "artifacts", "ledger.db", "ledger.db-wal", "ledger.db-shm")
    }
    assert project.runs() == ()
    assert project.verdict_file() == {}


def test_a_red_of_a_proof_sticks_to_nothing(matrix: Mapping[str, Any]) -> None:
    project: Planting = matrix["project"]
    project.candidate("engine")
    clean = project.run()
    assert clean.promotes, clean.output
    assert clean.verdict is not None
    assert clean.verdict.attempt == 1
    project.write("suites/test_smoke.py", SMOKE.replace('"loses" not in', '"nothing" not in'))
    project.candidate("loses")
    red_before = project.run()
    assert red_before.status == 0, red_before.output
    assert red_before.verdict is not None
    assert red_before.verdict.candidate.digest == matrix["rows"]["loses"]["candidate"]


# -- the whole proof ------------------------------------------------------------------------------


def both(project: Planting) -> None:
    project.defect("loses")
    project.defect("slow", gate="load", message="order.time is")


def test_all_caught_is_0_and_status_tells_when(project: Planting) -> None:
    both(project)
    never = project.cli("status").output
    assert "smoke: never seen red (`release-gates prove staging`)" in never
    done = project.cli("prove")
    assert done.status == 0, done.output
    assert "2 of 2 guarded defects caught; no gate without a defect" in done.output
    assert "loses   smoke  caught        is acknowledged and lost" in done.output
    assert all(len(line) <= 80 for line in done.output.splitlines())
    told = project.cli("status").output
    assert "  smoke: last seen red 20" in told
    assert told.count("UTC on 1 of 1 defect") == 2
    (staging,) = json.loads(project.cli("--json", "status").output)
    assert [(gate["gate"], gate["red"]["caught"]) for gate in staging["gates"]] == [("smoke", 1), ("load", 1)]
    project.write("gates/staging.toml", (project.root / "gates/staging.toml").read_text() + "# changed\n")
    told = " ".join(project.cli("status").output.split())
    assert told.count("on 1 of 1 defect, under other rules") == 2


def test_a_part_of_the_defects_never_passes_for_all(project: Planting) -> None:
    both(project)
    project.defect("loses_more")
    by_name = project.rows("--defect", "loses")
    assert (by_name["status"], set(by_name["rows"])) == (0, {"loses"})
    assert by_name["because"] == "1 of 1 guarded defects caught; 2 more not tried; no gate without a defect"
    assert "smoke: last seen red" in (told := project.cli("status").output)
    assert "on 1 of 2 defects (1 not tried)" in told
    assert "load: never seen red" in told
    by_gate = project.rows("--gate", "load")
    assert (by_gate["status"], set(by_gate["rows"])) == (0, {"slow"})


def test_a_gate_without_a_defect_is_1(project: Planting) -> None:
    project.defect("loses")
    done = project.cli("prove")
    assert (done.status, "load: a gate without a planted defect" in done.output) == (1, True)
    remarks = project.cli("check").output
    assert "staging, gate load: no planted defect in defects.toml" in remarks
    assert "gate smoke: no planted" not in remarks


def test_only_something_unproven_is_10(project: Planting) -> None:
    both(project)
    project.defect("skips")
    done = project.cli("prove")
    assert done.status == 10
    assert "2 of 3 guarded defects caught" in done.output


def test_a_gate_that_is_always_red_proves_nothing(project: Planting) -> None:
    both(project)
    project.write("host", "loses")
    found = project.rows()
    assert found["status"] == 1
    assert found["rows"]["loses"]["outcome"] == "not proven"
    assert found["rows"]["loses"]["said"] == "smoke is FAIL on the clean system"
    assert found["clean"][0]["because"] == "test_orders: order 7 is acknowledged and lost"
    assert found["rows"]["slow"]["outcome"] == "caught"


def test_without_a_clean_system_nothing_is_proven(project: Planting) -> None:
    both(project)
    path = project.root / "gates/defects.toml"
    path.write_text(path.read_text().replace('"{candidate}", "engine"', '"{candidate}"'))
    done = project.cli("prove")
    assert done.status == 10
    assert " ".join(done.output.split()).count("smoke and load: ERROR on the clean system: there is no") == 1
    assert "not proven" in done.output


def test_an_expected_test_that_is_gone_proves_nothing(project: Planting) -> None:
    both(project)
    project.write("suites/test_smoke.py", SMOKE.replace("def test_book", "def test_books"))
    found = project.rows()
    assert (found["status"], found["rows"]["loses"]["outcome"]) == (10, "not proven")
    because = found["clean"][0]["because"]
    assert "pytest says ERROR: not found: " in because
    assert "its output is in .gates/prove/clean/gate-smoke/pytest.log" in because


def test_what_takes_too_long_is_ended_and_not_proven(project: Planting) -> None:
    project.timeout("8 s")
    project.defect("hangs")
    project.defect("endless", apply=command("{python}", "-c", "import time; time.sleep(99)"))
    found = project.rows()
    assert found["status"] == 1, "load has no defect"
    for name in ("hangs", "endless"):
        assert found["rows"][name]["outcome"] == "not proven"
        assert "took longer than 8 s and was ended" in found["rows"][name]["said"]


def test_an_advisory_gate_is_said_to_hold_nothing(project: Planting) -> None:
    both(project)
    policy = project.root / "gates/staging.toml"
    policy.write_text(policy.read_text().replace("[gate.load]\n", '[gate.load]\nseverity = "advisory"\n'))
    done = project.cli("prove")
    assert "load is no blocking gate: when it goes red, the candidate enters" in done.output
    assert done.status == 0


def test_the_defects_are_part_of_the_rules(project: Planting) -> None:
    before = json.loads(project.cli("--json", "check").output)["rules"]
    both(project)
    assert json.loads(project.cli("--json", "check").output)["rules"] != before


def test_defects_of_another_environment_are_named_and_tried_there(project: Planting) -> None:
    project.write("gates/environments.toml", 'schema = 1\npath = ["staging", "production"]\n')
    project.write("gates/production.toml", 'schema = 1\n[gate.audit]\nowner = "me"\n')
    both(project)
    project.defect("torn_log", gate="audit")
    here = project.rows()
    assert (here["status"], here["elsewhere"], set(here["rows"])) == (0, ["torn_log"], {"loses", "slow"})
    for words in (("--defect", "torn_log", "--defect", "loses"), ("--gate", "audit")):
        refused = project.cli("prove", *words)
        assert (refused.status, "[defect-elsewhere]" in refused.output) == (2, True)
    there = project.rows("production")
    assert (there["status"], set(there["rows"])) == (10, {"torn_log"})
    assert "audit.txt names no test" in there["clean"][0]["because"]


# -- how it could be fooled -----------------------------------------------------------------------


def test_evidence_of_an_earlier_proof_never_counts(project: Planting) -> None:
    project.defect("loses")
    assert project.rows()["rows"]["loses"]["outcome"] == "caught"
    copy = "import shutil, sys; shutil.copytree('.gates/prove/loses', sys.argv[1], dirs_exist_ok=True)"
    project.defect("stale", apply=command("{python}", "-c", copy, ".gates/prove/stale"))
    project.write("suites/test_smoke.py", SMOKE.replace('"loses" not in', '"nothing" not in'))
    kept = project.root / "kept"
    (project.root / ".gates/prove/loses").rename(kept)
    path = project.root / "gates/defects.toml"
    path.write_text(path.read_text().replace(".gates/prove/loses", "kept"))
    assert project.rows("--defect", "stale")["rows"]["stale"]["outcome"] == "missed"


def test_rules_that_change_meanwhile_prove_nothing(project: Planting) -> None:
    change = "import sys, runpy; open('gates/staging.toml', 'a').write('#\\n'); runpy.run_path('plant.py')"
    project.defect("loses", apply=command("{python}", "-c", change, "{candidate}", "loses"))
    row = project.rows()["rows"]["loses"]
    assert (row["outcome"], "under other rules" in row["said"]) == ("not proven", True)


def test_a_proof_that_cannot_measure_leaves_the_verdict_alone(project: Planting) -> None:
    both(project)
    project.candidate("engine")
    assert project.run().promotes
    verdict = project.verdict_file()
    policy = project.root / "gates/staging.toml"
    policy.write_text(policy.read_text().replace("[gate.load]\n", "[gate.load]\nexclusive = true\n"))
    found = project.cli("prove", env={"PYTEST_ADDOPTS": "-n 2 --dist each"})
    assert (found.status, "exclusive-under-xdist" in found.output) == (10, True)
    assert project.verdict_file() == verdict


@pytest.mark.parametrize("addopts", ["-n 2", "-k test_orders", "-m gate_nowhere", "--collect-only"])
def test_foreign_options_never_make_a_catch_or_a_pass(project: Planting, addopts: str) -> None:
    both(project)
    found = project.cli("prove", env={"PYTEST_ADDOPTS": addopts})
    caught = addopts in ("-n 2", "-m gate_nowhere")
    assert found.status == (0 if caught else 10), found.output


# -- undo -----------------------------------------------------------------------------------------


def test_a_defect_on_the_host_is_planted_measured_and_undone(project: Planting) -> None:
    both(project)
    project.host_defect("leaks", "loses")
    project.defect("after")
    found = project.rows("--defect", "leaks", "--defect", "after")
    assert found["rows"]["leaks"]["outcome"] == "caught"
    assert found["rows"]["leaks"]["candidate"] == found["candidate"]
    assert found["rows"]["after"]["outcome"] == "missed"
    assert not (project.root / "host").exists()
    assert (project.root / "undone").exists()


def test_undo_runs_where_apply_failed(project: Planting) -> None:
    project.host_defect("leaks", "loses", then="exit(7)")
    found = project.rows()
    assert found["rows"]["leaks"]["outcome"] == "not proven"
    assert "ended with status 7" in found["rows"]["leaks"]["said"]
    assert (project.root / "undone").exists()


@pytest.mark.parametrize(
    ("undo", "said"),
    [
        ("print('no right'); exit(1)", "the undo failed: `"),
        ("pass", "after the undo, smoke is FAIL on the clean system: test_orders: order 7"),
    ],
    ids=["fails", "does nothing"],
)
def test_where_the_undo_did_not_undo_the_rest_is_not_tried(project: Planting, undo: str, said: str) -> None:
    project.host_defect("leaks", "loses", undo=undo)
    project.host_defect("leaks_again", "loses")
    project.defect("slow", gate="load", message="order.time is")
    found = project.rows()
    assert found["status"] == 10
    assert {row["outcome"] for row in found["rows"].values()} == {"not proven"}
    assert found["rows"]["leaks"]["said"].startswith(said)
    for name in ("leaks_again", "slow"):
        assert found["rows"][name]["said"].startswith("not tried: leaks is not undone")
    assert not (project.root / "undone").exists()


def test_what_another_gate_sees_has_to_be_undone_too(project: Planting) -> None:
    load = LOAD.replace("9 if", "9 if __import__('os').path.exists('host') or")
    project.write("suites/test_load.py", load)
    project.host_defect("slows", "slow", undo="pass")
    project.defect("loses")
    found = project.rows()
    assert found["rows"]["slows"]["outcome"] == "not proven"
    assert found["rows"]["slows"]["said"].startswith("after the undo, load is FAIL on the clean system")
    assert found["rows"]["loses"]["said"].startswith("not tried: slows is not undone")


def hanging(project: Planting, *words: str) -> subprocess.Popen[str]:
    """Start a proof and return when the test of its defect hangs."""
    started = project.start("release_gates", "prove", *words)
    deadline = time.monotonic() + 60
    while not (project.root / "hanging").exists():
        assert started.poll() is None, started.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return started


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_undo_runs_when_somebody_ends_the_proof(project: Planting, number: signal.Signals) -> None:
    project.host_defect("hangs_on_host", "hangs")
    project.defect("loses")
    started = hanging(project)
    started.send_signal(number)
    output, _ = started.communicate(timeout=60)
    assert started.returncode == 128 + number, output
    assert f"ended by {number.name}, nothing was recorded; what was planted is undone" in output
    assert (project.root / "undone").exists()
    assert not (project.root / "host").exists()
    assert project.facts() == []


def test_an_end_with_a_failed_undo_says_what_is_left(project: Planting) -> None:
    project.host_defect("hangs_on_host", "hangs", undo="exit(5)")
    started = hanging(project)
    started.send_signal(signal.SIGTERM)
    output, _ = started.communicate(timeout=60)
    assert "hangs_on_host is not undone, so the system may not be clean any more" in output
    assert "what was planted is undone" not in output


def test_two_proofs_at_once_are_refused(project: Planting) -> None:
    project.host_defect("hangs_on_host", "hangs")
    started = hanging(project)
    second = project.cli("prove")
    started.send_signal(signal.SIGTERM)
    started.communicate(timeout=60)
    assert (second.status, "[proof-in-progress]" in second.output) == (2, True)
    assert (project.root / "undone").exists()


# -- several jobs ---------------------------------------------------------------------------------

COMPANY = """
import os, time
from pathlib import Path
import pytest
pytestmark = pytest.mark.gate("load")

def test_order_time(gate):
    here = Path("beside") / str(os.getpid())
    here.parent.mkdir(exist_ok=True)
    here.touch()
    deadline = time.monotonic() + 3
    while (many := len(list(here.parent.iterdir()))) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.2)
    with Path("seen").open("a") as file:
        file.write(f"{many}\\n")
    here.unlink()
    gate.measure("order.time", VALUE, "ms", samples=100)
"""


def in_company(project: Planting, value: str) -> None:
    """Let the load gate see how many measurements run at the same time, and measure a value."""
    project.write("suites/test_load.py", COMPANY.replace("VALUE", value))


def most(project: Planting) -> int:
    return max(map(int, (project.root / "seen").read_text().split()))


SLOW = '9 if "slow" in gate.candidate.artifact("engine").read_text() else 3'


def test_several_jobs_prove_the_same(project: Planting) -> None:
    """Rows stand as declared, whoever ended first; what is on the host is measured last, and alone."""
    in_company(project, SLOW)
    project.host_defect("leaks", "loses", undo="exit(5)")
    for name in ("loses", "harmless", "skips", "crosses"):
        project.defect(name)
    project.defect("broken_build", apply=command("{python}", "-c", "exit(3)"))
    project.defect("not_planted", apply=command("{python}", "plant.py", "{candidate}", "engine"))
    for name in ("slow", "slow_again"):
        project.defect(name, gate="load", message="order.time is")
    found = project.rows("--jobs", "2")
    assert [(row["defect"], row["outcome"]) for row in found["proofs"]] == [
        ("leaks", "not proven"),
        ("loses", "caught"),
        ("harmless", "missed"),
        ("skips", "not proven"),
        ("crosses", "other reason"),
        ("broken_build", "not proven"),
        ("not_planted", "not proven"),
        ("slow", "caught"),
        ("slow_again", "caught"),
    ]
    assert "the undo failed" in found["rows"]["leaks"]["said"]
    assert found["rows"]["harmless"]["said"].endswith("and no other gate went red")
    assert most(project) == 2


def test_what_turns_red_in_company_alone_is_no_catch(project: Planting) -> None:
    """A gate whose numbers depend on what else runs is red on the clean system too, measured likewise."""
    in_company(project, "9 if many > 1 else 3")
    for name in ("harmless", "harmless_too"):
        project.defect(name, gate="load", message="order.time is 9 ms")
    found = project.rows("--jobs", "2")
    assert {row["said"] for row in found["proofs"]} == {"load is FAIL on the clean system"}
    assert found["clean"][0]["because"].startswith("order.time is 9 ms")
    (project.root / "seen").unlink()
    assert {row["outcome"] for row in project.rows()["proofs"]} == {"missed"}
    assert most(project) == 1


def test_an_exclusive_gate_is_measured_alone(project: Planting) -> None:
    policy = project.root / "gates/staging.toml"
    policy.write_text(policy.read_text().replace("[gate.load]\n", "[gate.load]\nexclusive = true\n"))
    in_company(project, SLOW)
    for name in ("slow", "slow_again"):
        project.defect(name, gate="load", message="order.time is")
    assert {row["outcome"] for row in project.rows("--jobs", "4")["proofs"]} == {"caught"}
    assert most(project) == 1


def test_several_jobs_end_together(project: Planting) -> None:
    for name in ("hangs", "hangs_too"):
        project.defect(name)
    started = hanging(project, "--jobs", "2")
    started.send_signal(signal.SIGTERM)
    output, _ = started.communicate(timeout=60)
    assert started.returncode == 128 + signal.SIGTERM, output
    assert project.facts() == []


# -- refusals -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "slug", "part"),
    [
        (("--defect", "lose"), "unknown-defect", "Did you mean 'loses'?"),
        (("--gate", "smok"), "unknown-gate", "Did you mean 'smoke'?"),
        (("stagin",), "unknown-environment", "staging"),
    ],
)
def test_unknown_names_are_refused(project: Planting, words: tuple[str, ...], slug: str, part: str) -> None:
    both(project)
    found = project.cli("prove", *words)
    assert (found.status, f"[{slug}]" in found.output, part in found.output) == (2, True, True)
    assert project.facts() == []


def test_mistakes_in_the_registry_are_refused_by_prove_and_check(project: Planting) -> None:
    project.defect("loses", unguarded='"later"')
    for words in (("prove",), ("check",)):
        found = project.cli(*words)
        assert found.status in (1, 2)
        assert "[guarded-by-now]" in found.output


def test_without_a_registry_there_is_nothing_to_prove(project: Planting) -> None:
    (project.root / "gates/defects.toml").unlink()
    assert "[no-defect]" in project.cli("prove").output
    found = project.cli("prove", "staging")
    assert (found.status, "2 gates without a defect: smoke, load" in found.output) == (1, True)
    assert project.facts() == []
    assert "defects.toml: is absent" in project.cli("check").output
