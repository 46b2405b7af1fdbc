"""`promote`, `rollback` and `status` as people call them, with a program that deploys."""

from __future__ import annotations

import hashlib
import json
import re
import sys
from pathlib import Path

import msgspec
import pytest

from plugin.tests.promotion.deploying_place import PROGRAM
from plugin.tests.promotion.test_promote import NOW, candidate
from release_gates.cli.previewing import preview_lines, timing
from release_gates.model.deployment import Step
from release_gates.promotion.preview import Preview
from release_gates.testing import ENVIRONMENTS, GateProject

DEPLOY = """
[environment.staging.deploy]
executor = "command"
timeout = "30 s"
rollback_within = "60 s"
[environment.staging.deploy.command]
run = {run}
"""


class Deployed(GateProject):
    """A project with a program that deploys into its folder ``place``; nothing is live yet."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.place = root / "place"
        self.place.mkdir()
        run = json.dumps([sys.executable, "-S", "-E", str(PROGRAM), str(self.place)])
        self.write("gates/environments.toml", ENVIRONMENTS + DEPLOY.format(run=run))
        self.write("suites/test_a.py", 'import pytest\n@pytest.mark.gate("smoke")\ndef test_a(gate): pass\n')
        self.expect()
        assert self.cli("first-release", "staging", "--reason", "new venue").status == 0

    def release(self, content: str) -> None:
        self.candidate(content)
        assert self.run().status == 0
        entered = self.cli("promote", "--to", "staging")
        assert entered.status == 0, entered.output

    def state(self) -> str:
        """Return a digest of the ledger's events, the environment, and the names of all other files."""
        files = sorted(path for path in self.root.rglob("*") if path.is_file())
        names = "\n".join(str(path) for path in files if ".host" not in path.parts)
        places = [path.read_bytes() for path in files if self.place in path.parents and path.name != "log"]
        events = self.cli("verify").output
        return hashlib.sha256("\n".join([names, str(places), events]).encode()).hexdigest()


@pytest.fixture
def project(tmp_path: Path) -> Deployed:
    return Deployed(tmp_path)


def test_from_the_first_release_to_a_rollback(project: Deployed) -> None:
    project.release("engine 1")
    project.candidate("engine 2")
    assert project.run().status == 0
    shown = one_screen(project)
    for sentence in ("engine: ", "1. copy: copies the artifacts", "2. switch: points the proxy at them"):
        assert sentence in shown
    assert "none was ever timed here; policy asks for 60 s" in shown
    assert "whose artifacts are in the store" in shown
    assert project.cli("promote", "--to", "staging").status == 0
    told = project.cli("status")
    assert told.status == 0
    assert "promoted by tester on" in told.output
    assert "read back: staging runs " in told.output
    waivers = project.write("gates/waivers.toml", "schema = 1\n[waiver.half]\n")
    assert project.cli("check").status == 1
    back = project.cli("rollback", "staging", "--reason", "orders were lost")
    assert back.status == 0, back.output  # no other mistake of the policy holds it
    waivers.unlink()
    assert "the 60 s that policy asks for" in back.output
    assert "rolled back by tester on" in project.cli("status").output
    again = project.cli("promote", "--to", "staging")
    assert (again.status, "[baseline-changed]" in again.output) == (2, True)
    twice = project.cli("rollback", "staging", "--reason", "once more")
    assert (twice.status, "[rollback-of-rollback]" in twice.output) == (2, True)


def one_screen(project: Deployed) -> str:
    """Return what a dry run shows; it changes nothing."""
    before = project.state()
    shown = project.cli("promote", "--to", "staging", "--dry-run")
    assert shown.status == 0, shown.output
    assert project.state() == before
    assert len(shown.output.splitlines()) <= 24
    assert max(map(len, shown.output.splitlines())) <= 80
    return shown.output


def test_large_change_is_one_screen_too() -> None:
    artifacts = tuple((f"part-{number}", "a" * 64, "b" * 64) for number in range(40))
    told = Preview(
        environment="production",
        candidate=candidate("2"),
        previous=candidate("1"),
        run="20260131T120000Z-3f9a1c",
        decided=NOW,
        approved_by=("Ann Lee <ann@example.org>", "Bob Roe <bob@example.org>"),
        executor="command",
        steps=tuple(Step(name=f"host-{number}", does="restarts it") for number in range(30)),
        backup=("deploy/backup.sh", "--all hosts"),
        artifacts=(*artifacts, ("same", "c" * 64, "c" * 64), ("new", "", "d" * 64)),
        read_back="staging runs 0123456789ab",
        drift=False,
        way_back="to engine 1",
        rollbacks_s=(41.25, 38.0),
        rollback_within_s=60.0,
    )
    lines = preview_lines(told, 80)
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80
    text = "\n".join(lines)
    for sentence in ("and 36 more", "and 23 more", "1 artifact", "Ann Lee", "deploy/backup.sh '--all hosts'"):
        assert sentence in text
    assert "the last took 38.0 s, 41.2 s; policy asks for 60 s" in text
    assert "DRIFT: staging runs" in "\n".join(preview_lines(msgspec.structs.replace(told, drift=True), 80))


@pytest.mark.parametrize(
    ("within_s", "sentence"),
    [
        (None, "the rollback took 61.0 s"),
        (61.0, "the rollback took 61.0 s, within the 61 s that policy asks for"),
        (60.0, "the rollback took 61.0 s: TOO SLOW, policy asks for 60 s"),
    ],
)
def test_time_of_a_rollback_is_judged(within_s: float | None, sentence: str) -> None:
    assert timing(61.0, within_s) == sentence


def test_what_went_wrong_is_told_until_it_is_ended(project: Deployed) -> None:
    project.release("engine 1")
    project.candidate("engine 2")
    assert project.run().status == 0
    (project.place / "broken").write_text("apply switch\nverify after undo")
    failed = project.cli("promote", "--to", "staging")
    assert (failed.status, "[deployment-not-undone]" in failed.output) == (1, True)
    told = project.cli("--json", "status")
    [row] = json.loads(told.output)
    assert told.status == 1
    assert row["unfinished"].startswith("UNFINISHED: the promotion of engine 1.0.0")
    assert "`release-gates rollback staging`" in row["unfinished"]
    assert row["read_back"] == ""  # nobody knows what is live
    for content in ("engine 2", "engine 1"):  # neither what was on its way nor what was live before is a go
        project.candidate(content)
        check_no_go(project)
    told = project.cli("report", "staging", "--format", "openmetrics").output
    assert re.search(r"^release_gates_promotes\{.*\} 0(\.0)?$", told, re.MULTILINE), told
    (project.place / "broken").unlink()
    assert project.cli("rollback", "staging", "--reason", "it failed").status == 0
    assert project.cli("status").status == 0
    assert "is live in staging." in project.cli("report", "staging").output


KILLED = """
import os, subprocess, sys
program, place = sys.argv[1:]
told = sys.stdin.read()
if '"apply"' in told and os.path.exists(place + "/killed"):
    os.kill(os.getppid(), 9)
    sys.exit(1)
sys.exit(subprocess.run([sys.executable, "-S", "-E", program, place], input=told, text=True).returncode)
"""
ROUTE = """
[environment.staging.route.hotfix]
gates = ["smoke"]
full_within = "24 h"
"""


def test_what_is_resumed_goes_on_on_its_route_by_its_stored_artifacts(project: Deployed) -> None:
    run = json.dumps(
        [sys.executable, str(project.write("killed.py", KILLED)), str(PROGRAM), str(project.place)]
    )
    project.write("gates/environments.toml", ENVIRONMENTS + DEPLOY.format(run=run) + ROUTE)
    assert project.run("--gate-route", "hotfix").status == 0
    (project.place / "killed").touch()
    assert project.cli("promote", "--to", "staging", "--route", "hotfix").status == -9
    (project.place / "killed").unlink()
    (project.root / "artifact").unlink()  # another checkout; the store has what was checked
    told = project.cli("--json", "promote", "--to", "staging", "--resume")
    assert (told.status, json.loads(told.output)["fact"]["route"]) == (0, "hotfix"), told.output


def check_no_go(project: Deployed) -> None:
    """Hold the page to it that a candidate is no go while a deployment is unfinished."""
    page = project.cli("report", "staging").output
    for words in ('<header class="stop">', "do not act on this now: staging", "began to deploy engine 1.0.0"):
        assert words in page
    for words in ("is live in staging.", "may enter staging.", "promote --to staging</"):
        assert words not in page


def test_drift_is_told_and_what_nobody_can_tell_is_no_all_clear(project: Deployed) -> None:
    project.release("engine 1")
    (project.place / "proxy").unlink()
    drifted = project.cli("status")
    assert drifted.status == 1
    assert "DRIFT: staging runs nothing, and not" in drifted.output
    (project.place / "broken").write_text("verify None")
    unknown = project.cli("status")
    assert unknown.status == 0
    assert "nobody can tell whether it is that" in unknown.output
    assert "DRIFT" not in unknown.output


def test_dry_run_refuses_what_promote_would_refuse(project: Deployed) -> None:
    project.candidate("engine 1")
    before = project.state()
    refused = project.cli("promote", "--to", "staging", "--dry-run")
    assert (refused.status, "[never-measured]" in refused.output) == (2, True)
    both = project.cli("promote", "--to", "staging", "--dry-run", "--resume")
    assert both.status == 2
    assert project.state() == before
