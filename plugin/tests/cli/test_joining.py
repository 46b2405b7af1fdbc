"""``init --into``: gates for a repository that exists. It overwrites nothing, and all of it can be undone."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from release_gates.cli.joining import plan
from release_gates.cli.pytest_files import find_configuration
from release_gates.errors import PolicyError
from release_gates.testing import GateProject

FILES = {
    "pytest.ini": "[pytest]\ntestpaths = tests\n",
    ".pytest.ini": "[pytest]\ntestpaths = tests\n",
    "pyproject.toml": '# kept\n[project]\nname = "x"\n[tool.pytest.ini_options]\ntestpaths = ["tests"]\n',
    "tox.ini": "[tox]\nenv_list = py\n[pytest]\ntestpaths = tests\n",
    "setup.cfg": "[metadata]\nname = x\n[tool:pytest]\ntestpaths =\n    tests\n",
}
SILENT = {
    "pyproject.toml": '[project]\nname = "x"\n',
    "tox.ini": "[tox]\nenv_list = py\n",
    "setup.cfg": "[metadata]\nname = x\n",
    "pytest.ini": "",
    "setup.py": "",
}


def repository(root: Path, **files: str) -> GateProject:
    """A repository with two tests and whatever else."""
    made = GateProject.__new__(GateProject)  # without a policy
    made.root = root
    made.write("tests/test_a.py", "def test_a(): pass\n")
    made.write(
        "tests/deep/test_b.py", "import pytest\n@pytest.mark.parametrize('x', 'ab')\ndef test_b(x): pass\n"
    )
    for name, text in files.items():
        made.write(name, text)
    return made


def init(made: GateProject, *arguments: str, answer: str = "") -> tuple[int, str]:
    if not answer:  # nothing stands on stdin
        told = made.cli("init", *arguments)
        return told.status, told.output
    command = [sys.executable, "-m", "release_gates", "init", *arguments]
    done = subprocess.run(command, cwd=made.root, input=answer, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def everything(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def chosen(root: Path) -> str:
    return re.findall(r"select = (\[.*\])", (root / "gates/staging.toml").read_text())[0]


# -- from a repository to a verdict -------------------------------------------------------------------


@pytest.mark.parametrize("file", FILES)
def test_first_verdict_without_rewriting_anything(tmp_path: Path, file: str) -> None:
    made = repository(tmp_path / "orders", **{file: FILES[file]})
    before = everything(made.root)
    status, shown = init(made, "--into", ".", "--yes")
    assert status == 0, shown
    assert f"pytest is configured in {file}, which needs no change" in shown
    assert "release-gates candidate create --name orders" in shown
    made.candidate("orders 1")
    for words in (["expect"], ["check"], ["run", "staging"]):
        done = made.cli(*words)
        assert done.status == 0, done.output
    assert made.verdict_file()["verdict"] == "PROMOTE"
    assert "3 tests ran" in done.output
    assert {name: data for name, data in everything(made.root).items() if name in before} == before


def test_it_shows_the_diff_and_asks(tmp_path: Path) -> None:
    made = repository(tmp_path, **{".gitignore": "*.pyc"})
    before = everything(made.root)
    for answer in ("", "n\n", "\n", "perhaps\n"):
        status, shown = init(made, "--into", ".", answer=answer)
        assert status == 1
        assert "+++ b/gates/staging.toml" in shown
        assert '+select = ["tests/**"]' in shown
        assert "-*.pyc\n\\ No newline at end of file\n+*.pyc\n+.gates/\n" in shown
        assert everything(made.root) == before
    status, shown = init(made, "--into", ".", answer="y\n")
    assert status == 0
    assert (made.root / ".gitignore").read_text() == "*.pyc\n.gates/\n"


def test_json_shows_and_writes_only_with_yes(tmp_path: Path) -> None:
    made = repository(tmp_path)
    command = [sys.executable, "-m", "release_gates", "--json", "init", "--into", "."]
    for more, written in (([], False), (["--yes"], True)):
        done = subprocess.run([*command, *more], cwd=tmp_path, capture_output=True, text=True, check=False)
        found = json.loads(done.stdout)
        assert (done.returncode, found["written"]) == (0 if written else 1, written)
        assert [change["path"] for change in found["changes"]][:2] == [
            "gates/environments.toml",
            "gates/staging.toml",
        ]
        assert (made.root / "gates").exists() is written


@pytest.mark.parametrize("name", ["gates/staging.toml", "gates/environments.toml"])
def test_it_never_overwrites(tmp_path: Path, name: str) -> None:
    made = repository(tmp_path, **{name: "mine"})
    before = everything(made.root)
    status, shown = init(made, "--into", ".", "--yes")
    assert (status, everything(made.root)) == (2, before)
    assert f"{name} is there already" in shown
    assert "[file-exists]" in shown


def test_a_link_to_nowhere_is_a_file_too(tmp_path: Path) -> None:
    made = repository(tmp_path)
    (tmp_path / "gates").mkdir()
    (tmp_path / "gates/staging.toml").symlink_to(tmp_path / "elsewhere.toml")
    assert init(made, "--into", ".", "--yes")[0] == 2
    assert not (tmp_path / "elsewhere.toml").exists()


@pytest.mark.parametrize("line", [".gates/\n", "/.gates\r\n", "a\n.gates"])
def test_a_gitignore_that_knows_already_stays(tmp_path: Path, line: str) -> None:
    made = repository(tmp_path)
    (tmp_path / ".gitignore").write_bytes(line.encode())
    init(made, "--into", ".", "--yes")
    assert (tmp_path / ".gitignore").read_bytes() == line.encode()


@pytest.mark.parametrize(
    ("testpaths", "select", "says"),
    [
        ("tests", '["tests/**"]', ""),
        ("./tests/ tests", '["tests/**"]', ""),
        ("tests/deep tests/test_a.py", '["tests/deep/**", "tests/test_a.py"]', ""),
        (".", '["**"]', ""),
        ("tests/d*p", '["tests/d*p/**"]', ""),
        ("tests nowhere ../other", '["tests/**"]', "testpaths names '../other'"),
        ("tests docs", '["tests/**"]', "testpaths names 'docs'"),
    ],
)
def test_select_follows_testpaths(tmp_path: Path, testpaths: str, select: str, says: str) -> None:
    made = repository(tmp_path, **{"pytest.ini": f"[pytest]\ntestpaths = {testpaths}\n", "docs/x.txt": ""})
    status, shown = init(made, "--into", ".", "--yes")
    assert (status, chosen(tmp_path)) == (0, select), shown
    assert says in shown
    done = made.cli("check")
    assert done.status == 0, done.output


def test_select_follows_the_tests_where_there_are_no_testpaths(tmp_path: Path) -> None:
    made = repository(
        tmp_path, **{"test_top.py": "def test_top(): pass\n", "src/app/x_test.py": "def test_x(): pass\n"}
    )
    for name in (".venv/lib", "env", "build", "node_modules/x"):
        made.write(f"{name}/test_foreign.py", "")
    made.write("env/pyvenv.cfg", "")
    init(made, "--into", ".", "--yes")
    assert chosen(tmp_path) == '["src/**", "test_top.py", "tests/**"]'


def test_no_tests_no_gates(tmp_path: Path) -> None:
    made = repository(tmp_path, **{"pytest.ini": "[pytest]\npython_files = check_*.py\n"})
    status, shown = init(made, "--into", ".", "--yes")
    assert (status, "[no-tests-found]" in shown, (tmp_path / "gates").exists()) == (2, True, False)


def test_a_plugin_that_is_switched_off_is_named(tmp_path: Path) -> None:
    made = repository(tmp_path, **{"pytest.ini": "[pytest]\naddopts = -q -p no:release_gates\n"})
    assert "switches every gate off: take it out" in init(made, "--into", ".", "--yes")[1]


def test_a_folder_below_the_root_folder_is_refused(tmp_path: Path) -> None:
    made = repository(tmp_path, **FILES)
    status, shown = init(made, "--into", "tests", "--yes")
    assert status == 2
    assert f"release-gates init --into {tmp_path} [root-folder]" in shown


@pytest.mark.parametrize("arguments", [("x", "--into", "."), ("x", "--undo"), ("--yes",)])
def test_words_that_do_not_go_together(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    assert init(repository(tmp_path), *arguments)[0] == 2
    assert not (tmp_path / "gates").exists()


# -- which file configures pytest ---------------------------------------------------------------------

COMBINATIONS = [
    *({name: text} for name, text in (FILES | SILENT).items()),
    *({name: text} for name, text in SILENT.items()),
    FILES,
    {name: text for name, text in FILES.items() if "ini" not in name or name == "tox.ini"},
    {
        "tox.ini": FILES["tox.ini"],
        "setup.cfg": FILES["setup.cfg"],
        "pyproject.toml": SILENT["pyproject.toml"],
    },
    {"pytest.ini": "", "pyproject.toml": FILES["pyproject.toml"]},
    {"pytest.toml": '[pytest]\ntestpaths = ["tests"]\n', "pytest.ini": FILES["pytest.ini"]},
    {"pytest.toml": "", "tox.ini": FILES["tox.ini"]},
    {"pyproject.toml": '[tool.pytest]\ntestpaths = ["tests"]\n', "tox.ini": FILES["tox.ini"]},
]


@pytest.mark.parametrize("files", COMBINATIONS, ids="+".join)
@pytest.mark.parametrize("below", [False, True])
def test_pytest_takes_the_same_file(tmp_path: Path, files: dict[str, str], below: bool) -> None:
    made = repository(tmp_path, **files)
    folder = tmp_path / "tests" if below else tmp_path
    command = [sys.executable, "-m", "pytest", "--collect-only", "-p", "no:cacheprovider"]
    shown = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False).stdout
    root = re.findall(r"^rootdir: (.*)$", shown, re.MULTILINE)
    file = re.findall(r"^configfile: (\S+)", shown, re.MULTILINE)
    found = find_configuration(folder)
    assert ([str(found.root)], [found.file] if found.file else []) == (root, file), shown
    assert made.root == tmp_path


@settings(max_examples=150, deadline=None)
@given(st.sampled_from([*FILES, "pytest.toml"]), st.text(max_size=60))
def test_any_configuration_is_a_plan_or_a_sentence(name: str, text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        made = repository(Path(folder))
        (made.root / name).write_text(text, encoding="utf-8", errors="replace", newline="")
        for more in ("", "[pytest]\ntestpaths = ", "[tool.pytest.ini_options]\ntestpaths = "):
            (made.root / name).write_bytes((more + text).encode("utf-8", "replace"))
            try:
                assert plan(made.root).changes
            except PolicyError as error:
                refused = error
            else:
                continue
            assert refused.slug in {"pytest-configuration", "no-tests-found"}


# -- taking it back -----------------------------------------------------------------------------------


@pytest.mark.parametrize("ignored", [None, b"", b"a", b"a\n", b"a\r\nb\r\n", b"\xff\xfe\n"])
def test_undo_takes_back_exactly_that(tmp_path: Path, ignored: bytes | None) -> None:
    made = repository(tmp_path, **FILES)
    if ignored is not None:
        (tmp_path / ".gitignore").write_bytes(ignored)
    before = everything(tmp_path)
    assert init(made, "--into", ".", "--yes")[0] == 0
    assert b".gates/" in (tmp_path / ".gitignore").read_bytes()
    status, shown = init(made, "--undo")
    assert (status, everything(tmp_path)) == (0, before), shown
    assert not (tmp_path / "gates").exists()
    assert not (tmp_path / ".gates").exists()
    assert init(made, "--undo")[0] == 2


def test_undo_refuses_file_by_file_what_was_changed(tmp_path: Path) -> None:
    made = repository(tmp_path, **{".gitignore": "a\n"})
    init(made, "--into", ".", "--yes")
    for name in ("gates/staging.toml", ".gitignore"):
        with (tmp_path / name).open("a") as file:
            file.write("# mine\n")
    made.write("gates/expected/tests.txt", "mine\n")
    before = everything(tmp_path)
    status, shown = init(made, "--undo", "--into", ".")
    assert status == 1
    assert "gates/environments.toml: removed" in shown
    assert "gates/staging.toml: stays: somebody changed it since" in shown
    assert ".gitignore: stays: somebody changed it since" in shown
    after = everything(tmp_path)
    assert set(before) - set(after) == {"gates/environments.toml"}
    assert all(before[name] == data for name, data in after.items() if name != ".gates/init.json")
    text = (tmp_path / ".gitignore").read_text()
    (tmp_path / ".gitignore").write_text(text.removesuffix("# mine\n"))
    assert ".gitignore: restored" in init(made, "--undo")[1]
    (tmp_path / "gates/staging.toml").unlink()
    assert init(made, "--undo")[0] == 0
    assert (tmp_path / "gates/expected/tests.txt").read_text() == "mine\n"


@pytest.mark.parametrize(
    "record",
    [
        "",
        "[]",
        '{"schema":1,"files":[{"path":"../x","sha256":"0"}]}',
        '{"schema":1,"files":[{"path":"/x","sha256":"0"}]}',
    ],
)
def test_undo_trusts_no_record_that_was_edited(tmp_path: Path, record: str) -> None:
    made = repository(tmp_path, **{".gates/init.json": record})
    before = everything(tmp_path)
    status, shown = init(made, "--undo")
    assert (status, "[init-record]" in shown, everything(tmp_path)) == (2, True, before)


def test_undo_after_a_second_join(tmp_path: Path) -> None:
    made = repository(tmp_path)
    init(made, "--into", ".", "--yes")
    for name in ("gates/staging.toml", "gates/environments.toml"):
        (tmp_path / name).unlink()
    assert init(made, "--into", ".", "--yes")[0] == 0
    assert init(made, "--undo")[0] == 0
    assert not (tmp_path / ".gitignore").exists()
