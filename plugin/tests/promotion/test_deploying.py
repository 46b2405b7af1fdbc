"""Promotions by a real program that keeps its environment in files, and everything that breaks."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from plugin.tests.promotion.deploying_place import PROGRAM, Place, laid_out, meanwhile
from plugin.tests.promotion.test_promote import candidate
from release_gates.errors import CandidateError, DeployError, PromotionRefused
from release_gates.model.event import DeploymentStarted, DeploymentUndone, Promoted


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return laid_out(tmp_path)


def test_each_step_is_in_the_ledger_before_and_after(place: Place) -> None:
    place.deploy = {"backup": (sys.executable, "-S", "-E", str(PROGRAM), str(place.folder))}
    event = place.enter()
    assert isinstance(event.fact, Promoted)
    assert place.is_live("2")
    assert place.asked() == [
        *("plan None", "verify None", "backup None", "apply copy", "apply switch", "verify None")
    ]
    steps = ("verify previous", "backup backup", "apply copy", "apply switch", "verify candidate")
    assert place.notes() == [f"{step} {stage}" for step in steps for stage in ("begun", "done")]


def test_deployment_says_what_it_changes_and_who_asked(place: Place) -> None:
    place.enter()
    [started] = [each.fact for each in place.ledger.events() if isinstance(each.fact, DeploymentStarted)]
    assert (started.candidate, started.previous) == (candidate("2"), candidate("1"))
    assert (started.run, started.by, started.executor) == ("run-2", "bob", "command")
    assert [step.name for step in started.steps] == ["copy", "switch"]


BROKEN = [
    ("apply copy", "deployment-undone", ["apply copy", "undo copy", "verify None"]),
    (
        "apply switch",
        "deployment-undone",
        ["apply copy", "apply switch", "undo switch", "undo copy", "verify None"],
    ),
]


@pytest.mark.parametrize(("broken", "slug", "asked"), BROKEN, ids=[row[0] for row in BROKEN])
def test_failed_step_is_taken_back(place: Place, broken: str, slug: str, asked: list[str]) -> None:
    place.breaks(broken)
    with pytest.raises(DeployError, match=f"{broken} is broken.*was taken back") as failed:
        place.enter()
    assert failed.value.slug == slug
    assert place.asked()[2:] == asked
    assert place.is_live("1")
    place.breaks()
    place.enter()  # the same promotion may be tried again
    assert place.is_live("2")


def test_candidate_that_is_not_read_back_is_taken_back(place: Place) -> None:
    place.breaks("switch is forgotten")
    with pytest.raises(DeployError, match=r"verify of candidate failed: staging runs .* and not"):
        place.enter()
    assert place.is_live("1")
    assert [type(each.fact) for each in place.ledger.events()][-1] is DeploymentUndone


@pytest.mark.parametrize("broken", ["undo switch", "undo copy", "verify after undo"])
def test_what_cannot_be_taken_back_stays_unfinished_until_somebody_mends_it(
    place: Place, broken: str
) -> None:
    place.breaks("apply switch", broken)
    with pytest.raises(DeployError, match=r"could not be taken back either.*UNFINISHED") as failed:
        place.enter()
    assert failed.value.slug == "deployment-not-undone"
    for act in (place.enter, lambda: place.enter("3")):
        with pytest.raises(
            PromotionRefused, match=r"bob began to deploy engine 1\.1\.0 .* that is unfinished"
        ):
            act()
    with pytest.raises(PromotionRefused, match="is being taken back"):
        place.resume()
    with pytest.raises(DeployError, match="UNFINISHED"):
        place.roll_back()
    place.breaks()
    assert isinstance(place.roll_back().fact, DeploymentUndone)
    assert place.is_live("1")


def test_drift_is_refused_before_anything_changes_and_adoption_ends_it(place: Place) -> None:
    place.install("3")
    with pytest.raises(
        PromotionRefused, match=r"DRIFT: .*staging runs .*, and not .*Nothing was changed"
    ) as drift:
        place.enter()
    assert drift.value.slug == "drift"
    assert not any(line.startswith("apply") for line in place.asked())
    with pytest.raises(PromotionRefused, match="that is not what runs there"):
        place.adopt("1")
    _, said = place.adopt("3")
    assert said.startswith("read back")
    assert place.is_live("3")
    with pytest.raises(PromotionRefused) as stale:
        place.enter()
    assert stale.value.slug == "baseline-changed"


def test_environment_that_cannot_be_read_is_no_drift_and_no_promotion(place: Place) -> None:
    place.breaks("verify None")
    with pytest.raises(PromotionRefused) as refused:
        place.enter()
    assert refused.value.slug == "deploy-command"
    assert "DRIFT" not in str(refused.value)
    place.breaks()
    assert place.is_live("1")


def test_failed_backup_changes_nothing(place: Place) -> None:
    place.deploy = {"backup": (sys.executable, "-c", "import sys; sys.exit('disk full')")}
    with pytest.raises(PromotionRefused, match=r"backup of backup failed.*disk full.*Nothing was changed"):
        place.enter()
    assert place.is_live("1")


def test_artifact_that_was_swapped_in_the_store_goes_nowhere(place: Place) -> None:
    stored = place.root / ".gates/artifacts" / candidate("2").artifacts[0].sha256
    stored.chmod(0o644)
    stored.write_text("evil")
    with pytest.raises(CandidateError, match="artifact-damaged"):
        place.enter()
    assert place.asked() == []
    assert place.is_live("1")


def test_artifact_that_is_swapped_while_it_is_deployed_is_taken_back(place: Place) -> None:
    stored = place.root / ".gates/artifacts" / candidate("2").artifacts[0].sha256
    swap = f"import os; os.chmod({str(stored)!r}, 0o644); open({str(stored)!r}, 'w').write('evil')"
    place.deploy = {"backup": (sys.executable, "-S", "-E", "-c", swap)}
    with pytest.raises(DeployError, match="is damaged"):
        place.enter()
    assert place.is_live("1")


def test_gate_that_fails_while_the_candidate_is_deployed_takes_it_back(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    meanwhile(monkeypatch, "apply switch", place.fails)
    with pytest.raises(DeployError, match=r"gate load failed for these digests.*was taken back"):
        place.enter()
    assert place.is_live("1")
