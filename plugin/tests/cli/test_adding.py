"""``init --into --with container``: the suite and its gate, in a repository that exists."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from release_gates import TOOL
from release_gates.cli.commands import program
from release_gates.policy.load import load_policy
from release_gates.probes.container.catalogue import CATALOGUE
from release_gates.probes.container.settings import ContainerSettings
from release_gates.testing import GateProject

SUITE = "suites/container/test_container.py"
CONFIGURED = {"pytest.ini": "[pytest]\ntestpaths = tests suites\n"}
PYPROJECT = {"pyproject.toml": '[tool.pytest.ini_options]\ntestpaths = ["tests", "suites/container"]\n'}


def repository(root: Path, files: dict[str, str]) -> GateProject:
    made = GateProject.__new__(GateProject)  # without a policy
    made.root = root
    made.write("tests/test_a.py", "def test_a(): pass\n")
    for name, text in files.items():
        made.write(name, text)
    return made


def init(root: Path, *more: str, answer: str | None = None) -> Result:
    words = ["init", "--into", str(root), *more]
    return CliRunner().invoke(program, [*words, "--yes"] if answer is None else words, input=answer)


def everything(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def collected(root: Path) -> list[str]:
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-m", "gate_staging"]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    return [line.partition("::")[2] for line in done.stdout.splitlines() if line.startswith(SUITE)]


@pytest.mark.parametrize("files", [{}, CONFIGURED, PYPROJECT], ids=["none", "ini", "pyproject"])
def test_each_rule_is_collected_and_undo_leaves_nothing(tmp_path: Path, files: dict[str, str]) -> None:
    repository(tmp_path, files)
    before = everything(tmp_path)
    made = init(tmp_path, "--with", "container")
    assert made.exit_code == 0, made.output
    assert f"+++ b/{SUITE}" in made.output
    assert "needs no change" in made.output
    assert "--image image=app@$(docker image inspect --format '{{.Id}}' app)" in made.output
    tests = collected(tmp_path)
    assert sorted(each.partition("[")[2][:-1] for each in tests if "[" in each) == sorted(CATALOGUE)
    assert "test_size" in tests
    assert any(name.startswith("suites/container/__pycache__/") for name in everything(tmp_path))
    assert init(tmp_path, "--undo").exit_code == 0
    after = {name: data for name, data in everything(tmp_path).items() if "cache" not in name}
    assert after == before
    assert not any((tmp_path / name).exists() for name in ("gates", "suites", ".gates", ".gitignore"))


def test_the_tables_are_a_policy_with_settings(tmp_path: Path) -> None:
    repository(tmp_path, {})
    init(tmp_path, "--with", "container")
    (environment,) = load_policy(tmp_path / "gates", tool=TOOL).environments
    gate = environment.gate("container")
    assert gate is not None
    assert (gate.severity, gate.mode) == ("blocking", "enforce")
    assert environment.gate("tests") is not None
    said = msgspec.convert(gate.settings["container"], ContainerSettings, strict=True)
    assert (said.image, said.dockerfile, said.off) == ("image", "Dockerfile", {})
    assert said.service


def test_nothing_of_what_was_asked_for_and_not_given_is_a_pass(tmp_path: Path) -> None:
    made = repository(tmp_path, CONFIGURED)
    init(tmp_path, "--with", "container")
    made.candidate("a candidate without image and Dockerfile")
    assert made.cli("expect").status == 0
    done = made.cli("run", "staging", "--", "-q", "--no-header", "--tb=line")
    assert (done.status, made.verdict_file()["verdict"]) == (10, "HOLD"), done.output[-2000:]
    assert "51 failed, 1 passed" in done.output
    assert "PASS         tests" in done.output
    assert "no artifact 'Dockerfile'" in done.output, done.output[:3000]


def test_it_shows_and_asks(tmp_path: Path) -> None:
    repository(tmp_path, {})
    before = everything(tmp_path)
    refused = init(tmp_path, "--with", "container", answer="n\n")
    assert (refused.exit_code, everything(tmp_path)) == (1, before)
    assert "+[gate.container.container]" in refused.output
    assert init(tmp_path, "--with", "container", answer="y\n").exit_code == 0
    assert (tmp_path / SUITE).exists()


def test_a_second_time_writes_nothing_and_says_so(tmp_path: Path) -> None:
    repository(tmp_path, {})
    init(tmp_path, "--with", "container")
    with (tmp_path / SUITE).open("a") as file:
        file.write("# mine\n")
    before = everything(tmp_path)
    again = init(tmp_path, "--with", "container")
    assert (again.exit_code, everything(tmp_path)) == (0, before)
    assert "are there already: nothing to write" in again.output


def test_later_it_is_added_to_the_policy_that_is_there(tmp_path: Path) -> None:
    repository(tmp_path, CONFIGURED)
    before = everything(tmp_path)
    init(tmp_path)
    between = (tmp_path / "gates/staging.toml").read_bytes()
    assert init(tmp_path, "--with", "container").exit_code == 0
    assert (tmp_path / "gates/staging.toml").read_bytes().startswith(between)
    assert init(tmp_path, "--undo").exit_code == 0
    assert everything(tmp_path) == before


def test_a_policy_that_somebody_changed_in_between_is_restored_as_it_was(tmp_path: Path) -> None:
    repository(tmp_path, CONFIGURED)
    init(tmp_path)
    policy = tmp_path / "gates/staging.toml"
    policy.write_text(policy.read_text() + 'severity = "advisory"\n[gate.more]\nowner = "me"')
    mine = policy.read_bytes()
    made = init(tmp_path, "--with", "container")
    assert made.exit_code == 0, made.output
    assert load_policy(tmp_path / "gates", tool=TOOL).environments[0].gate("container") is not None
    init(tmp_path, "--undo")
    assert policy.read_bytes() == mine


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"pytest.ini": "[pytest]\ntestpaths = tests\n"}, "add suites/container to testpaths in pytest.ini"),
        (
            {"pytest.ini": "[pytest]\npython_files = test_a*.py\n"},
            "add test_*.py to python_files in pytest.ini",
        ),
    ],
)
def test_what_pytest_would_not_collect_is_said(tmp_path: Path, files: dict[str, str], says: str) -> None:
    repository(tmp_path, files)
    shown = init(tmp_path, "--with", "container").output
    assert says in shown
    assert "needs no change" not in shown
    assert collected(tmp_path) == []


def test_a_suite_that_pytest_does_not_look_at_holds(tmp_path: Path) -> None:
    made = repository(tmp_path, {"pytest.ini": "[pytest]\ntestpaths = tests\n"})
    init(tmp_path, "--with", "container")
    made.candidate("engine 1")
    assert "no test for gate 'container'" in made.cli("expect").output
    made.expect(["tests/test_a.py::test_a"], gate="tests")
    assert not made.cli("run", "staging", "--", "-q").promotes
    assert "container" in made.verdict_file()["because"]


@pytest.mark.parametrize("later", [False, True])
@pytest.mark.parametrize("testpaths", [".", "suites"])
def test_a_suite_that_another_gate_selects_is_refused(tmp_path: Path, testpaths: str, later: bool) -> None:
    files = {"pytest.ini": f"[pytest]\ntestpaths = {testpaths}\n", "suites/test_b.py": "def test_b(): pass\n"}
    repository(tmp_path, files)
    if later:
        init(tmp_path)
    before = everything(tmp_path)
    refused = init(tmp_path, "--with", "container")
    assert (refused.exit_code, everything(tmp_path)) == (2, before)
    assert "gate 'tests' would select suites/container/test_container.py too" in refused.output
    assert "[two-gates]" in refused.output


@pytest.mark.parametrize(
    ("file", "text", "slug"),
    [
        (SUITE, "mine", "[file-exists]"),
        ("gates/environments.toml", "schema = 1", "[path]"),
        ("gates/staging.toml", "gate = 1", "[no-policy]"),
    ],
)
def test_what_stands_in_the_way_is_named_and_stays(tmp_path: Path, file: str, text: str, slug: str) -> None:
    repository(tmp_path, {"pytest.ini": "[pytest]\ntestpaths = tests\n", file: text})
    before = everything(tmp_path)
    refused = init(tmp_path, "--with", "container")
    assert (refused.exit_code, everything(tmp_path)) == (2, before)
    assert slug in refused.output


def test_an_inline_table_takes_no_tables_at_its_end(tmp_path: Path) -> None:
    repository(tmp_path, {})
    init(tmp_path)
    policy = tmp_path / "gates/staging.toml"
    policy.write_text('schema = 1\ngate = { tests = { owner = "me", select = ["tests/**"] } }\n')
    refused = init(tmp_path, "--with", "container")
    assert (refused.exit_code, "no tables can be added" in refused.output) == (2, True)


def test_a_name_that_is_none_is_refused_with_the_nearest(tmp_path: Path) -> None:
    repository(tmp_path, {})
    refused = init(tmp_path, "--with", "contaner")
    assert (refused.exit_code, (tmp_path / "gates").exists()) == (2, False)
    assert "Did you mean 'container'?" in refused.output
    assert "Known: container" in init(tmp_path, "--with", "../scaffold").output


@pytest.mark.parametrize("words", [["--with", "container"], ["x", "--with", "container"]])
def test_with_belongs_to_into(tmp_path: Path, words: list[str]) -> None:
    assert CliRunner().invoke(program, ["init", *words]).exit_code == 2
    assert init(tmp_path, "--undo", "--with", "container").exit_code == 2
