"""A new candidate from files and git."""

import hashlib
import subprocess

import pytest

from release_gates.candidate.create import Origin, create_candidate, git_origin
from release_gates.candidate.verify import verify_artifacts
from release_gates.errors import CandidateError

NONE = Origin(commit="")


def git(folder, *arguments):
    names = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-c", "init.defaultBranch=main"]
    return subprocess.run(
        ["git", *names, "-C", str(folder), *arguments], check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.fixture
def repository(tmp_path):
    root = tmp_path / "repository"
    root.mkdir()
    git(root, "init", "-q")
    (root / "engine").write_bytes(b"engine")
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "one\n\nCo-authored-by: Bob <bob@example.com>")
    return root


def create(root, **more):
    fields = {"name": "engine", "version": "1", "artifacts": {"engine": root / "engine"}, "root": root}
    return create_candidate(**{**fields, **more})


def refusal(call, *arguments, **more):
    with pytest.raises(CandidateError) as caught:
        call(*arguments, **more)
    return caught.value.slug


def test_created_from_git(repository):
    candidate = create(repository, kinds={"engine": "config"}, built_by="ci")
    assert candidate.commit == git(repository, "rev-parse", "HEAD")
    assert candidate.ref == "main"
    assert not candidate.dirty
    assert candidate.authors == ("Ada <ada@example.com>", "Bob <bob@example.com>")
    assert candidate.artifacts[0].sha256 == hashlib.sha256(b"engine").hexdigest()
    assert (candidate.artifacts[0].path, candidate.artifacts[0].kind) == ("engine", "config")
    assert verify_artifacts(candidate, repository) == ()


@pytest.mark.parametrize("name", ["engine", "untracked"])
def test_changed_or_untracked_files_make_it_dirty(repository, name):
    (repository / name).write_text("changed")
    assert git_origin(repository).dirty


def test_a_detached_head_has_no_ref(repository):
    git(repository, "checkout", "-q", "--detach")
    assert git_origin(repository).ref == ""


def test_authors_since(repository):
    first = git(repository, "rev-parse", "HEAD")
    git(repository, "commit", "-q", "--allow-empty", "-m", "two", "--author", "Eve <eve@example.com>")
    assert git_origin(repository).authors == ("Eve <eve@example.com>",)
    assert git_origin(repository, since=first).authors == ("Eve <eve@example.com>",)
    git(repository, "commit", "-q", "--allow-empty", "-m", "three", "--author", "Zoe <zoe@example.com>")
    assert git_origin(repository, since=first).authors == ("Eve <eve@example.com>", "Zoe <zoe@example.com>")
    assert refusal(git_origin, repository, since="--all") == "no-commit"


def test_git_variables_do_not_lead_elsewhere(repository, tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    assert create(repository).commit


def test_without_a_commit(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    (tmp_path / "engine").write_bytes(b"engine")
    assert refusal(create, tmp_path) == "no-commit"
    assert create(tmp_path, origin=NONE).commit == ""
    git(tmp_path, "init", "-q")
    assert refusal(create, tmp_path) == "no-commit"


def test_without_git(repository, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert refusal(create, repository) == "no-commit"


def test_files_that_cannot_be_artifacts(tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "outside").write_bytes(b"x")
    (root / "link").symlink_to(tmp_path / "outside")
    for path in ("absent", "link", "../outside", tmp_path / "outside", "."):
        assert refusal(create, root, origin=NONE, artifacts={"x": root / path}) == "artifact-unreadable"
    assert create(root, origin=NONE, artifacts={}).artifacts == ()
