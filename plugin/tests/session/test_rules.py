"""What gates measure with is what the rules say: nothing loaded, called or changed besides goes unsaid."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from release_gates.policy.measuring import PREFIX, measuring_folders
from release_gates.session.departures import Loaded, of_modules
from release_gates.testing import GateProject

STRAY = "import pytest\n@pytest.fixture(autouse=True)\ndef kind():\n    pass\n"
ITSELF = """
import pathlib, pytest
pytestmark = pytest.mark.gate("smoke")
def test_speed(gate):
    gate.measure("order.time", 3, "ms", samples=10)
def test_book():
    with pathlib.Path(__file__).open("a") as file:
        file.write("# another\\n")
"""
INSIDE = """
import pytest
from app import core
pytestmark = pytest.mark.gate("smoke")
def test_speed(gate):
    gate.measure("order.time", core.TIME, "ms", samples=10)
"""


def test_the_same_rules_for_pytest_and_the_command_line(project: GateProject) -> None:
    assert project.run().status == 0
    rules = project.runs()[-1].started.rules
    assert project.cli("promote", "--to", "staging").status == 0
    project.write(
        "suites/test_smoke.py", project.root.joinpath("suites/test_smoke.py").read_text() + "\n# x\n"
    )
    changed = project.cli("--json", "check")
    assert changed.status == 0
    assert f'"rules": "{rules}"' not in changed.output


def test_a_body_that_changed_since_is_not_promoted(project: GateProject) -> None:
    assert project.run().status == 0
    project.write("suites/helper.py", "LIMIT = 1\n")
    refused = project.cli("promote", "--to", "staging")
    assert refused.status == 2
    assert "rules-changed" in refused.output


@pytest.mark.parametrize(
    ("arguments", "env", "says"),
    [
        (("-o", "console_output_style=classic"), {}, "overridden (-o console_output_style)"),
        ((), {"PYTEST_ADDOPTS": "-o xfail_strict=true"}, "overridden (-o xfail_strict)"),
        (("-c", "other.ini", "--rootdir", "."), {}, "was configured by"),
        (("--noconftest",), {}, "conftest files were left out"),
        (("-p", "stray"), {"PYTHONPATH": "{outside}"}, "are no part of the rules: {outside}/stray.py"),
        (
            (),
            {"PYTEST_PLUGINS": "stray", "PYTHONPATH": "{outside}"},
            "are no part of the rules: {outside}/stray.py",
        ),
        (("-p", "other.inside"), {"PYTHONPATH": "."}, "are no part of the rules: other/inside.py"),
        ((), {"PYTHONOPTIMIZE": "1"}, "Python ran without assertions"),
    ],
)
def test_a_call_that_departs_from_the_rules_proves_nothing(
    project: GateProject, tmp_path: Path, arguments: tuple[str, ...], env: dict[str, str], says: str
) -> None:
    (tmp_path / "stray.py").write_text(STRAY)
    project.write("other/inside.py", STRAY)
    shutil.copy(project.root / "pytest.ini", project.root / "other.ini")
    where = {name: value.replace("{outside}", str(tmp_path)) for name, value in env.items()}
    result = project.run(*arguments, env=where)
    assert not result.promotes
    assert result.status == 10
    assert says.replace("{outside}", str(tmp_path)) in result.sentences


def test_what_only_a_worker_loaded_is_heard(project: GateProject) -> None:
    pytest.importorskip("xdist")
    project.write("suites/build/helper.py", "LIMIT = 5\n")
    project.write(
        "suites/test_smoke.py",
        """
        import pytest
        pytestmark = pytest.mark.gate("smoke")
        def test_speed(gate):
            import sys, pathlib
            sys.path.insert(0, str(pathlib.Path(__file__).parent / "build"))
            import helper
            gate.measure("order.time", helper.LIMIT, "ms", samples=10)
        def test_book():
            pass
        """,
    )
    result = project.run(workers=1)
    assert not result.promotes
    assert "left out of the rules: suites/build/helper.py" in result.sentences


def test_rules_that_change_while_the_run_goes(project: GateProject) -> None:
    project.write("suites/test_smoke.py", ITSELF)
    result = project.run()
    assert (result.status, result.promotes) == (10, False)
    assert "the rules changed while the run was going: suites/test_smoke.py" in result.sentences


def test_a_policy_from_elsewhere_is_local_and_says_so(project: GateProject) -> None:
    shutil.copytree(project.root / "gates", project.root / "kind")
    own = project.root / "gates/environments.toml"
    own.write_text(own.read_text().replace("local_may_promote = true", ""))
    for how in ({"GATE_POLICY": "kind"}, {}):
        result = project.run(*(() if how else ("--gate-policy", "kind")), env=how)
        assert result.verdict is not None
        assert result.verdict.local
        assert result.verdict.elsewhere == str(project.root / "kind")
        said = "".join(result.output.split())  # a long path stands on lines of its own
        assert f"LOCAL(thepolicyisfromelsewhere,{project.root}/kind)" in said
    refused = project.cli("--gate-policy", "kind", "promote", "--to", "staging")
    assert refused.status == 2
    assert "the policy is from elsewhere" in refused.output
    assert "local-verdict" in refused.output
    assert project.cli("replay", project.runs()[-1].started.run).status == 0


def test_a_root_folder_that_was_named_does_not_make_its_policy_the_own_one(
    project: GateProject, tmp_path: Path
) -> None:
    kind = tmp_path / "kind"
    shutil.copytree(project.root, kind, ignore=shutil.ignore_patterns(".gates", ".host"))
    result = project.run("--rootdir", str(kind), "-c", str(kind / "pytest.ini"), str(kind / "suites"))
    assert "LOCAL (the policy is from elsewhere" in result.output.replace("\n  ", " ")


RULES = frozenset(
    {
        "suites/test_a.py",
        "suites/helper.py",
        "fixtures/__init__.py",
        "conftest.py",
        "app/conftest.py",
        "app/tests/test_b.py",
    }
)
FOLDERS = measuring_folders({PREFIX + file: "" for file in RULES})


@pytest.mark.parametrize(
    ("name", "file", "plugin", "says"),
    [
        ("suites.helper", "/p/suites/helper.py", False, ""),
        ("product", "/p/src/product.py", False, ""),
        ("lib", "/other/lib.py", False, ""),
        ("conftest", "/p/conftest.py", True, ""),
        ("conftest", "/p/src/conftest.py", True, "no part of the rules: src/conftest.py"),
        ("fixtures", "/other/fixtures.py", False, "/other/fixtures.py in the place of fixtures/__init__.py"),
        ("suites.old", "/p/suites/old.pyc", False, "left out of the rules: suites/old.pyc"),
        ("suites.build.x", "/p/suites/build/x.py", False, "left out of the rules: suites/build/x.py"),
        ("app.core", "/p/app/core.py", False, ""),
        ("app.tests.x", "/p/app/tests/build/x.py", False, "left out of the rules: app/tests/build/x.py"),
    ],
)
def test_modules_against_the_rules(name: str, file: str, plugin: bool, says: str) -> None:
    found = " ".join(of_modules([Loaded(name, file, plugin)], RULES, FOLDERS, Path("/p")))
    assert (says in found) if says else not found


def test_no_value_of_the_environment_is_left_anywhere(project: GateProject) -> None:
    hidden = "hunter2-of-ours"
    project.write("conftest.py", "import os\nassert os.environ['CI_TOKEN']\n")
    result = project.run("--junitxml", "junit.xml", env={"CI_TOKEN": hidden, "GATES_KEY": hidden})
    assert result.status == 0, result.output
    assert project.cli("explain", "staging", env={"CI_TOKEN": hidden}).status == 0
    kept = [path for path in project.root.rglob("*") if path.is_file()]
    assert len(kept) > 10
    assert not [path for path in kept if hidden.encode() in path.read_bytes()]
    assert hidden not in result.output


def test_evidence_that_was_measured_by_other_tests_is_not_admitted(project: GateProject) -> None:
    path = project.root / "suites/test_smoke.py"
    reviewed = path.read_text()
    path.write_text(reviewed.replace('"order.time", 3,', '"order.time", 1,'))
    assert project.run("--gate-part", "--gate-evidence", "part.jsonl").status == 0
    path.write_text(reviewed)  # as the protected branch has it
    decided = project.cli("decide", "--environment", "staging", "part.jsonl")
    assert (decided.status, decided.promotes) == (10, False)
    assert "rules" in decided.sentences
    refused = project.cli("promote", "--to", "staging")
    assert (refused.status, "verdict-is-hold" in refused.output) == (2, True)


def test_tests_inside_of_the_package_that_they_test(project: GateProject) -> None:
    settings = (project.root / "pytest.ini").read_text().replace("suites", "app/tests")
    project.write("pytest.ini", f"{settings}pythonpath = .\n")
    project.write("app/__init__.py", "")
    project.write("app/core.py", "TIME = 4\n")
    project.write("app/conftest.py", "")
    project.write("app/tests/test_smoke.py", INSIDE)
    project.expect(["app/tests/test_smoke.py::test_speed"])
    result = project.run()
    assert (result.status, result.promotes) == (0, True), result.output
