"""The rules cover what measures: a change of a test's body is another digest, a cache is none."""

import hashlib
import os
from pathlib import Path

import pytest

from release_gates.model.record import canonical
from release_gates.policy import measuring as module
from release_gates.policy.configuration import section_of, stated_folders
from release_gates.policy.load import policy_from_snapshot
from release_gates.policy.measuring import changed_names, covered
from release_gates.policy.mistake import PolicyMistakes
from release_gates.policy.snapshot import in_full, read_snapshot, snapshot_digest

POLICY = 'schema = 1\npath = ["staging"]\n'
GATE = 'schema = 1\n[gate.smoke]\nowner = "somebody"\n'
FILES = {
    "pyproject.toml": '[project]\nname = "x"\n[tool.pytest.ini_options]\ntestpaths = ["suites"]\n',
    "conftest.py": "pytest_plugins = []\n",
    "suites/smoke/test_a.py": "def test_a(gate): gate.measure('a', 1, 's')\n",
    "suites/helper.py": "LIMIT = 1\n",
    "suites/data.bin": "\x00",
    "src/product.py": "price = 1\n",
    "gates/environments.toml": POLICY,
    "gates/staging.toml": GATE,
    "gates/expected/smoke.txt": "suites/smoke/test_a.py::test_a\n",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        write(tmp_path, name, text)
    return tmp_path


def write(root: Path, name: str, text: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def rules(root: Path) -> dict[str, str]:
    snapshot = read_snapshot(root / "gates", tool="release-gates 1", root=root)
    assert policy_from_snapshot(snapshot).digest == snapshot_digest(snapshot)
    return snapshot


def stating(root: Path, patterns: str) -> None:
    write(root, "gates/environments.toml", f"{POLICY}rules = {patterns}\n")


@pytest.mark.parametrize(
    "name",
    [
        "suites/smoke/test_a.py",
        "fixtures/deep/exchange.py",
        "suites/helper.py",
        "suites/data.bin",
        "suites/new.json",
        "suites/smoke/conftest.py",
        "conftest.py",
        "pyproject.toml",
        "pytest.ini",
        "gates/staging.toml",
    ],
)
def test_whatever_measures_is_in_the_digest(root: Path, name: str) -> None:
    before = rules(root)
    write(
        root,
        name,
        FILES.get(name, "") + "[pytest]\n" if name.endswith(".ini") else FILES.get(name, "") + "\n",
    )
    if name == "pyproject.toml":
        write(root, name, FILES[name] + 'addopts = ["-x"]\n')
    after = rules(root)
    assert snapshot_digest(before) != snapshot_digest(after)
    assert changed_names(before, after) == (name,)


@pytest.mark.parametrize(
    "name",
    [
        "suites/__pycache__/test_a.cpython-311.pyc",
        "suites/smoke/.pytest_cache/v",
        "suites/build/out.o",
        "suites/old.pyc",
        "suites/.swp",
        "suites/test_a.py~",
        "suites/#test_a.py#",
        "fixtures/data.csv",
        "src/product.py",
        "README.md",
        "gates/.approved/x",
    ],
)
def test_what_tools_leave_behind_and_the_candidate_are_not(root: Path, name: str) -> None:
    before = snapshot_digest(rules(root))
    write(root, name, "anything else")
    assert snapshot_digest(rules(root)) == before


def test_another_part_of_pyproject_is_no_rule(root: Path) -> None:
    before = snapshot_digest(rules(root))
    write(root, "pyproject.toml", FILES["pyproject.toml"].replace('"x"', '"y"'))
    assert snapshot_digest(rules(root)) == before


def test_the_policy_says_which_files_measure_and_what_it_forgets_is_added(root: Path) -> None:
    stating(root, '["suites/*.py", "src/**"]')
    assert covered(rules(root)) == {
        *("conftest.py", "suites/helper.py", "src/product.py"),
        "suites/smoke/test_a.py",  # a gate expects a test of it
    }


def test_without_testpaths_the_folders_of_expected_tests_are_covered(root: Path) -> None:
    write(root, "pyproject.toml", "")
    assert covered(rules(root)) == {"conftest.py", "suites/smoke/test_a.py"}


def test_every_mistake_of_the_files_is_said(root: Path) -> None:
    stating(root, '["suites/**", "fixture/**", "../x", 3]')
    (root / "suites" / "linked").symlink_to(root / "src")
    (root / "suites" / "lost.py").symlink_to(root / "nowhere")
    os.mkfifo(root / "suites" / "pipe")
    Path(os.fsdecode(os.fsencode(root / "suites") + b"/\xff.py")).write_text("")
    with pytest.raises(PolicyMistakes) as caught:
        rules(root)
    said = str(caught.value)
    for part in (
        'rules = "fixture/**": no file has such a path [rules-pattern]',
        "suites/linked: is a link to a folder [not-a-file]",
        "suites/lost.py: cannot be read: No such file or directory [unreadable-file]",
        "suites/pipe: is a device, pipe or socket, not a file [not-a-file]",
        "suites/\\udcff.py: the name of this file is not UTF-8. Rename it [not-utf8]",
    ):
        assert part in said


def test_patterns_are_checked_as_those_of_a_gate(root: Path) -> None:
    write(root, "gates/environments.toml", f'{POLICY}rules = ["../x", 3]\n')
    with pytest.raises(PolicyMistakes, match=r"goes through '\.' or '\.\.'(.|\n)*must be a text in quotes"):
        policy_from_snapshot(read_snapshot(root / "gates", tool="1"))


def test_a_link_to_a_file_is_what_it_leads_to(root: Path) -> None:
    (root / "suites" / "linked.py").symlink_to(root / "src" / "product.py")
    before = rules(root)
    write(root, "src/product.py", "price = 2\n")
    assert changed_names(before, rules(root)) == ("suites/linked.py",)


def test_bounded(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_FILES", 2)
    with pytest.raises(PolicyMistakes, match=r"4 files; name less of it in `rules` \[too-large\]"):
        rules(root)
    monkeypatch.setattr(module, "MOST_FILES", 4)
    monkeypatch.setattr(module, "MOST_BYTES", 20)
    with pytest.raises(PolicyMistakes, match="too-large"):
        rules(root)


def test_a_snapshot_without_files_keeps_the_digest_that_it_had() -> None:
    old = {"/tool": "release-gates 0.9", "environments.toml": POLICY, "staging.toml": GATE}
    assert policy_from_snapshot(old).digest == hashlib.sha256(canonical(old)).hexdigest()
    assert (
        policy_from_snapshot({**old, "/code/gates.toml": "0" * 64}).digest != policy_from_snapshot(old).digest
    )


def test_in_full_is_what_reading_at_once_gives(root: Path) -> None:
    folder = root / "gates"
    assert in_full(read_snapshot(folder, tool="1"), folder, root) == read_snapshot(
        folder, tool="1", root=root
    )


@pytest.mark.parametrize(
    ("name", "text", "section", "folders"),
    [
        (
            "tox.ini",
            "[tox]\na=1\n[pytest]\ntestpaths = a b\n[x]\n",
            "[pytest]\ntestpaths = a b\n",
            ("a", "b"),
        ),
        ("setup.cfg", "[pytest]\nx=1\n", None, ()),
        ("setup.cfg", "[tool:pytest]\ntestpaths =\n  t/\n", "[tool:pytest]\ntestpaths =\n  t/\n", ("t",)),
        ("pytest.ini", "", "", ()),
        ("pytest.toml", '[pytest]\ntestpaths = ["t"]\n', '[pytest]\ntestpaths = ["t"]\n', ("t",)),
        ("pyproject.toml", "[tool.x]\n", None, ()),
        ("pyproject.toml", "tool = 3\n", "tool = 3\n", ()),
        (
            "pyproject.toml",
            "[tool.pytest]\ntestpaths = ['t']\nx = 1\n",
            '{"testpaths": ["t"], "x": 1}',
            ("t",),
        ),
        ("pyproject.toml", "no toml", "no toml", ()),
    ],
)
def test_what_pytest_reads_of_a_file(
    name: str, text: str, section: str | None, folders: tuple[str, ...]
) -> None:
    assert section_of(name, text) == section
    assert stated_folders(name, section or "") == folders
