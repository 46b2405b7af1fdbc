"""Back to what was live before: by digest, read back, timed, and never back from a rollback."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from plugin.tests.promotion.deploying_place import LATER, Place, laid_out
from plugin.tests.promotion.test_promote import candidate
from release_gates.errors import CandidateError, DeployError, PromotionRefused
from release_gates.ledger.deployments import unfinished
from release_gates.model.event import RolledBack


@pytest.fixture
def place(tmp_path: Path) -> Place:
    place = laid_out(tmp_path)
    place.enter()
    return place


def test_what_was_live_before_is_live_again_and_timed(place: Place) -> None:
    moments = iter(LATER + timedelta(seconds=second) for second in range(100))
    place.deploy = {"rollback_within_s": 60.0}
    fact = place.roll_back(clock=lambda: next(moments)).fact
    assert isinstance(fact, RolledBack)
    assert (fact.candidate, fact.instead_of) == (candidate("1"), candidate("2").digest)
    assert (fact.by, fact.reason, fact.within_s) == ("dan", "orders were lost", 60.0)
    assert (
        fact.took_s == 8.0
    )  # a second for each look at the clock: two for each of three steps, one to begin
    assert place.is_live("1")
    assert place.asked()[-4:] == ["plan None", "apply copy", "apply switch", "verify None"]


def test_candidate_that_was_rolled_back_does_not_come_back_on_its_old_verdict(place: Place) -> None:
    place.roll_back()
    with pytest.raises(PromotionRefused, match="what is live in staging changed") as refused:
        place.enter()
    assert refused.value.slug == "baseline-changed"
    assert place.is_live("1")


def test_rollback_is_never_rolled_back(place: Place) -> None:
    place.roll_back()
    with pytest.raises(PromotionRefused, match=r"by a rollback of dan \(orders were lost\)") as refused:
        place.roll_back()
    assert refused.value.slug == "rollback-of-rollback"
    place.adopt("1")  # says what is so already, and opens no way around
    with pytest.raises(PromotionRefused, match="rollback-of-rollback"):
        place.roll_back()


def test_first_release_has_nothing_before_it(tmp_path: Path) -> None:
    place = laid_out(tmp_path)
    for _ in range(2):
        with pytest.raises(
            PromotionRefused, match="is the first that the ledger knows in staging"
        ) as refused:
            place.roll_back()
        assert refused.value.slug == "nothing-to-roll-back-to"
        place.adopt("1")


def test_what_was_adopted_can_be_rolled_back_from_and_to(place: Place) -> None:
    place.install("3")
    place.adopt("3")
    place.roll_back()
    assert place.is_live("2")


def test_drift_does_not_hold_a_rollback_up(place: Place) -> None:
    place.install("3")
    place.roll_back()
    assert place.is_live("1")


def test_it_needs_a_reason_a_name_and_nothing_else(place: Place) -> None:
    for reason, by in (("  ", "dan"), ("why", " ")):
        with pytest.raises(PromotionRefused):
            place.roll_back(reason, by=by)
    place.invalidate()
    place.roll_back()  # no verdict stands, and no window is asked
    assert place.is_live("1")


def test_artifact_that_is_damaged_in_the_store_is_not_rolled_back_to(place: Place) -> None:
    stored = place.root / ".gates/artifacts" / candidate("1").artifacts[0].sha256
    stored.chmod(0o644)
    stored.write_text("evil")
    with pytest.raises(CandidateError, match="artifact-damaged"):
        place.roll_back()
    assert place.is_live("2")
    stored.unlink()
    with pytest.raises(CandidateError, match="artifact-absent"):
        place.roll_back()


def test_rollback_that_fails_stays_unfinished_and_goes_on(place: Place) -> None:
    place.breaks("apply switch")
    with pytest.raises(
        DeployError, match=r"the rollback of staging to engine .* did not end.*UNFINISHED"
    ) as failed:
        place.roll_back()
    assert failed.value.slug == "rollback-unfinished"
    assert not any(line.startswith("undo") for line in place.asked())
    with pytest.raises(
        PromotionRefused, match=r"dan began to roll back to .*: `release-gates rollback staging`"
    ):
        place.enter()
    with pytest.raises(PromotionRefused, match="is a rollback"):
        place.resume()
    place.breaks()
    place.roll_back()
    assert place.is_live("1")


def test_adoption_ends_what_nobody_can_take_back(place: Place) -> None:
    place.breaks("apply switch")
    with pytest.raises(DeployError, match="UNFINISHED"):
        place.roll_back()
    place.install("3")
    place.adopt("3")
    assert unfinished(tuple(place.ledger.events()), "staging") is None
    assert place.is_live("3")


def test_without_an_executor_the_ledger_alone_is_rolled_back(tmp_path: Path) -> None:
    place = laid_out(tmp_path)
    place.deploy = {"executor": "record", "settings": {}}
    place.enter()
    fact = place.roll_back().fact
    assert isinstance(fact, RolledBack)
    assert (fact.candidate, fact.took_s) == (candidate("1"), None)
    with pytest.raises(PromotionRefused, match="rollback-of-rollback"):
        place.roll_back()
    assert place.asked() == []
