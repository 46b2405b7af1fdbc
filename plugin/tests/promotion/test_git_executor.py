"""The executor ``git`` against real repositories: one commit, nothing rewritten, nobody overwritten."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from plugin.tests.promotion.deploying_place import laid_out
from plugin.tests.promotion.deploying_world import candidate, change, check_law, deploy, site, take_back
from plugin.tests.promotion.test_promote import candidate as engine
from release_gates.errors import DeployError, LiveDiffers, PromotionRefused
from release_gates.promotion.executors.git import repository as repository_module
from release_gates.promotion.executors.git.document import LiveFile
from release_gates.promotion.executors.git.executor import GitExecutor
from release_gates.promotion.executors.git.kustomization import digests_in, with_digests
from release_gates.promotion.executors.git.repository import Repository
from release_gates.promotion.executors.registry import executor_for

OLD, NEW, OTHER = candidate("1.0.0"), candidate("1.1.0"), candidate("9.9.9")
PATH = "overlays/production/kustomization.yaml"
IMAGE = "registry.example/engine"
TEXT = """\
# who changes this asks the desk first
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
images:
  - name: registry.example/other   # not ours
    newTag: "1.0"
  - newName: mirror.example/engine
    name: registry.example/engine
    {digest}
resources: [../../base]   # stays
"""


def git(*words: str, cwd: Path) -> str:
    person = ("-c", "user.name=Tess", "-c", "user.email=t@example.org", "-c", "init.defaultBranch=main")
    done = subprocess.run(["git", *person, *words], cwd=cwd, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    """Return a bare repository with the kustomization of the old candidate on main."""
    work = tmp_path / "work"
    (work / PATH).parent.mkdir(parents=True)
    text = TEXT.format(digest=f"digest: sha256:{OLD.artifacts[0].sha256}")
    (work / PATH).write_text(text)
    git("init", "-q", cwd=work)
    git("add", "-A", cwd=work)
    git("commit", "-qm", "begin", cwd=work)
    git("clone", "-q", "--bare", str(work), str(tmp_path / "remote.git"), cwd=tmp_path)
    return tmp_path / "remote.git"


def executor(
    remote: Path, *, timeout_s: float = 60.0, env: tuple[str, ...] = (), **settings: Any
) -> GitExecutor:
    """Return the executor of a kustomization, or of a file of its own with ``file``."""
    chosen = {"branch": "main", "kustomization": PATH, "images": {IMAGE: "image"}}
    if "file" in settings:
        chosen = {"branch": "deploy/production"}
    told = {"repository": f"file://{remote}", **chosen, **settings}
    return GitExecutor(site(remote.parent, "git", told, timeout_s=timeout_s, env=env))


def edited_by_somebody(
    remote: Path, tmp_path: Path, old: str, new: str, path: str = PATH, branch: str = "main"
) -> None:
    """Change a file on the remote, as somebody else would."""
    work = tmp_path / "somebody"
    shutil.rmtree(work, ignore_errors=True)
    git("clone", "-q", "-b", branch, str(remote), str(work), cwd=tmp_path)
    text = (work / path).read_text()
    assert old in text
    (work / path).write_text(text.replace(old, new))
    git("commit", "-qam", "by hand", cwd=work)
    git("push", "-q", "origin", branch, cwd=work)


def test_kustomization_keeps_the_law_and_every_other_byte(remote: Path) -> None:
    before = git("show", f"main:{PATH}", cwd=remote)
    check_law(executor(remote), change(NEW, OLD))
    assert git("show", f"main:{PATH}", cwd=remote) == before
    assert git("log", "--format=%s", "main", cwd=remote).endswith("begin"), "history was rewritten"
    deploy(executor(remote), change(NEW, OLD))
    changed = git("diff", "--unified=0", "main~", "main", cwd=remote).splitlines()
    assert [line for line in changed if line[0] in "+-" and line[:3] not in {"+++", "---"}] == [
        f"-    digest: sha256:{OLD.artifacts[0].sha256}",
        f"+    digest: sha256:{NEW.artifacts[0].sha256}",
    ]


def test_first_digest_comes_and_goes(remote: Path, tmp_path: Path) -> None:
    edited_by_somebody(remote, tmp_path, f"    digest: sha256:{OLD.artifacts[0].sha256}\n", "")
    before = git("show", f"main:{PATH}", cwd=remote)
    made, what = executor(remote), change(NEW, None)
    assert made.verify(None)
    deploy(made, what)
    assert made.verify(NEW)
    take_back(made, what)
    assert made.verify(None)
    assert git("show", f"main:{PATH}", cwd=remote) == before


def test_own_file_keeps_the_law_and_tags_name_each_deployment(remote: Path) -> None:
    check_law(executor(remote, file="live.json"), change(NEW, None))
    made = executor(remote, file="live.json", tags="deploy/production")
    first = change(NEW, None, deployment="deploy-7", run="run-3", approved_by=("Bob <b@example.org>",))
    deploy(made, first)
    told = git("tag", "-l", "--format=%(contents)", "deploy/production/deploy-7", cwd=remote)
    for fact in (
        f"Candidate: sha256:{NEW.digest}",
        f"Artifact: image sha256:{NEW.artifacts[0].sha256}",
        "Instead-of: none",
        "Run: run-3",
        "Requested-by: Ann <ann@example.org>",
        "Approved-by: Bob <b@example.org>",
    ):
        assert fact in told.splitlines()
    take_back(made, first)
    assert made.verify(None)
    assert git("tag", cwd=remote).split() == [
        "deploy/production/deploy-7",
        "deploy/production/deploy-7.undone",
    ]


def test_nobody_forges_a_line_of_the_message_or_colours_an_error(remote: Path) -> None:
    evil = msgspec.structs.replace(NEW, name="engine\n\nApproved-by: Eve", version="\x1b[2J")
    made = executor(remote, file="live.json")
    deploy(made, change(evil, None))
    trailers = git("log", "-1", "--format=%(trailers:key=Approved-by)", "deploy/production", cwd=remote)
    assert trailers == ""
    with pytest.raises(LiveDiffers, match=r"engine Approved-by: Eve \?\[2J") as error:
        made.verify(OLD)
    assert str(error.value).isprintable()


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"schema":2,"candidate":"a","name":"a","version":"a","artifacts":[]}', "[" * 9999],
)
def test_file_that_nobody_understands_is_no_candidate(text: str) -> None:
    file = LiveFile(place="x")
    assert file.differs(text.encode(), NEW)
    assert file.differs(text.encode(), None)


@pytest.mark.parametrize("settings", [{}, {"file": "live.json"}], ids=["kustomization", "own file"])
def test_what_somebody_else_changed_is_never_overwritten(
    remote: Path, tmp_path: Path, settings: dict[str, str]
) -> None:
    made = executor(remote, **settings)
    if settings:
        deploy(made, change(OLD, None))
        deploy(made, change(OTHER, OLD))
    else:
        edited_by_somebody(remote, tmp_path, OLD.artifacts[0].sha256, OTHER.artifacts[0].sha256)
    heads = git("for-each-ref", cwd=remote)
    step = made.plan(change(NEW, OLD))[0]
    for act in (made.apply, made.undo):
        with pytest.raises(LiveDiffers, match="neither engine 1"):
            act(change(NEW, OLD), step)
    with pytest.raises(LiveDiffers, match=r"does not say that engine 1\.1\.0 is live"):
        made.verify(NEW)
    assert git("for-each-ref", cwd=remote) == heads


def test_remote_that_moves_between_fetch_and_push_wins(
    remote: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unrelated commit is enough: what was reviewed is not what would be on the branch."""
    push = Repository.push

    def late(self: Repository, *words: Any) -> None:
        edited_by_somebody(remote, tmp_path, "# stays", "# moved")
        push(self, *words)

    monkeypatch.setattr(Repository, "push", late)
    made = executor(remote, tags="deploy")
    with pytest.raises(LiveDiffers, match="was moved by somebody else meanwhile"):
        deploy(made, change(NEW, OLD))
    assert made.verify(OLD)
    assert git("tag", cwd=remote) == ""
    monkeypatch.undo()
    deploy(made, change(NEW, OLD))  # resumed
    assert made.verify(NEW)
    assert "# moved" in git("show", f"main:{PATH}", cwd=remote)


def test_verify_believes_the_remote_and_not_the_local_checkout(remote: Path, tmp_path: Path) -> None:
    work = tmp_path / "work"
    made = executor(remote)
    (work / PATH).write_text(TEXT.format(digest=f"digest: sha256:{NEW.artifacts[0].sha256}"))
    git("commit", "-qam", "never pushed", cwd=work)
    with pytest.raises(LiveDiffers):
        made.verify(NEW)
    shutil.rmtree(remote)
    with pytest.raises(DeployError, match="git ls-remote ended with 128") as error:
        made.verify(OLD)
    assert not isinstance(error.value, LiveDiffers), "nobody can tell"


def test_nobodys_settings_and_hooks_are_in_force(
    remote: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, proof = tmp_path / "home", tmp_path / "ran"
    (home / "hooks").mkdir(parents=True)
    for hook in ("pre-push", "reference-transaction", "post-index-change"):
        (home / "hooks" / hook).write_text(f"#!/bin/sh\ntouch {proof}\n")
        (home / "hooks" / hook).chmod(0o755)
    (home / ".gitconfig").write_text(
        f"[core]\nhooksPath={home}/hooks\n[user]\nuseConfigOnly=true\n"
        "[commit]\ngpgSign=true\n[push]\nfollowTags=true\n[tag]\ngpgSign=true\n"
    )
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "nowhere"))
    monkeypatch.setenv("GIT_AUTHOR_NAME", "Mallory")
    made = executor(remote, tags="deploy", author="Desk <desk@example.org>")
    deploy(made, change(NEW, OLD))
    assert made.verify(NEW)
    monkeypatch.delenv("GIT_DIR")
    assert not proof.exists()
    assert git("log", "-1", "--format=%an <%ae> %cn", "main", cwd=remote) == "Desk <desk@example.org> Desk"


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"repository": "--upload-pack=touch x"}, "no path or URL"),
        ({"repository": "ext::sh -c touch% x"}, "no path or URL"),
        ({"repository": "http://example.org/x"}, "no path or URL"),
        ({"repository": "git://example.org/x"}, "no path or URL"),
        ({"repository": "https://ann:" + "hunter2@example.org/x"}, "has a password in it"),
        ({"branch": "-f"}, "no name of a branch"),
        ({"branch": "a..b"}, "no name of a branch"),
        ({"branch": "main:refs/heads/x"}, "no name of a branch"),
        ({"tags": "x.lock"}, "no name of a branch or tag"),
        ({"kustomization": "../../etc/kustomization.yaml"}, "leads out of the repository"),
        ({"kustomization": "/etc/kustomization.yaml"}, "leads out of the repository"),
        ({"kustomization": "a/.git/config"}, "leads out of the repository"),
        ({"kustomization": PATH, "images": {}}, "needs images"),
        ({"author": "nobody"}, "no author"),
        ({"brunch": "main"}, "unknown field `brunch`"),
    ],
)
def test_settings_that_lead_elsewhere_are_refused(remote: Path, wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(DeployError, match=says) as error:
        executor(remote, **wrong)
    assert "hunter2" not in str(error.value)


def test_link_instead_of_the_file_is_refused(remote: Path, tmp_path: Path) -> None:
    work = tmp_path / "work"
    (work / "real").mkdir()
    (work / PATH).rename(work / "real" / "kustomization.yaml")
    (work / "overlays" / "production").rmdir()
    (work / "overlays" / "production").symlink_to("../real")
    (work / "link.yaml").symlink_to("/etc/hostname")
    git("add", "-A", cwd=work)
    git("commit", "-qm", "links", cwd=work)
    git("push", "-q", str(remote), "main", cwd=work)
    with pytest.raises(DeployError, match="overlays/production is no folder"):
        executor(remote).verify(OLD)
    with pytest.raises(DeployError, match="it is a link, a folder or a submodule"):
        executor(remote, kustomization="link.yaml").verify(OLD)
    with pytest.raises(DeployError, match="is not there"):
        executor(remote, kustomization="none.yaml").verify(OLD)


def test_git_that_hangs_is_killed_with_all_it_started(remote: Path, tmp_path: Path) -> None:
    """The remote's own hook sleeps: the push neither waits for ever nor stays behind."""
    hook = remote / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\nexec sleep 600\n")
    hook.chmod(0o755)
    made = executor(remote, timeout_s=3.0)
    with pytest.raises(DeployError, match="did not end in time and was killed"):
        deploy(made, change(NEW, OLD))
    hook.unlink()
    assert made.verify(OLD)
    deploy(made, change(NEW, OLD))
    assert made.verify(NEW)


def test_value_of_a_variable_is_in_no_message(remote: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DESK_LOGIN", "hunter2")
    hook = remote / "hooks" / "pre-receive"
    hook.write_text('#!/bin/sh\necho "bad login $DESK_LOGIN" >&2\nexit 1\n')
    hook.chmod(0o755)
    with pytest.raises(DeployError, match=r"bad login \$DESK_LOGIN"):
        deploy(executor(remote, env=("DESK_LOGIN",)), change(NEW, OLD))
    with pytest.raises(DeployError, match=r"bad login error"):
        deploy(executor(remote), change(NEW, OLD))


def test_what_the_remote_says_is_shown_on_one_line(remote: Path) -> None:
    hook = remote / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\nprintf 'no \\033[31mway\\n\\nask desk' >&2\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(
        DeployError, match=r"git push ended with 1: remote: no .\[31mway remote: remote: ask desk"
    ) as error:
        deploy(executor(remote), change(NEW, OLD))
    assert str(error.value).isprintable()
    assert not isinstance(error.value, LiveDiffers)


def test_promotion_and_rollback_through_the_ledger(
    remote: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Policy, ledger and repository agree; what somebody pushes in between is drift, and moves nothing."""
    place = laid_out(tmp_path / "project")
    monkeypatch.chdir(tmp_path / "project")
    settings = {"repository": "../remote.git", "branch": "deploy/staging"}
    place.deploy = {"executor": "git", "settings": settings, "env": ()}
    made = executor_for(place.site)
    assert made is not None
    with pytest.raises(PromotionRefused, match=r"DRIFT: .*no candidate is named"):
        place.enter()
    deploy(made, change(engine("1"), None))
    place.enter()
    assert made.verify(engine("2"))
    edited_by_somebody(remote, tmp_path, engine("2").digest, 64 * "0", "live.json", branch="deploy/staging")
    with pytest.raises(DeployError, match="Somebody else changed it"):
        place.roll_back()
    edited_by_somebody(remote, tmp_path, 64 * "0", engine("2").digest, "live.json", branch="deploy/staging")
    place.roll_back()
    assert made.verify(engine("1"))
    subjects = git(
        "log",
        "--format=%s|%(trailers:key=Requested-by,valueonly,separator=%x2C)",
        "deploy/staging",
        cwd=remote,
    )
    assert subjects.splitlines()[0] == "deploy(staging): engine 1.1.0|dan"


DIGESTS = st.one_of(st.none(), st.sampled_from(["sha256:" + 64 * "a", "sha256:" + 64 * "b"]))
LINES = st.sampled_from(
    [
        "- name: registry.example/engine",
        "- name: 'registry.example/engine'  # ours",
        "- {name: registry.example/engine, newTag: x}",
        "- newTag: x\n  name: registry.example/engine",
        "- name: registry.example/engine\n  newTag: 1.0\n",
        '- name: registry.example/engine\n  digest: "sha256:0"  # why',
        "- digest: sha256:0\n  name: registry.example/engine",
        "- {name: registry.example/engine, digest: sha256:0}",
    ]
)


@given(
    LINES,
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from(["", "# äöü\n"]),
    st.sampled_from(["", "\n", "\nresources: [a]\n"]),
    DIGESTS,
)
def test_an_edit_changes_the_digest_alone(entry: str, end: str, head: str, tail: str, wanted: Any) -> None:
    lines = entry.replace("\n", "\n  ")
    data = f"{head}images:\n  {lines}{tail}".replace("\n", end).encode()
    found = digests_in(data, {IMAGE: ""}, "x")
    try:
        edited = with_digests(data, {IMAGE: wanted}, "x")
    except DeployError:
        assert wanted is None, "only what was first in its entry cannot be taken away"
        assert "- digest" in entry
        return
    assert digests_in(edited, {IMAGE: ""}, "x") == {IMAGE: wanted}
    parsed, other = yaml.safe_load(data), yaml.safe_load(edited)
    for each in (*parsed["images"], *other["images"]):
        each.pop("digest", None)
    assert parsed == other
    if found[IMAGE] is None and wanted is not None:
        assert with_digests(edited, found, "x") == data


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no mapping"),
        ("images: [", "while parsing|expected"),
        ("images: {a: b}", "no list of mappings"),
        ("images: [a]", "no list of mappings"),
        ("a: 1\n---\nb: 1", "expected a single document"),
        ("x: &a [1]\nimages: *a", "it has aliases"),
        (f"images:\n- name: {IMAGE}\n- name: {IMAGE}\n", "is there twice"),
        (f"images:\n- name: {IMAGE}\n  digest: a\n  digest: b\n", "digest is there twice"),
        (f"images:\n- name: {IMAGE}\nimages:\n- name: {IMAGE}\n", "images is there twice"),
        (f"images:\n- name: {IMAGE}\n  digest: [a]\n", "digest is no text"),
        ("images:\n- name: other\n", "there is no image"),
        (f"images:\n- name: {IMAGE}\u2028  digest: x\n", "line ends or marks"),
        ("\xff", "no UTF-8"),
    ],
)
def test_kustomization_that_two_could_read_differently_is_refused(text: str, says: str) -> None:
    data = text.encode("latin-1") if text == "\xff" else text.encode()
    with pytest.raises(DeployError, match=says):
        digests_in(data, {IMAGE: ""}, "x")


ODD = st.text(alphabet="images:\n- nmedgt{}[]'\"#&*!|>", max_size=80).map(str.encode)


@given(st.binary(max_size=200) | ODD)
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for act in (digests_in, with_digests):
        try:
            act(data, {IMAGE: "sha256:x"}, "x")
        except DeployError:
            continue


def test_larger_files_are_not_read(remote: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repository_module, "LARGEST_BYTES", 10)
    with pytest.raises(DeployError, match="larger than 10 bytes"):
        executor(remote).verify(OLD)
