"""Windows at promotion: real calendars on real days, what cannot be known, and a real project."""

from __future__ import annotations

import sys
import zoneinfo
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from release_gates.errors import ProbeUnavailable, PromotionRefused
from release_gates.judge.sessions import beside
from release_gates.judge.spans import at
from release_gates.model.gate import EnvironmentPolicy, GateSpec
from release_gates.model.timetable import WEEKDAYS, Sessions, Window
from release_gates.promotion.sessions import calendar_of
from release_gates.promotion.windows import check_window, standing_of, window_remark, window_sentence
from release_gates.testing import GateProject

HOUR = timedelta(hours=1)
NEVER = '{ calendars = ["24/7"], when = "outside" }'


def production(*windows: Window) -> EnvironmentPolicy:
    return EnvironmentPolicy(
        name="production", gates=(GateSpec(name="smoke", owner="x"),), windows=tuple(windows)
    )


def around(when: str, *calendars: str, margin_min: int = 0, session_days: bool = False) -> EnvironmentPolicy:
    rule = Sessions(
        calendars=calendars,
        when="inside" if when == "inside" else "outside",
        margin_s=margin_min * 60.0,
        session_days=session_days,
    )
    return production(Window(zone="America/New_York", sessions=rule))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


# Published by the exchanges: early closes of 2026, the days of mourning of 2018 and 2025, lunch in Tokyo.
REAL = [
    ("the day before a half day", around("outside", "XNYS", margin_min=30), "2026-11-25T18:30", False),
    ("a half day, within the margin", around("outside", "XNYS", margin_min=30), "2026-11-27T18:29", False),
    ("a half day, after it", around("outside", "XNYS", margin_min=30), "2026-11-27T18:30", True),
    ("a half day, inside no longer", around("inside", "XNYS"), "2026-11-27T18:00", False),
    ("Thanksgiving", around("outside", "XNYS"), "2026-11-26T16:00", True),
    (
        "Thanksgiving is no session day",
        around("outside", "XNYS", session_days=True),
        "2026-11-26T16:00",
        False,
    ),
    ("closed for a day of mourning", around("outside", "XNYS"), "2018-12-05T16:00", True),
    ("the day before it", around("outside", "XNYS"), "2018-12-04T16:00", False),
    ("no session, so not inside", around("inside", "XNYS"), "2018-12-05T16:00", False),
    ("the next day of mourning", around("inside", "XNAS"), "2025-01-09T16:00", False),
    ("and the day after", around("inside", "XNAS"), "2025-01-10T16:00", True),
    ("London's Christmas Eve", around("outside", "XLON"), "2026-12-24T12:29", False),
    ("London's Christmas Eve, after 12:30", around("outside", "XLON"), "2026-12-24T12:30", True),
    ("London in summer", around("outside", "XLON"), "2026-07-01T07:00", False),
    ("lunch in Tokyo is no end of the session", around("outside", "XTKS"), "2026-11-24T03:00", False),
    ("lunch in Tokyo is not inside either", around("inside", "XTKS"), "2026-11-24T03:00", False),
    ("after lunch", around("inside", "XTKS"), "2026-11-24T03:30", True),
    ("Chicago opens on Sunday evening", around("outside", "CMES"), "2026-11-22T23:30", False),
    ("New York is closed and Tokyo is not", around("outside", "XNYS", "XTKS"), "2026-11-25T01:00", False),
    ("both are closed", around("outside", "XNYS", "XTKS"), "2026-11-25T08:00", True),
    ("coins never close", around("outside", "24/7"), "2026-11-22T08:00", False),
]


@pytest.mark.parametrize(
    ("environment", "now", "is_open"), [row[1:] for row in REAL], ids=[r[0] for r in REAL]
)
def test_real_days(environment: EnvironmentPolicy, now: str, is_open: bool) -> None:
    found = standing_of(environment, utc(now))
    assert found is not None
    assert (found.closed == ()) is is_open
    if is_open:
        check_window(environment, now=utc(now))


@pytest.mark.filterwarnings("ignore:::pandas", "ignore:::exchange_calendars")
@pytest.mark.parametrize("name", ["XNYS", "XLON", "XTKS", "XHKG", "CMES"])
def test_every_minute_is_what_the_package_itself_says_of_it(name: str) -> None:
    """Two years, each 997th minute: so no hour of the day and no day of the week is left out."""
    from exchange_calendars import get_calendar

    first, last = utc("2024-06-01T00:00"), utc("2026-06-01T00:00")
    known = calendar_of(name, now=first)
    itself = get_calendar(name, start="2024-05-01", end="2026-07-01", side="left")
    outside, inside = (
        beside(Sessions(calendars=(name,), when=when), known) for when in ("outside", "inside")
    )
    step = timedelta(minutes=997)
    minutes = [first + number * step for number in range((last - first) // step)]
    in_session = [itself.is_open_on_minute(each, ignore_breaks=True) for each in minutes]
    trading = [itself.is_open_on_minute(each) for each in minutes]
    assert [at(outside, each) is None for each in minutes] == in_session
    assert [at(inside, each) is not None for each in minutes] == trading
    assert 0 < sum(trading) <= sum(in_session) < len(minutes)


def test_the_refusal_says_which_rule_and_when_it_opens() -> None:
    with pytest.raises(PromotionRefused) as refused:
        check_window(around("outside", "XNYS", margin_min=30), now=utc("2026-11-27T15:00"))
    assert str(refused.value) == (
        "production is closed: XNYS is in session from Fri 2026-11-27 09:30 America/New_York "
        "(2026-11-27 14:30 UTC) to Fri 2026-11-27 13:00 America/New_York (2026-11-27 18:00 UTC), and the "
        "window is outside of its sessions, with 30 min on each side. It opens on Fri 2026-11-27 13:30 "
        "America/New_York (2026-11-27 18:30 UTC). A rollback is not held. [window-closed]"
    )


def test_never_open_is_said() -> None:
    assert "It does not open within 90 days." in window_sentence(
        around("outside", "24/7"), utc("2026-11-22T08:00")
    )


def test_a_remark_where_nothing_can_enter() -> None:
    now = utc("2026-11-22T08:00")
    assert window_remark(around("outside", "XNYS"), now) == ""
    assert window_remark(production(), now) == ""
    assert "nothing enters within 90 days" in window_remark(around("outside", "24/7"), now)
    assert "no usable calendar 'XNYZ'" in window_remark(around("outside", "XNYZ"), now)


def test_beyond_the_horizon_it_is_closed() -> None:
    """What the calendar does not reach yet is no holiday."""
    horizon = calendar_of("XNYS", now=datetime.now(UTC)).horizon
    for after in (HOUR, timedelta(days=10)):
        sentence = window_sentence(around("outside", "XNYS"), horizon + after)
        assert "closed: nobody knows the sessions of XNYS then" in sentence
        assert "does not open" in sentence
    with pytest.raises(ProbeUnavailable):
        check_window(around("outside", "XNYS"), now=horizon + timedelta(days=400))


@pytest.mark.parametrize("name", ["XNYZ", "x"])
def test_an_unknown_calendar_refuses(name: str) -> None:
    with pytest.raises(ProbeUnavailable) as refused:
        check_window(around("outside", name), now=utc("2026-11-22T08:00"))
    assert refused.value.slug == "calendar-unavailable"
    assert window_sentence(around("outside", name), utc("2026-11-22T08:00")).startswith(
        "closed: exchange-cal"
    )


def test_without_the_package_nothing_is_promoted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "exchange_calendars", None)
    with pytest.raises(ProbeUnavailable) as refused:
        check_window(around("outside", "XNYS"), now=utc("2026-11-22T08:00"))
    assert (refused.value.slug, "[windows]" in refused.value.hint) == ("calendar-package-missing", True)
    check_window(production(Window(zone="UTC")), now=utc("2026-11-22T08:00"))  # it is not needed here


@pytest.fixture
def no_zone_data(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("tzdata", *(each for each in sys.modules if each.startswith("tzdata."))):
        monkeypatch.setitem(sys.modules, name, None)
    zoneinfo.reset_tzpath(to=())
    zoneinfo.ZoneInfo.clear_cache()
    yield
    zoneinfo.reset_tzpath()
    zoneinfo.ZoneInfo.clear_cache()


@pytest.mark.usefixtures("no_zone_data")
def test_without_zone_data_nothing_is_promoted() -> None:
    with pytest.raises(ProbeUnavailable) as refused:
        check_window(production(Window(zone="America/New_York")), now=utc("2026-11-22T08:00"))
    assert refused.value.slug == "zone-data-missing"


def test_a_real_promotion_waits_for_its_window(tmp_path: Path) -> None:
    project = GateProject(tmp_path)
    project.write("suites/test_smoke.py", 'import pytest\n\n@pytest.mark.gate("smoke")\ndef test_a(): pass\n')
    project.expect(["suites/test_smoke.py::test_a"])
    path = project.root / "gates/environments.toml"
    always = path.read_text()
    now = datetime.now(UTC)
    day = WEEKDAYS[(now + timedelta(days=3)).weekday()]
    window = f'[[environment.staging.window]]\nzone = "UTC"\ndays = ["{day}"]\n'
    person = "Eve Ray <eve@example.org>"
    role = f'[environment.staging.approvals.role.risk]\nleast = 1\npersons = ["{person}"]\n'
    path.write_text(f"{always}{window}")
    assert project.cli("adopt", "staging", "--reason", "it runs there").status == 0, "a fact, at any time"
    project.candidate("new")
    toml = project.root / "candidate.toml"
    toml.write_text(toml.read_text().replace("authors = []", 'authors = ["Bob Roe <bob@example.org>"]'))
    path.write_text(f"{always}{window}{role}")
    assert project.run().status == 0, "a window is for promotions; measuring is always allowed"
    assert project.cli("approve", "staging", "--by", person).status == 0, "and so is saying yes"
    refused = project.cli("promote", "--to", "staging")
    assert refused.status == 2
    opens = f"{(now + timedelta(days=3)):%a %Y-%m-%d} 00:00 UTC"
    assert f"It opens on {opens}" in refused.output
    assert "[window-closed]" in refused.output
    assert f"It opens on {opens}" in " ".join(project.cli("status").output.split())
    assert "window-closed" in project.cli("report", "staging", "--format", "markdown").output
    path.write_text(f'{always}{role}[environment.staging.window]\nzone = "UTC"\nsessions = {NEVER}\n')
    assert "nothing enters within 90 days" in " ".join(project.cli("check").output.split())
    path.write_text(f'{always}{role}[environment.staging.window]\nzone = "UTC"\n')
    first, last = ((now + timedelta(days=days)).date() for days in (-1, 2))
    freeze = f'schema = 1\nzone = "UTC"\n[freeze.close]\nfrom = {first}\nuntil = {last}\nreason = "books"\n'
    project.write("gates/freezes.toml", freeze)
    assert project.run().status == 0
    assert project.cli("approve", "staging", "--by", person).status == 0
    frozen = project.cli("promote", "--to", "staging").output
    assert "by close: books" in frozen
    assert "[frozen]" in frozen
    (project.root / "gates/freezes.toml").unlink()
    assert project.run().status == 0
    assert project.cli("approve", "staging", "--by", person).status == 0
    assert "open, for 90 days at least" in project.cli("status").output
    assert project.cli("promote", "--to", "staging").status == 0
    project.write("gates/freezes.toml", freeze)
    assert project.cli("rollback", "staging", "--reason", "orders are lost").status == 0, "never held"
