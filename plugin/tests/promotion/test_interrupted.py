"""Killed at every step, twice at once, taken over, without a ledger: it ends in a state that is known."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from plugin.tests.promotion.deploying_place import LATER, Place, killed, laid_out
from release_gates.errors import DeployError
from release_gates.ledger.deployments import unfinished
from release_gates.ledger.sqlite import SqliteLedger

MUCH_LATER = LATER + timedelta(minutes=5)
Act = Callable[[Place], object]


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


def test_promotion_that_is_killed_anywhere_is_resumed_or_taken_back(tmp_path: Path) -> None:
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


def test_undoing_that_is_killed_anywhere_is_ended(tmp_path: Path) -> None:
    for place in interrupted(tmp_path, fails, before=lambda place: place.breaks("apply switch"), first=13):
        assert is_unfinished(place)
        place.roll_back()
        assert place.is_live("1"), place.root


def test_rollback_that_is_killed_anywhere_goes_on(tmp_path: Path) -> None:
    for place in interrupted(tmp_path, Place.roll_back, before=Place.enter):
        place.roll_back()
        assert place.is_live("1"), place.root
