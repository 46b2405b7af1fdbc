"""Killed at every step, twice at once, taken over, without a ledger: it ends in a state that is known."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from plugin.tests.promotion.deploying_place import (
    LATER,
    Place,
    forked,
    killed,
    laid_out,
    meanwhile,
    write_protected,
)
from plugin.tests.promotion.test_promote import candidate
from release_gates.errors import DeployError, LedgerError, PromotionRefused
from release_gates.ledger.deployments import unfinished
from release_gates.ledger.sqlite import SqliteLedger
from release_gates.ledger.stays import name_of
from release_gates.model.deployment import Step
from release_gates.model.event import DeploymentStarted
from release_gates.model.outcome import Outcome
from release_gates.promotion.at_work import at_work, note_command
from release_gates.promotion.deployment import DeploymentLost

MUCH_LATER = LATER + timedelta(minutes=5)
Act = Callable[[Place], object]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return laid_out(tmp_path / "place")


def interrupted(root: Path, act: Act, *, before: Act = bool, first: int = 1) -> list[Place]:
    """Return a place for each point at which ``act`` can be killed, where it was killed there.

    ``before`` prepares them; points before the ``first`` are left out.
    """
    ready = laid_out(root / "ready")
    before(ready)
    last = copied(ready, root / "last")
    points = killed(lambda: act(last))
    found = [copied(ready, root / str(point)) for point in range(first, points + 1)]
    for point, place in enumerate(found, first):
        assert killed(partial(act, place), point) == point - 1
    return found


def copied(place: Place, root: Path) -> Place:
    shutil.copytree(place.root, root)
    return Place(SqliteLedger.open(root / "ledger.db", create=False), root)


def is_unfinished(place: Place) -> bool:
    return unfinished(tuple(place.ledger.events()), "staging") is not None


def test_promotion_that_is_killed_anywhere_is_resumed_or_taken_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forked(monkeypatch)
    places = interrupted(tmp_path, Place.enter)
    assert len(places) == 15  # 10 events, and 5 calls of the program
    for place in places:
        other = copied(place, tmp_path / f"{place.root.name} taken back")
        if is_unfinished(place):
            place.resume()
            other.roll_back(at=MUCH_LATER)  # in another place nobody knows by a lock that it is gone
        else:
            assert place.is_live("1")
            place.enter()
        assert place.is_live("2"), place.root
        assert other.is_live("1"), other.root


def fails(place: Place) -> None:
    with pytest.raises(DeployError, match="was taken back"):
        place.enter()


def test_undoing_that_is_killed_anywhere_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forked(monkeypatch)
    for place in interrupted(tmp_path, fails, before=lambda place: place.breaks("apply switch"), first=13):
        assert is_unfinished(place)
        place.roll_back()
        assert place.is_live("1"), place.root


def test_rollback_that_is_killed_anywhere_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forked(monkeypatch)
    for place in interrupted(tmp_path, Place.roll_back, before=Place.enter):
        place.roll_back()
        assert place.is_live("1"), place.root


def interrupt(place: Place, point: int) -> Place:
    """Kill a promotion at a point of the 15."""
    killed(place.enter, point)
    return place


SWITCHING = 11
"""At this point both steps are begun, and the program was asked for the second."""


def test_interrupted_one_lets_nothing_else_move(place: Place) -> None:
    interrupt(place, SWITCHING)
    for act in (place.enter, lambda: place.enter("1"), place.first_release):
        with pytest.raises(
            PromotionRefused, match=r"bob began to deploy engine 1\.1\.0 .* in staging at "
        ) as no:
            act()
        assert no.value.slug == "deployment-unfinished"
        assert "promote --to staging --resume" in str(no.value)
    assert place.left().standing == "1 of 2 steps are applied; last: apply of switch begun"


def test_only_the_interrupted_candidate_is_resumed(place: Place) -> None:
    with pytest.raises(PromotionRefused, match="nothing is unfinished"):
        place.resume()
    interrupt(place, SWITCHING)
    with pytest.raises(PromotionRefused, match=r"unfinished in staging is engine .*, and candidate\.toml"):
        place.resume("3")
    place.deploy = {"executor": "git", "settings": {"repository": "r", "branch": "b"}}
    with pytest.raises(PromotionRefused, match="begun with executor command, and policy says git"):
        place.resume()


SINCE: list[tuple[str, Act]] = [
    ("gate load failed for these digests", Place.fails),
    ("was invalidated since: wrong host", Place.invalidate),
]


@pytest.mark.parametrize(("sentence", "happens"), SINCE, ids=["failed", "invalidated"])
def test_what_failed_since_is_taken_back_instead(place: Place, sentence: str, happens: Act) -> None:
    interrupt(place, SWITCHING)
    happens(place)
    with pytest.raises(DeployError, match=rf"{sentence}.*was taken back"):
        place.resume()
    assert place.is_live("1")


def forged(**changes: Any) -> DeploymentStarted:
    """Return the beginning of a deployment as somebody writes it who may write the ledger."""
    facts = {
        "deployment": "deploy-x",
        "purpose": "promotion",
        "environment": "staging",
        "candidate": candidate("2"),
        "previous": candidate("1"),
        "run": "run-2",
        "by": "eve",
        "reason": "",
        "executor": "command",
        "steps": (
            Step(name="copy", does="copies the artifacts"),
            Step(name="switch", does="points the proxy at them"),
        ),
        "place": "elsewhere",
    }
    return DeploymentStarted(**{**facts, **changes})


FORGED: list[tuple[str, Act, DeploymentStarted]] = [
    ("never-measured", lambda place: place.resume("3"), forged(candidate=candidate("3"), run="run-3")),
    ("verdict-is-hold", Place.resume, forged()),
    ("deployment-unsound", Place.roll_back, forged(previous=candidate("3"))),
    ("deployment-unsound", Place.roll_back, forged(previous=None)),
    (
        "deployment-unsound",
        Place.roll_back,
        forged(purpose="rollback", candidate=candidate("3"), previous=candidate("1")),
    ),
]


@pytest.mark.parametrize(
    ("slug", "act", "fact"), FORGED, ids=[f"{n} {row[0]}" for n, row in enumerate(FORGED)]
)
def test_deployment_that_was_begun_without_its_checks_brings_nothing_in(
    place: Place, slug: str, act: Act, fact: DeploymentStarted
) -> None:
    place.keep("3")
    for content in "01" if fact.purpose == "rollback" else "":
        place.install(content)
        place.adopt(content)
    if slug == "verdict-is-hold":
        place.start("run-2b", content="2", at=LATER)
        place.finish("run-2b", Outcome.INCONCLUSIVE, at=LATER, changes={"candidate": name_of(candidate("2"))})
    place.ledger.append(fact, at=LATER)
    with pytest.raises(PromotionRefused, match=slug):
        act(place)
    assert not any(line.startswith(("apply", "undo")) for line in place.asked())


def test_executor_that_plans_other_steps_now_does_not_go_on(place: Place) -> None:
    interrupt(place, SWITCHING)
    place.breaks("plan anew")
    with pytest.raises(PromotionRefused, match="plans other steps now than deployment deploy-"):
        place.resume()
    place.roll_back()
    assert place.is_live("1")


def test_backup_is_made_once_and_never_of_what_is_half_changed(place: Place) -> None:
    place.deploy = {"backup": place.environment.deploy.settings["run"]}
    interrupt(place, SWITCHING + 3)
    place.resume()
    assert place.asked().count("backup None") == 1
    assert place.is_live("2")


def test_whoever_lost_a_deployment_moves_nothing_more(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody elsewhere takes back what we are still at: the fence is the ledger."""
    meanwhile(monkeypatch, "apply copy", lambda: place.taken_over(at=MUCH_LATER))
    with pytest.raises(DeploymentLost, match="was taken over by dan; nothing further moves here"):
        place.enter()
    assert place.asked()[-1] == "apply copy"
    monkeypatch.undo()
    place.roll_back(at=MUCH_LATER)
    assert place.is_live("1")


def test_two_of_one_folder_are_told_of_each_other(place: Place) -> None:
    with at_work(place.site, by="eve"), pytest.raises(PromotionRefused, match=r"eve \(process \d+\)") as busy:
        place.enter()
    assert busy.value.slug == "deploying-now"
    place.enter()


def test_command_that_outlives_a_killed_promotion_is_waited_for(place: Place) -> None:
    with at_work(place.site, by="eve"):
        orphan = subprocess.Popen(["sleep", "60"])
        note_command(place.site, orphan.pid)
    try:
        with pytest.raises(PromotionRefused, match=rf"a command of eve that outlived .*process {orphan.pid}"):
            place.enter()
    finally:
        orphan.kill()
        orphan.wait()
    place.enter()


def test_command_that_takes_too_long_is_ended_with_its_children(place: Place) -> None:
    script = "sleep 60 & echo $! > child; wait"
    place.deploy = {"backup": ("sh", "-c", script), "timeout_s": 1.0}
    with pytest.raises(PromotionRefused, match="took longer than 1 s and was ended"):
        place.enter()
    child = Path(f"/proc/{(place.root / 'child').read_text().strip()}/stat")
    assert not child.exists() or child.read_text().rpartition(")")[2].split()[0] in "ZX"


def test_command_that_floods_is_ended(place: Place) -> None:
    place.deploy = {"backup": ("sh", "-c", "exec yes")}
    with pytest.raises(PromotionRefused, match="wrote more than 1 MiB"):
        place.enter()


def test_command_gets_the_variables_that_policy_names_and_the_ledger_never_their_values(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEPLOY_TOKEN", "hunter2-hunter2")
    monkeypatch.setenv("OTHER", "nobody's business")
    script = 'echo "${OTHER-unset} $DEPLOY_TOKEN \033[31m" >&2; exit 1'
    place.deploy = {"backup": ("sh", "-c", script), "env": ("DEPLOY_TOKEN",)}
    with pytest.raises(PromotionRefused, match=r"unset \$DEPLOY_TOKEN"):
        place.enter()
    assert "hunter2" not in str([event.fact for event in place.ledger.events()])


@pytest.mark.parametrize("last", range(10))
def test_ledger_that_takes_no_more_lets_nothing_further_move(
    place: Place, monkeypatch: pytest.MonkeyPatch, last: int
) -> None:
    """A promotion writes ten events; the ledger takes the first ``last`` of them."""
    with monkeypatch.context() as patch:
        write_protected(patch, after=last)
        with pytest.raises(LedgerError, match="ledger-read-only") as failed:
            place.enter()
    moved = [line for line in place.asked() if line.startswith(("apply", "undo"))]
    begun = [line for line in place.notes() if line.startswith("apply") and line.endswith("begun")]
    assert moved == [line.removesuffix(" begun") for line in begun]
    if last == 0:
        assert place.is_live("1")
        return
    assert "stays unfinished, and nothing further moves" in str(failed.value)
    place.resume()
    assert place.is_live("2")


def test_ledger_that_vanishes_lets_nothing_further_move(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger, away = place.root / "ledger.db", place.root / "away.db"
    meanwhile(monkeypatch, "apply copy", lambda: ledger.rename(away))
    with pytest.raises(LedgerError, match="ledger-unreadable"):
        place.enter()
    assert place.asked()[-1] == "apply copy"
    away.rename(ledger)
    place.roll_back()
    assert place.is_live("1")
