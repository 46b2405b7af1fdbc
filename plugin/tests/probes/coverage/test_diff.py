"""Changed lines, found by git itself in a repository made for the test."""

from __future__ import annotations

import subprocess

import pytest

from release_gates.errors import MeasurementError, ProbeUnavailable
from release_gates.probes.coverage.diff import changed_lines, changed_share, parse_diff, tracked_paths
from release_gates.probes.coverage.facts import Share


class Repository:
    def __init__(self, root):
        self.root = root
        root.mkdir()
        self.git("init", "-q", "-b", "main")

    def git(self, *arguments):
        who = (
            "-c",
            "user.name=n",
            "-c",
            "user.email=e@x",
            "-c",
            "commit.gpgsign=false",
            "-c",
            "protocol.file.allow=always",
        )
        command = ["git", *who, *arguments]
        return subprocess.run(
            command, cwd=self.root, check=True, capture_output=True, text=True
        ).stdout.strip()

    def write(self, name, *lines):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{line}\n" for line in lines))

    def commit(self):
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", "c")
        return self.git("rev-parse", "HEAD")

    def changed(self, base, root=None):
        found = changed_lines(root or self.root, base, self.git("rev-parse", "HEAD"))
        return {path: sorted(lines) if isinstance(lines, set) else lines for path, lines in found.items()}


OLD = [f"line {n}" for n in range(1, 11)]


@pytest.fixture
def repository(tmp_path):
    made = Repository(tmp_path / "repository")
    made.write("src/a.cpp", *OLD)
    made.write("src/b.cpp", *OLD)
    made.base = made.commit()
    return made


def test_changed_added_and_deleted_lines(repository):
    repository.write("src/a.cpp", "new", *OLD[:4], "other 5", *OLD[6:], "end")
    repository.commit()
    assert repository.changed(repository.base) == {"src/a.cpp": [1, 6, 11]}


def test_new_file_is_all_changed(repository):
    repository.write("src/new.cpp", *OLD[:3])
    repository.commit()
    assert repository.changed(repository.base) == {"src/new.cpp": [1, 2, 3]}


def test_deleted_file_has_no_changed_line(repository):
    (repository.root / "src/b.cpp").unlink()
    repository.commit()
    assert repository.changed(repository.base) == {}


def test_renamed_file_counts_what_was_edited(repository):
    repository.git("mv", "src/b.cpp", "src/moved.cpp")
    repository.write("src/moved.cpp", *OLD[:8], "edited", OLD[9])
    repository.commit()
    assert repository.changed(repository.base) == {"src/moved.cpp": [9]}


def test_uncommitted_change_counts(repository):
    repository.write("src/a.cpp", *OLD, "uncommitted")
    assert repository.changed(repository.base) == {"src/a.cpp": [11]}


def test_nothing_changed(repository):
    repository.commit()
    assert repository.changed(repository.base) == {}


@pytest.mark.parametrize("attribute", ["binary", "-diff", "-text", "diff=hidden"])
def test_attributes_cannot_hide_lines(repository, attribute):
    repository.write(".gitattributes", f"*.cpp {attribute}")
    repository.git("config", "diff.hidden.binary", "true")
    repository.git("config", "diff.hidden.command", "true")
    repository.git("config", "diff.hidden.textconv", "true")
    repository.write("src/a.cpp", *OLD, "new")
    repository.commit()
    assert repository.changed(repository.base)["src/a.cpp"] == [11]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("diff.noprefix", "true"),
        ("diff.mnemonicPrefix", "true"),
        ("diff.external", "true"),
        ("diff.interHunkContext", "9"),
        ("diff.context", "9"),
        ("diff.relative", "false"),
        ("diff.ignoreSubmodules", "all"),
        ("color.ui", "always"),
        ("core.quotePath", "true"),
        ("core.pager", "false"),
        ("diff.wsErrorHighlight", "all"),
        ("diff.colorMoved", "zebra"),
        ("diff.renames", "false"),
        ("diff.suppressBlankEmpty", "true"),
    ],
)
def test_configuration_cannot_hide_lines(repository, key, value):
    repository.git("config", key, value)
    repository.write("src/a.cpp", "new", *OLD[:4], "", *OLD[5:])
    repository.commit()
    assert repository.changed(repository.base) == {"src/a.cpp": [1, 6]}


def test_environment_cannot_hide_lines(repository, monkeypatch):
    for name, value in {"GIT_DIR": "/nowhere", "GIT_EXTERNAL_DIFF": "true", "GIT_DIFF_OPTS": "-u9"}.items():
        monkeypatch.setenv(name, value)
    repository_changed = changed_lines(repository.root, repository.base, repository.base)
    assert repository_changed == {}


@pytest.mark.parametrize(
    "name", ["ü b.cpp", 'quo"te.cpp', "tab\there.cpp", "back\\slash.cpp", "b/b.cpp", "+++ x.cpp"]
)
def test_odd_names(repository, name):
    repository.write(f"src/{name}", "new")
    repository.commit()
    assert repository.changed(repository.base) == {f"src/{name}": [1]}


def test_lines_that_look_like_headers(repository):
    repository.write("src/a.cpp", *OLD, "++ b/evil.cpp", "@@ -1 +99,9 @@", "diff --git a/x b/x")
    repository.commit()
    repository.write("src/a.cpp", *OLD, "-- a/evil.cpp", "++ b/evil.cpp")
    base, _ = repository.git("rev-parse", "HEAD"), repository.commit()
    assert repository.changed(repository.base) == {"src/a.cpp": [11, 12]}
    assert repository.changed(base)["src/a.cpp"]
    assert set(repository.changed(base)) == {"src/a.cpp"}


def test_missing_newline_at_the_end(repository):
    (repository.root / "src/a.cpp").write_text("\n".join([*OLD[:9], "no newline"]))
    repository.commit()
    assert repository.changed(repository.base) == {"src/a.cpp": [10]}


def test_root_below_the_top(repository):
    repository.write("src/a.cpp", *OLD, "new")
    repository.write("other.cpp", "new")
    repository.commit()
    assert repository.changed(repository.base, repository.root / "src") == {"a.cpp": [11]}


def test_changed_submodule_counts_whole(repository, tmp_path, tracefile, read):
    library = Repository(tmp_path / "library")
    library.write("l.cpp", "one", "two")
    library.commit()
    repository.git("submodule", "add", "-q", str(library.root), "lib")
    base = repository.commit()
    inner = repository.root / "lib"
    (inner / "l.cpp").write_text("one\nchanged\n")
    subprocess.run(
        ["git", "-c", "user.name=n", "-c", "user.email=e@x", "commit", "-qam", "c"], cwd=inner, check=True
    )
    repository.commit()
    changed = changed_lines(repository.root, base, repository.git("rev-parse", "HEAD"))
    report = tracefile({"repository/lib/l.cpp": {1: 1, 2: 0}})
    report.write_text(report.read_text().replace("SF:repository/", "SF:"))
    share = changed_share(read(report, root=repository.root), changed, tracked_paths(repository.root))
    assert share == Share(hit=1, found=2)


def test_untracked_source_is_all_new(repository, tracefile, read):
    repository.write("src/generated.cpp", *OLD)
    report = tracefile({"repository/src/generated.cpp": {1: 1, 2: 0}, "repository/src/a.cpp": {1: 0}})
    report.write_text(report.read_text().replace("SF:repository/", "SF:"))
    changed = changed_lines(repository.root, repository.base, repository.base)
    share = changed_share(read(report, root=repository.root), changed, tracked_paths(repository.root))
    assert share == Share(hit=1, found=2)


@pytest.mark.parametrize("commit", ["0" * 40, "deadbee", "main", "HEAD", "", "--output=x", "v1.0"])
def test_unknown_commit(repository, commit):
    for base, candidate, whose in (
        (commit, repository.base, "baseline"),
        (repository.base, commit, "candidate"),
    ):
        with pytest.raises(MeasurementError, match=whose) as error:
            changed_lines(repository.root, base, candidate)
        assert error.value.slug == "coverage-commit-unknown"
        assert repr(commit) in str(error.value)
        assert error.value.hint


def test_shallow_clone(repository, tmp_path):
    repository.write("src/a.cpp", *OLD, "new")
    head = repository.commit()
    command = ["git", "clone", "-q", "--depth=1", f"file://{repository.root}", str(tmp_path / "shallow")]
    subprocess.run(command, check=True)
    with pytest.raises(MeasurementError, match=r"git fetch --unshallow.*fetch-depth 0") as error:
        changed_lines(tmp_path / "shallow", repository.base, head)
    assert error.value.slug == "coverage-commit-unknown"


def test_no_repository(tmp_path, monkeypatch):
    (tmp_path / "plain").mkdir()
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    with pytest.raises(MeasurementError, match="not in a git checkout") as error:
        changed_lines(tmp_path / "plain", "a" * 40, "b" * 40)
    assert error.value.slug == "coverage-diff-no-repository"


def test_without_git(repository, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ProbeUnavailable, match="Install git"):
        changed_lines(repository.root, repository.base, repository.base)


def test_checkout_of_another_commit(repository):
    repository.write("src/a.cpp", "new")
    repository.commit()
    with pytest.raises(MeasurementError, match=f"git checkout {repository.base[:12]}") as error:
        changed_lines(repository.root, repository.base, repository.base)
    assert error.value.slug == "coverage-wrong-checkout"


def test_torn_patch():
    with pytest.raises(MeasurementError, match="ends early"):
        parse_diff(b"diff --git a/x b/x\n+++ b/x\n@@ -0,0 +1,3 @@\n+one\n")
