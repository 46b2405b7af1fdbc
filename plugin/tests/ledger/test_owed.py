"""What a shorter route leaves open: paid by the normal route alone, and lost by nothing that is only said."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import msgspec
import pytest
from msgspec import UNSET

from plugin.tests.promotion.test_soak import (
    ENTRY,
    NOW,
    ONE,
    OTHER,
    adopted,
    build,
    finished,
    promoted,
    started,
    told,
)
from release_gates.errors import PromotionRefused
from release_gates.ledger.owed import compared_with, owed
from release_gates.model.candidate import ReleaseCandidate
from release_gates.model.event import Event, Fact, FirstRelease, RolledBack
from release_gates.model.gate import Mode
from release_gates.promotion.routes import check_nothing_owed

HOTFIX = msgspec.structs.replace(promoted(run="r1"), route="hotfix", full_within_s=24 * 3600.0)
BACK = RolledBack(environment="staging", candidate=ONE, instead_of=OTHER.digest, by="bob", reason="bad")
ENTERED: tuple[tuple[float, Fact], ...] = (
    (90, adopted(OTHER)),
    (52, started("r1", route="hotfix")),
    (51, finished("r1", route="hotfix", local=False)),
    (50, HOTFIX),
)


def again(ago: float, **changes: object) -> Sequence[tuple[float, Fact]]:
    route = changes.get("route", UNSET)
    return ((ago + 1, started("r2", route=route)), (ago, finished("r2", **{"local": False, **changes})))


def due_ago(events: Sequence[Event]) -> float | None:
    """Return for how many hours something is overdue (less than 0: due yet); None where nothing is owed."""
    debt = owed(events, "staging")
    return None if debt is None else (NOW - debt.due) / timedelta(hours=1)


@pytest.mark.parametrize(
    ("since", "hours"),
    [
        ((), 26),
        ([(3, adopted())], 26),
        ([(20, promoted(OTHER)), (3, adopted())], 26),
        ([(20, promoted(OTHER)), (3, BACK)], -21),
        ([(20, promoted(OTHER)), (19, BACK), (3, adopted())], -5),
        ([(20, promoted(OTHER))], None),
        ([(20, FirstRelease(environment="staging", by="b", reason="r"))], None),
        ([(20, promoted(OTHER)), (19, promoted())], None),
        (again(30), None),
        ([*again(30), (3, adopted())], None),
        (again(30, route="hotfix"), 26),
        (again(30, local=True), 26),
        (again(30, local=True, elsewhere="/weak"), 26),
        (again(30, mode="observe"), 26),
    ],
)
def test_what_is_owed_for_what_is_live(since: Sequence[tuple[float, Fact]], hours: float | None) -> None:
    assert due_ago(told(*ENTERED, *since)) == hours


def test_a_local_verdict_pays_where_one_let_it_in() -> None:
    facts = list(ENTERED)
    facts[2] = (51, finished("r1", route="hotfix", local=True))
    assert due_ago(told(*facts, *again(30, local=True))) is None


def test_what_was_adopted_once_more_is_not_measured_beside_itself() -> None:
    live = compared_with(told(*ENTERED, (3, adopted())), "staging", ONE.digest)
    assert live is not None
    assert live.candidate == OTHER


def test_an_entry_that_is_only_observed_is_held_by_nothing() -> None:
    events, entry = told(*ENTERED), msgspec.structs.replace(ENTRY, name="staging")
    with pytest.raises(PromotionRefused) as refused:
        check_nothing_owed(events, entry, now=NOW)
    assert refused.value.slug == "full-route-overdue"
    check_nothing_owed(events, msgspec.structs.replace(entry, mode=Mode.OBSERVE), now=NOW)


NEXT = msgspec.structs.replace(promoted(OTHER, run="r9"), route="hotfix", full_within_s=24 * 3600.0)


@pytest.mark.parametrize(
    ("since", "hours"),
    [
        ([(30, NEXT)], 26),
        ([(30, NEXT), (3, HOTFIX)], 26),
        ([(30, NEXT), (20, adopted(OTHER))], 26),
        ([(30, promoted(OTHER)), (20, HOTFIX)], -4),
        ([(30, NEXT), (20, BACK)], -4),
        ([*again(31), (30, NEXT)], 6),
        ([(30, NEXT), *again(29)], 6),
    ],
)
def test_shorter_routes_that_take_turns_put_nothing_off(
    since: Sequence[tuple[float, Fact]], hours: float
) -> None:
    assert due_ago(told(*ENTERED, *since)) == hours


@pytest.mark.parametrize(
    ("facts", "beside"),
    [
        (ENTERED, OTHER),
        ((*ENTERED, *again(30)), ONE),
        (ENTERED[1:], ONE),
        (((90, FirstRelease(environment="staging", by="b", reason="new")), *ENTERED[1:]), ONE),
    ],
)
def test_nobody_is_measured_beside_what_nobody_measured(
    facts: Sequence[tuple[float, Fact]], beside: ReleaseCandidate
) -> None:
    live = compared_with(told(*facts), "staging", build("3").digest)
    assert live is not None
    assert live.candidate == beside


def test_a_chain_of_shorter_routes_is_measured_beside_what_was_proven_last() -> None:
    base = build("0")
    facts = ((95.0, adopted(base)), *ENTERED[1:], (30.0, NEXT))
    for candidate in (OTHER, build("3")):
        live = compared_with(told(*facts), "staging", candidate.digest)
        assert live is not None
        assert live.candidate == base
