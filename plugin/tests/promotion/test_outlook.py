"""Forecasts by tables: no gate fits that nobody measured, and nothing fits that is held anyway."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from release_gates.cli.planning import moment, plan_lines
from release_gates.ledger.durations import Longest
from release_gates.model.approval import AskedRole
from release_gates.model.candidate import Artifact, ReleaseCandidate
from release_gates.model.deployment import DeployPolicy
from release_gates.model.event import (
    Adopted,
    DeploymentStarted,
    Event,
    Fact,
    GateFailed,
    Promoted,
    RolledBack,
    RunStarted,
)
from release_gates.model.gate import EnvironmentPolicy, GateSpec
from release_gates.model.route import Route
from release_gates.model.timetable import Freeze, Soak, Window
from release_gates.policy.routes import on_route
from release_gates.promotion.gate_times import gate_times
from release_gates.promotion.outlook import Asked, Outlook, outlook

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
NEW_YORK = ZoneInfo("America/New_York")
ROUTE = Route(name="hotfix", gates=("smoke", "load"), full_within_s=86400.0)
ENTRY = EnvironmentPolicy(
    name="production",
    gates=(
        GateSpec(name="load", owner="x", exclusive=True),
        GateSpec(name="smoke", owner="x"),
        GateSpec(name="bench", owner="x", exclusive=True),
    ),
    routes=(ROUTE,),
)
EXPECTED = {"smoke": ("s1", "s2"), "load": ("l",), "bench": ("b",)}
TAKEN = {"s1": 20.0, "s2": 10.0, "l": 60.0, "b": 300.0}


def build(content: str) -> ReleaseCandidate:
    artifact = Artifact(name="a", sha256=content * 64)
    return ReleaseCandidate(
        name="engine", version=content, commit="c", artifacts=(artifact,), authors=("Dan <dan@example.org>",)
    )


ONE, TWO, MINE = build("1"), build("2"), build("3")


def known(tests: Mapping[str, float] = TAKEN, *, beside_s: float | None = 2.0) -> Longest:
    of = {gate: 3 for gate, each in EXPECTED.items() if set(each) & set(tests)}
    return Longest(tests=dict(tests), gates=of, beside_s=beside_s)


def told(facts: list[Fact], entry: EnvironmentPolicy = ENTRY, *, minutes: float = 60) -> Outlook:
    ago = len(facts)
    events = [
        Event(seq=seq, at=NOW - timedelta(hours=ago - seq + 1), prev="0" * 64, fact=fact)
        for seq, fact in enumerate(facts, start=1)
    ]
    by = NOW + timedelta(minutes=minutes)
    asked = Asked(
        environment=entry,
        candidate=MINE,
        rules="r",
        expected=EXPECTED,
        root=Path("/nowhere"),
        local=False,
        now=NOW,
        by=by,
        zone="UTC",
    )
    return outlook(events, asked)


def adopted(of: ReleaseCandidate = ONE, place: str = "production") -> Adopted:
    return Adopted(environment=place, candidate=of, by="ann", reason="it runs there")


def times(
    entry: EnvironmentPolicy = ENTRY, longest: Longest | None = None, *, workers: int = 1
) -> list[object]:
    found = gate_times(
        entry,
        EXPECTED,
        longest or known(),
        begins=NOW,
        by=NOW + timedelta(seconds=100),
        workers=workers,
    )
    return [
        (each.gate, each.alone, each.fits, each.ends and (each.ends - NOW).total_seconds()) for each in found
    ]


def test_gates_that_share_come_first_and_each_exclusive_one_is_alone() -> None:
    assert times() == [("smoke", False, True, 32), ("load", True, True, 92), ("bench", True, False, 392)]


def test_workers_share_what_may_be_shared_and_nothing_else() -> None:
    assert times(workers=2) == [
        ("smoke", False, True, 2 + 30 / 2 + 20 / 2),
        ("load", True, True, 2 + 25 + 60),
        ("bench", True, False, 2 + 25 + 60 + 300),
    ]


@pytest.mark.parametrize(
    ("longest", "fits"),
    [
        (known({**TAKEN, "l": 70.0}), [True, False, False]),
        (known({name: took for name, took in TAKEN.items() if name != "l"}), [True, None, False]),
        (known({"s1": 1.0, "l": 1.0, "b": 1.0}), [None, None, None]),
        (known({"s1": 1.0, "l": 500.0, "b": 1.0}), [None, False, False]),
        (known({}), [None, None, None]),
        (known({}, beside_s=None), [None, None, None]),
        (known(beside_s=None), [None, None, False]),
        (known(beside_s=99.0), [False, False, False]),
    ],
)
def test_what_nobody_measured_never_fits(longest: Longest, fits: list[object]) -> None:
    found = gate_times(ENTRY, EXPECTED, longest, begins=NOW, by=NOW + timedelta(seconds=100), workers=1)
    assert [each.fits for each in found] == fits
    assert all((each.fits is True) <= (each.ends is not None and not each.unknown) for each in found)


def test_a_gate_without_expected_tests_is_unknown() -> None:
    found = gate_times(ENTRY, {}, known(), begins=NOW, by=NOW + timedelta(days=9), workers=1)
    assert [each.fits for each in found] == [None, None, None]


@given(
    st.lists(st.floats(0, 1e5), min_size=1, max_size=9),
    st.integers(1, 8),
    st.floats(0, 1e5),
)
def test_more_workers_never_end_later_nor_before_the_longest(
    durations: list[float], workers: int, beside_s: float
) -> None:
    names = tuple(f"t{number}" for number in range(len(durations)))
    entry = replace(ENTRY, gates=(GateSpec(name="smoke", owner="x"),))
    longest = Longest(tests=dict(zip(names, durations, strict=True)), gates={"smoke": 1}, beside_s=beside_s)

    def ends(number: int) -> float:
        by = NOW + timedelta(days=99)
        (found,) = gate_times(entry, {"smoke": names}, longest, begins=NOW, by=by, workers=number)
        assert found.ends is not None
        return (found.ends - NOW).total_seconds()

    assert ends(workers) <= ends(1) + 1e-3
    assert ends(workers) >= max(durations) + beside_s - 1e-3
    assert ends(workers) >= sum(durations) / workers + beside_s - 1e-3


HOTFIX = on_route(ENTRY, "hotfix")
ALWAYS = Window(zone="UTC")
OBSTACLES = {
    "an unfinished deployment": (
        [
            adopted(),
            DeploymentStarted(
                deployment="d",
                purpose="promotion",
                environment="production",
                candidate=TWO,
                previous=ONE,
                run="r",
                by="eve",
                reason="",
                executor="command",
                steps=(),
                place="p",
            ),
        ],
        HOTFIX,
        "a deployment of engine 2",
    ),
    "overdue": (
        [
            Promoted(
                environment="production", candidate=TWO, run="r", by="a", route="hotfix", full_within_s=1.0
            )
        ],
        HOTFIX,
        "was due by",
    ),
    "soak": ([], replace(HOTFIX, soak=Soak(environment="staging", for_s=3600)), "is not live in staging"),
    "a window that is over": (
        [],
        replace(HOTFIX, windows=(replace(ALWAYS, begins_min=600, ends_min=660),)),
        "production is closed then: it is Fri 12:00 in UTC",
    ),
    "a freeze": (
        [],
        replace(
            HOTFIX,
            freezes=(
                Freeze(
                    name="year_end",
                    zone="UTC",
                    begins=NOW - timedelta(days=1),
                    ends=NOW + timedelta(days=9),
                    reason="closing",
                    environments=("production",),
                ),
            ),
        ),
        "by year_end: closing",
    ),
    "a failure of a gate": (
        [
            GateFailed(
                run="r",
                environment="production",
                candidate=MINE.digest,
                gate="smoke",
                test="t",
                because="down",
            )
        ],
        HOTFIX,
        "gate smoke failed for these digests in run r: down",
    ),
    "a failure of a gate that is left out": (
        [
            GateFailed(
                run="r",
                environment="production",
                candidate=MINE.digest,
                gate="bench",
                test="t",
                because="slow",
            )
        ],
        HOTFIX,
        "gate bench failed",
    ),
    "attempts": (
        [
            RunStarted(
                run=f"r{number}", environment="production", candidate=MINE, rules="r", actor="a", evidence=()
            )
            for number in range(3)
        ],
        HOTFIX,
        "all 3 attempts of these digests are used up",
    ),
    "it is live": ([adopted(MINE)], HOTFIX, "it is live in production already"),
}


@pytest.mark.parametrize("case", OBSTACLES)
def test_what_is_held_anyway_never_fits(case: str) -> None:
    facts, entry, says = OBSTACLES[case]
    found = told(facts, entry)  # type: ignore[arg-type]
    assert found.fits is False
    assert says in " ".join(found.obstacles)
    assert says in " ".join(" ".join(plan_lines(found, 80)).split())


def test_authors_that_nobody_knows_may_be_those_who_approve() -> None:
    entry = replace(HOTFIX, approvals=(AskedRole(name="risk", least=1, persons=("Eve <eve@example.org>",)),))
    found = told([adopted()], entry)
    assert (found.fits, found.approvals) == (None, ("1 of risk: Eve <eve@example.org>",))


def test_a_window_that_opens_in_time_is_no_obstacle() -> None:
    later = replace(ALWAYS, begins_min=12 * 60 + 30, ends_min=14 * 60)
    found = told([adopted()], replace(HOTFIX, windows=(later,)))
    assert found.obstacles == ()
    assert found.window.startswith("closed: it is Fri 12:00")
    assert told([adopted()], replace(HOTFIX, windows=(later,)), minutes=20).fits is False


def test_what_an_executor_never_carried_is_unknown() -> None:
    found = told([adopted()], replace(HOTFIX, gates=(), deploy=DeployPolicy(executor="command")))
    assert (found.deploy_s, found.ready, found.fits) == (None, None, None)


def test_rollback_is_offered_only_where_its_artifacts_are() -> None:
    way = told([adopted(), adopted(TWO)]).way_back
    assert (way.to.startswith("engine 1"), way.fits, way.why_not) == (True, True, "")
    lost = replace(ONE, artifacts=(replace(ONE.artifacts[0], path="a"),))
    way = told([adopted(lost), adopted(TWO)]).way_back
    assert (way.fits, "is not in the artifact store" in way.why_not) == (False, True), way.why_not
    way = told([]).way_back
    assert (way.fits, "nothing is known to be live" in way.why_not) == (False, True)


@pytest.mark.parametrize(("minutes", "fits"), [(2, True), (1, False)])
def test_a_rollback_fits_by_the_longest_that_one_took(minutes: float, fits: bool) -> None:
    took = [
        RolledBack(
            environment="production", candidate=ONE, instead_of=TWO.digest, by="a", reason="r", took_s=took_s
        )
        for took_s in (90.0, 3.0)
    ]
    facts: list[Fact] = [adopted(), adopted(TWO), took[0], adopted(TWO), took[1], adopted(TWO)]
    way = told(facts, minutes=minutes).way_back
    assert (way.took_s, way.fits) == ((90.0, 3.0), fits)


def test_a_rollback_that_nobody_timed_is_unknown_where_somebody_carries_it() -> None:
    entry = replace(ENTRY, deploy=DeployPolicy(executor="command"))
    assert told([adopted(), adopted(TWO)], entry).way_back.fits is None


@pytest.mark.parametrize(
    ("text", "zone", "means"),
    [
        ("12:01", UTC, NOW + timedelta(minutes=1)),
        ("12:00", UTC, NOW + timedelta(days=1)),
        ("9:28", UTC, datetime(2026, 11, 21, 9, 28, tzinfo=UTC)),
        ("09:28", NEW_YORK, datetime(2026, 11, 20, 14, 28, tzinfo=UTC)),
        ("2026-11-22T09:28", NEW_YORK, datetime(2026, 11, 22, 14, 28, tzinfo=UTC)),
        ("2026-11-22 09:28", UTC, datetime(2026, 11, 22, 9, 28, tzinfo=UTC)),
        ("2026-11-22T09:28+01:00", NEW_YORK, datetime(2026, 11, 22, 8, 28, tzinfo=UTC)),
        ("2027-11-07T01:30", NEW_YORK, datetime(2027, 11, 7, 5, 30, tzinfo=UTC)),
        ("2027-03-14T02:30", NEW_YORK, datetime(2027, 3, 14, 6, 30, tzinfo=UTC)),
    ],
)
def test_a_time_is_of_the_zone_of_the_windows(text: str, zone: ZoneInfo, means: datetime) -> None:
    assert moment(text, zone, NOW) == means


@pytest.mark.parametrize(
    "text",
    ["", "soon", "25:00", "09:61", "2026-11-20T11:59", "2026-02-30T10:00", "0001-01-01T00:00", "9" * 99],
)
def test_what_is_no_time_to_come_is_refused(text: str) -> None:
    with pytest.raises(click.UsageError):
        moment(text, UTC, NOW)


@given(st.text(max_size=30))
def test_any_text_is_a_time_to_come_or_refused(text: str) -> None:
    with suppress(click.UsageError):
        assert moment(text, NEW_YORK, NOW) > NOW
