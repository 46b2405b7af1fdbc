"""Deciding on a route: less is asked, nothing that failed is forgotten, and evidence is of one route."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET

from plugin.tests.judge.test_waivers import (
    BAD,
    ENVIRONMENT,
    EXPECTED,
    NOTHING,
    NOW,
    PRINT,
    evidence,
    for_test,
    measured,
    record,
    waiver,
)
from release_gates.judge.decide import decide
from release_gates.model.event import History, PriorFailure
from release_gates.model.evidence import TestRecord
from release_gates.model.outcome import Outcome
from release_gates.model.route import BREAK_GLASS, NORMAL, Route
from release_gates.model.verdict import Verdict
from release_gates.model.waiver import Waiver
from release_gates.policy.routes import on_route

ENTRY = msgspec.structs.replace(
    ENVIRONMENT,
    routes=(
        Route(name="hotfix", gates=("smoke",), full_within_s=1.0),
        Route(name="slow", gates=("load",), full_within_s=1.0),
        Route(name=BREAK_GLASS, gates=("smoke",), full_within_s=1.0, any_time=True),
    ),
)
ROUTES = ("hotfix", "slow", BREAK_GLASS)


def on(
    route: str,
    *tests: TestRecord,
    measured_for: str | None = None,
    history: History = NOTHING,
    waivers: tuple[Waiver, ...] = (),
) -> Verdict:
    made_for = route if measured_for is None else measured_for
    part = evidence(tests)
    header = msgspec.structs.replace(part.header, route=UNSET if made_for == NORMAL else made_for)
    return decide(
        on_route(ENTRY, route),
        rules="rules",
        expected=EXPECTED,
        evidence=[msgspec.structs.replace(part, header=header)],
        history=history,
        now=NOW,
        local=True,
        run="r1",
        waivers=waivers,
    )


SMOKE = (record("t::a"), record("t::b"))
LOAD = record("t::load", measurements=measured())


def failed(gate: str) -> History:
    return History(failures=(PriorFailure(run="r0", gate=gate, test="t", because="broken"),))


@pytest.mark.parametrize("route", ["hotfix", BREAK_GLASS])
def test_a_route_asks_for_less_and_says_so(route: str) -> None:
    found = on(route, *SMOKE)
    assert found.promotes, found.reasons
    assert (found.route, found.left_out) == (route, ("load",))
    assert found.unproven == f"left unproven on route {route}: load"
    assert not on(NORMAL, *SMOKE).promotes


@pytest.mark.parametrize("waived", [for_test(), for_test(fingerprint=PRINT, test="t::a")])
def test_no_waiver_counts_in_an_emergency(waived: Waiver) -> None:
    tests = (BAD, record("t::b"))
    assert on("hotfix", *tests, waivers=(waived,)).promotes
    emergency = on(BREAK_GLASS, *tests, waivers=(waived,))
    assert (emergency.promotes, emergency.kind, emergency.waivers) == (False, "broken", UNSET)


def test_a_failure_of_what_a_route_leaves_out_holds_all_but_an_emergency() -> None:
    assert on("hotfix", *SMOKE, history=failed("load")).kind == "broken"
    assert not on("hotfix", *SMOKE, history=failed("load"), waivers=(waiver(),)).promotes
    assert on(BREAK_GLASS, *SMOKE, history=failed("load")).promotes
    assert on(BREAK_GLASS, *SMOKE, history=failed("smoke")).kind == "broken"


@pytest.mark.parametrize("route", [NORMAL, *ROUTES])
@pytest.mark.parametrize("measured_for", [NORMAL, *ROUTES])
def test_evidence_is_of_one_route(route: str, measured_for: str) -> None:
    assert on(route, *SMOKE, LOAD, measured_for=measured_for).promotes is (route == measured_for)


@settings(max_examples=60)
@given(
    st.sampled_from(ROUTES),
    st.lists(st.sampled_from(list(Outcome)), min_size=3, max_size=3),
    st.sampled_from([NOTHING, failed("load"), failed("smoke")]),
)
def test_no_route_promotes_what_its_own_gates_forbid_on_the_normal_one(
    route: str, outcomes: list[Outcome], history: History
) -> None:
    a, b, load = outcomes
    tests = (record("t::a", a), record("t::b", b), record("t::load", load, measurements=measured()))
    normal, found = on(NORMAL, *tests, history=history), on(route, *tests, history=history)
    asked = {gate.name for gate in on_route(ENTRY, route).gates}
    held = {gate.name for gate in normal.gates if not gate.outcome.promotes}
    assert not (found.promotes and held & asked)
    if normal.promotes:
        assert found.promotes
