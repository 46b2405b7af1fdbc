"""The first deployment where something runs already: the executor's place says nothing, the ledger does."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from plugin.tests.promotion.deploying_place import LATER, Place, forked, killed
from plugin.tests.promotion.test_promote import RULES, candidate
from release_gates.errors import DeployError, LiveDiffers, PromotionRefused
from release_gates.ledger.deployments import live_candidate, unfinished
from release_gates.ledger.sqlite import SqliteLedger
from release_gates.ledger.stays import name_of
from release_gates.model.event import Adopted, DeploymentUndone, RolledBack
from release_gates.promotion.executors.protocol import Executor
from release_gates.promotion.executors.registry import executor_for
from release_gates.promotion.preview import preview
from release_gates.promotion.promote import asked


def before_the_first(root: Path, **deploy: object) -> Place:
    """Return a place in which the executor never deployed anything, and builds 1 and 2 are in the store."""
    place = Place(SqliteLedger.open(root / "ledger.db", create=True), root, deploy=deploy)
    for content in "12":
        place.keep(content)
    place.folder.mkdir()
    return place


def decided(place: Place) -> None:
    """Let build 2 have its PROMOTE."""
    place.start("run-2", content="2", at=LATER)
    place.finish("run-2", at=LATER, changes={"candidate": name_of(candidate("2"))})


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Return a place where build 1 runs outside of the executor, and build 2 has a PROMOTE against it."""
    forked(monkeypatch)
    place = before_the_first(tmp_path)
    place.adopt("1", outside=True)
    decided(place)
    return place


def git_place(root: Path) -> tuple[Place, Executor]:
    """Return a place whose executor keeps ``live.json`` in a repository that has no such file."""
    subprocess.run(["git", "init", "-q", "--bare", str(root / "remote.git")], check=True)
    settings = {"repository": f"file://{root}/remote.git", "branch": "deploy/staging"}
    place = before_the_first(root, executor="git", settings=settings)
    executor = executor_for(place.site)
    assert executor is not None
    return place, executor


def test_git_begins_where_no_file_says_anything_and_goes_back_to_what_ran(tmp_path: Path) -> None:
    place, executor = git_place(tmp_path)
    with pytest.raises(PromotionRefused, match=r"no candidate is named.*--outside"):
        place.adopt("1")
    event, said = place.adopt("1", outside=True)
    assert isinstance(event.fact, Adopted)
    assert (event.fact.outside, "says nothing" in said) == ("git", True)
    heads = subprocess.run(
        ["git", "for-each-ref"], cwd=tmp_path / "remote.git", check=True, capture_output=True
    )
    assert heads.stdout == b"", "an adoption moved something, without a verdict"
    decided(place)
    place.enter()
    assert executor.verify(candidate("2"))
    back = place.roll_back().fact
    assert isinstance(back, RolledBack)
    assert back.instead_of == candidate("2").digest
    assert executor.verify(candidate("1"))


def test_dry_run_compares_with_what_runs_and_reads_back_that_nothing_is_there(place: Place) -> None:
    entry, checked = asked(
        place.ledger,
        environment=place.environment,
        candidate=candidate("2"),
        rules=RULES,
        by="bob",
        now=LATER,
        root=place.root,
    )
    told = preview(tuple(place.ledger.events()), entry, checked, now=LATER)
    assert told.previous == candidate("1")
    assert (told.drift, "nothing" in told.read_back) == (False, True)
    assert told.artifacts == (("a", candidate("1").artifacts[0].sha256, candidate("2").artifacts[0].sha256),)


def test_only_the_first_one_begins_from_nothing(place: Place) -> None:
    """Whoever empties the place later has changed it: that is drift, and no second first day."""
    place.enter()
    assert place.is_live("2")
    (place.folder / "proxy").unlink()
    with pytest.raises(PromotionRefused, match=r"has deployed to staging before \(last by") as refused:
        place.adopt("1", outside=True)
    assert refused.value.slug == "not-outside"


def test_what_appears_meanwhile_is_drift(place: Place) -> None:
    for content in "123":
        place.install(content)
        with pytest.raises(PromotionRefused, match=r"DRIFT: .*Nothing was changed") as refused:
            place.enter()
        assert refused.value.slug == "drift"


def test_first_deployment_that_fails_leaves_nothing_there(place: Place) -> None:
    place.breaks("apply switch")
    with pytest.raises(DeployError, match="It was taken back; that nothing is there was read back"):
        place.enter()
    events = tuple(place.ledger.events())
    assert (live_candidate(events, "staging"), unfinished(events, "staging")) == (candidate("1"), None)
    place.breaks()
    place.enter()
    assert place.is_live("2")


@pytest.mark.parametrize("end", ["resume", "roll back", "outside"])
def test_first_deployment_that_was_killed_is_ended(place: Place, end: str) -> None:
    assert killed(place.enter, 11)
    assert (place.left().started.previous, bool(place.left().begun)) == (None, True)
    if end == "resume":
        place.resume()
        assert place.is_live("2")
    elif end == "roll back":
        assert isinstance(place.roll_back().fact, DeploymentUndone)
        place.enter()
        assert place.is_live("2")
    else:
        (place.folder / "proxy").unlink(missing_ok=True)
        place.adopt("1", outside=True)
        assert unfinished(tuple(place.ledger.events()), "staging") is None


def test_place_that_says_anything_is_not_outside(tmp_path: Path) -> None:
    place = before_the_first(tmp_path)
    place.install("3")
    with pytest.raises(PromotionRefused, match="whose place says something") as refused:
        place.adopt("1", outside=True)
    assert refused.value.slug == "drift"
    place.breaks("verify None")
    with pytest.raises(PromotionRefused, match="nobody can tell whether"):
        place.adopt("3", outside=True)
    place.deploy = {"executor": "record"}
    with pytest.raises(PromotionRefused, match="the executor of staging is 'record'") as refused:
        place.adopt("3", outside=True)
    assert refused.value.slug == "no-executor"
    assert not tuple(place.ledger.events())


def test_broken_file_in_the_repository_is_not_nothing(tmp_path: Path) -> None:
    """A branch that holds a file nobody understands says something: nobody knows what."""
    place, executor = git_place(tmp_path)
    work = tmp_path / "work"
    person = ("-c", "user.name=Tess", "-c", "user.email=t@example.org")
    subprocess.run(["git", "init", "-q", "-b", "deploy/staging", str(work)], check=True)
    (work / "live.json").write_text("")
    for words in (["add", "-A"], ["commit", "-qm", "x"], ["push", "-q", "../remote.git", "HEAD"]):
        subprocess.run(["git", *person, *words], cwd=work, check=True)
    with pytest.raises(LiveDiffers):
        executor.verify(None)
    with pytest.raises(PromotionRefused, match="whose place says something"):
        place.adopt("1", outside=True)
