"""``check --against REF``: whatever makes the rules weaker is said, and what cannot be compared is refused."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from release_gates.cli.comparing import against
from release_gates.cli.project import Project
from release_gates.errors import GateError
from release_gates.model.gate import EnvironmentPolicy, GateSpec
from release_gates.model.record import Record
from release_gates.policy import changes as module
from release_gates.testing import GateProject

KEY = """
schema = 1
[key.ci]
public = "{public}"
holder = "machine"
roles = ["evidence"]
environments = ["staging"]
valid_from = 2026-01-01
valid_until = 2026-12-31
"""
PUBLIC = "5866666666666666666666666666666666666666666666666666666666666666"
FILES = {
    "gates/environments.toml": """
        schema = 1
        path = ["staging"]
        [environment.staging]
        attempts = 3
        """,
    "gates/staging.toml": """
        schema = 1
        [gate.smoke]
        owner = "me"
        unwaivable = true
        exclusive = true
        valid_for = "12 h"
        [gate.smoke.limits]
        "order.time" = { limit = "<= 5 ms", min_samples = 100 }
        [gate.load]
        owner = "me"
        """,
    "gates/trust.toml": KEY.replace("{public}", PUBLIC),
    "gates/expected/smoke.txt": "suites/test_smoke.py::test_book[a]\nsuites/test_smoke.py::test_speed\n",
    "gates/expected/load.txt": "suites/test_load.py::TestLoad::test_ramp\n",
    "suites/test_smoke.py": """
        import pytest
        from suites.helper import book

        LIMIT = 5

        @pytest.fixture
        def engine():
            return 1

        def test_speed(gate, engine):
            gate.measure("order.time", 3, "ms")

        @pytest.mark.parametrize("kind", ["a"])
        def test_book(kind):
            assert book() == kind
        """,
    "suites/test_load.py": """
        class TestLoad:
            def test_ramp(self):
                assert True
        """,
    "suites/helper.py": "def book():\n    return 'a'\n",
    "suites/odd \n-name.txt": "data",
    "conftest.py": "",
}


def git(folder: Path, *words: str) -> None:
    own = {
        "GIT_AUTHOR_NAME": "a",
        "GIT_AUTHOR_EMAIL": "a@x",
        "GIT_COMMITTER_NAME": "a",
        "GIT_COMMITTER_EMAIL": "a@x",
    }
    subprocess.run(
        ["git", "-c", "init.defaultBranch=main", "-c", "commit.gpgsign=false", *words],
        cwd=folder,
        env={**os.environ, **own, "GIT_CONFIG_NOSYSTEM": "1", "HOME": str(folder)},
        capture_output=True,
        check=True,
    )


@pytest.fixture
def made(tmp_path: Path) -> GateProject:
    """A project below the top of a repository, with one commit."""
    made = GateProject(tmp_path / "repo" / "trading")
    for name, text in FILES.items():
        made.write(name, text)
    git(made.root.parent, "init")
    git(made.root.parent, "add", "--all")
    git(made.root.parent, "commit", "-m", "rules")
    return made


def project(made: GateProject) -> Project:
    return Project(
        root=made.root,
        policy_dir=made.root / "gates",
        candidate_file=made.root / "candidate.toml",
        ledger_url=None,
        checkpoint=None,
        json=False,
    )


def told(made: GateProject, ref: str = "HEAD") -> dict[str, str]:
    return {str(change): change.kind for change in against(project(made), ref)}


def change(name: str, *pairs: str) -> Callable[[GateProject], object]:
    def apply(made: GateProject) -> None:
        text = (made.root / name).read_text()
        for old, new in zip(pairs[::2], pairs[1::2], strict=True):
            assert old in text
            text = text.replace(old, new)
        (made.root / name).write_text(text)

    return apply


def add(name: str, text: str) -> Callable[[GateProject], object]:
    return lambda made: made.write(name, text)


STAGING, SMOKE, ENTRY = "gates/staging.toml", "suites/test_smoke.py", "gates/environments.toml"
WAIVER = """
schema = 1
[waiver.w]
environment = "staging"
gate = "load"
test = "suites/test_load.py::TestLoad::test_ramp"
versions = "1.0.0"
fingerprint = "0123456789abcdef0123456789abcdef"
reason = "known"
ticket = "T-1"
owner = "me"
approver = "you"
created = 2026-01-01
expires = 2026-01-10
"""


@pytest.mark.parametrize(
    ("edit", "kind", "says"),
    [
        (change(STAGING, "<= 5 ms", "<= 6 ms"), "weaker", 'staging, gate smoke: the limit of "order.time" is <= 6 ms, weaker than HEAD\'s <= 5 ms'),
        (change(STAGING, "<= 5 ms", "<= 4 ms"), "other", 'staging, gate smoke: what is asked of "order.time" changed, and is not weaker'),
        (change(STAGING, "min_samples = 100", "min_samples = 10"), "weaker", "staging, gate smoke: \"order.time\" asks for 10 samples, HEAD's for 100"),
        (change(STAGING, '"order.time" = { limit = "<= 5 ms", min_samples = 100 }\n', ""), "weaker", 'staging, gate smoke: no limit for "order.time", which HEAD\'s has'),
        (change(STAGING, 'unwaivable = true', 'severity = "advisory"\nunwaivable = true'), "weaker", "staging, gate smoke: severity is advisory, HEAD's is blocking"),
        (change(STAGING, "unwaivable = true", ""), "weaker", "staging, gate smoke: may be waived, HEAD's may not"),
        (change(STAGING, "exclusive = true", ""), "weaker", "staging, gate smoke: exclusive is false, HEAD's is true"),
        (change(STAGING, "12 h", "24 h"), "weaker", "staging, gate smoke: valid_for is 24 h, HEAD's is 12 h"),
        (change(STAGING, "12 h", "1 h"), "other", "staging, gate smoke: valid_for is 1 h, HEAD's is 12 h"),
        (change(STAGING, "unwaivable", 'mode = "observe"\nunwaivable'), "weaker", "staging, gate smoke: mode is observe, HEAD's is enforce"),
        (change(STAGING, "exclusive", 'effect = "write"\nexclusive'), "open", "staging, gate smoke: effect is write, HEAD's is read"),
        (change(ENTRY, "attempts = 3", "attempts = 4"), "weaker", "staging: attempts is 4, HEAD's is 3"),
        (change(ENTRY, "attempts = 3", "local_may_promote = true"), "weaker", "staging: local_may_promote is true, HEAD's is false"),
        (change(ENTRY, "attempts = 3", "attempts = 2"), "other", "staging: attempts is 2, HEAD's is 3"),
        (change(ENTRY, "attempts = 3", 'attempts = 3\n[environment.staging.route.hotfix]\ngates = ["smoke"]\nfull_within = "12 h"'), "weaker", "staging, route hotfix: is a new way in, by the gates smoke"),
        (change(ENTRY, "attempts = 3", "approved_rules = true"), "other", "staging: approved_rules is true, HEAD's is false"),
        (change("gates/trust.toml", '"evidence"', '"evidence", "verdict"'), "weaker", "staging, key ci: is trusted for more, or longer"),
        (change("gates/trust.toml", "2026-12-31", "2027-12-31"), "weaker", "staging, key ci: is trusted for more, or longer"),
        (change("gates/trust.toml", "2026-12-31", "2026-11-30"), "other", "staging, key ci: is trusted for less"),
        (change("gates/trust.toml", 'environments = ["staging"]\n', ""), "weaker", "staging, key ci: is trusted for more, or longer"),
        (change("gates/trust.toml", "key.ci", "key.new"), "weaker", "staging, key new: is trusted, for evidence"),
        (change("gates/expected/smoke.txt", "suites/test_smoke.py::test_book[a]\n", ""), "weaker", "gate smoke: no longer expects suites/test_smoke.py::test_book[a]"),
        (add("gates/waivers.toml", WAIVER), "weaker", "waiver w: is new: gate load at the entry to staging, suites/test_load.py::TestLoad::test_ramp, within failure 0123456789abcdef0123456789abcdef, until the end of 2026-01-10 (UTC)"),
        (change(SMOKE, "assert book() == kind", "assert True"), "open", "suites/test_smoke.py: tests of gate smoke, changed: test_book"),
        (change("suites/test_load.py", "assert True", "pass"), "open", "suites/test_load.py: tests of gate load, changed: TestLoad::test_ramp"),
        (change(SMOKE, "return 1", "return 2"), "open", "suites/test_smoke.py: what tests rely on, changed: engine"),
        (change(SMOKE, "LIMIT = 5", "LIMIT = 6"), "open", "suites/test_smoke.py: what tests rely on, changed: the module's own code"),
        (change(SMOKE, "LIMIT = 5", "LIMIT = 5  # ms"), "other", "suites/test_smoke.py: changed in comments or layout only"),
        (change("suites/helper.py", "'a'", "'b'"), "open", "suites/helper.py: what tests rely on, changed: book"),
        (add("suites/helper.py", "def book(:\n"), "open", "suites/helper.py: changed, and is not the Python of this version"),
        (add("suites/conftest.py", "x = 1"), "open", "suites/conftest.py: is new"),
        (add("suites/more.py", "x = 1"), "other", "suites/more.py: is new"),
        (add("conftest.py", "def pytest_runtest_call(item): ..."), "open", "conftest.py: what tests rely on, new: pytest_runtest_call"),
        (lambda made: (made.root / "suites/helper.py").unlink(), "weaker", "suites/helper.py: is no longer part of the rules"),
        (change(ENTRY, 'path =', 'rules = ["suites/test_*"]\npath ='), "weaker", "suites/helper.py: is no longer part of the rules"),
        (change("pytest.ini", "--strict-markers", ""), "open", "pytest's configuration in pytest.ini: changed"),
        (add("pyproject.toml", '[tool.pytest.ini_options]\naddopts = "-x"\n'), "open", "pytest's configuration in pyproject.toml: changed"),
        (add("gates/findings/load.json", "[]"), "weaker", "known findings, findings/load.json: are accepted"),
        (lambda made: (made.root / "suites/odd \n-name.txt").write_text("other"), "open", "suites/odd \n-name.txt: changed"),
    ],
)  # fmt: skip
def test_each_change_is_said(
    made: GateProject, edit: Callable[[GateProject], object], kind: str, says: str
) -> None:
    edit(made)
    found = told(made)
    assert found.get(says) == kind, found


def test_nothing_changed(made: GateProject) -> None:
    assert told(made) == {}
    done = made.cli("check", "--against", "HEAD")
    assert (done.status, done.output) == (0, "The rules are those of HEAD.\n")


def test_a_gate_and_an_environment_that_are_gone(made: GateProject) -> None:
    text = (made.root / STAGING).read_text()
    (made.root / STAGING).write_text(text[: text.index("[gate.load]")])
    (made.root / "gates/expected/load.txt").unlink()
    found = told(made)
    assert found["staging, gate load: is no longer asked for, HEAD asks for it"] == "weaker"
    assert found["gate load: no longer expects suites/test_load.py::TestLoad::test_ramp"] == "weaker"


def test_status_text_markdown_and_json(made: GateProject) -> None:
    change(STAGING, "<= 5 ms", "<= 6 ms")(made)
    made.write("suites/<b>[x](y).py", "x = 1")
    made.write("suites/\x1b[2J\n.py", "x = 1")
    text = made.cli("check", "--against", "HEAD")
    assert "\x1b" not in text.output
    assert "suites/?[2J .py: is new\n" in text.output
    assert text.status == 1
    assert "1 weaker, 0 to be looked at, 2 other" in text.output
    shown = made.cli("check", "--against", "HEAD", "--markdown")
    assert shown.status == 1
    assert "### ⚠️ The rules differ" in shown.output
    assert "<b>" not in shown.output
    assert "[x]" not in shown.output
    data = json.loads(made.cli("--json", "check", "--against", "HEAD").output)
    assert (data["ok"], [each["kind"] for each in data["changes"]]) == (False, ["weaker", "other", "other"])
    assert made.cli("check", "--markdown").status == 2


@pytest.mark.parametrize("ref", ["nowhere", "--all", "", "HEAD:conftest.py", "x\ny"])
def test_a_ref_that_names_no_commit(made: GateProject, ref: str) -> None:
    with pytest.raises(GateError) as caught:
        told(made, ref)
    assert caught.value.slug == "against-ref"


def test_what_cannot_be_compared_is_refused(made: GateProject, tmp_path: Path) -> None:
    top = made.root.parent
    change(STAGING, 'owner = "me"', 'owner = "me"\nonwer = 1')(made)
    git(top, "commit", "-am", "a mistake")
    change(STAGING, "\nonwer = 1", "")(made)
    with pytest.raises(GateError, match="the rules of HEAD cannot be read by this version"):
        told(made)
    git(top, "rm", "-r", "--cached", "trading/gates")
    git(top, "commit", "-m", "none")
    with pytest.raises(GateError, match="has no gates/ yet"):
        told(made)
    git(tmp_path, "clone", "--depth", "1", f"file://{top}", "shallow")
    shallow = GateProject(tmp_path / "shallow" / "trading")
    with pytest.raises(GateError, match="this clone is shallow"):
        told(shallow, "HEAD~1")
    with pytest.raises(GateError, match="git cannot tell"):
        told(GateProject(tmp_path / "no-repository"))
    done = made.cli("--gate-policy", str(tmp_path), "check", "--against", "HEAD")
    assert (done.status, "against-ref" in done.output) == (2, True)


def test_a_link_of_the_commit_never_reads_this_machine(made: GateProject, tmp_path: Path) -> None:
    (tmp_path / "outside.py").write_text("x = 1")
    link = made.root / "suites" / "linked.py"
    link.symlink_to("helper.py")
    git(made.root.parent, "add", "--all")
    git(made.root.parent, "commit", "-m", "inside")
    assert told(made) == {}
    link.unlink()
    link.symlink_to(tmp_path / "outside.py")
    git(made.root.parent, "add", "--all")
    git(made.root.parent, "commit", "-m", "outside")
    with pytest.raises(GateError, match="a link that leads to no file of it"):
        told(made)


@pytest.mark.parametrize("kind", [EnvironmentPolicy, GateSpec])
def test_a_setting_that_nobody_has_classed_is_to_be_looked_at(kind: type) -> None:

    table = module.ENTRY if kind is EnvironmentPolicy else module.GATE
    assert set(table) <= set(kind.__struct_fields__)

    class Later(Record, frozen=True, kw_only=True):
        invented: int = 1

    [found] = module.field_changes(Later(), Later(invented=2), table, "staging", "main")
    assert (found.kind, found.sentence) == ("open", "invented is 2, main's is 1")
