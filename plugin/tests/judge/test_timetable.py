"""Open or closed: by the wall clock on days that have one too many hours, and for any windows at all."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from release_gates.judge.spans import Span, at, common, union, without
from release_gates.judge.timetable import AHEAD, Known, Standing, standing
from release_gates.model.timetable import Calendar, Freeze, Session, Sessions, Window

NEW_YORK, LONDON = "America/New_York", "Europe/London"
ZONES = ("UTC", NEW_YORK, LONDON, "Asia/Kolkata", "Australia/Lord_Howe", "America/Havana", "Pacific/Chatham")
MIN = timedelta(minutes=1)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def weekday_sessions(first: date, last: date) -> Calendar:
    """Return 14:30 to 21:00 UTC from Monday to Friday, with a break, and none on the 25th."""
    sessions = tuple(
        Session(
            day=day,
            opens=datetime.combine(day, time(14, 30), UTC),
            closes=datetime.combine(day, time(21), UTC),
            pause=(datetime.combine(day, time(17), UTC), datetime.combine(day, time(18), UTC)),
        )
        for day in (first + timedelta(days=number) for number in range((last - first).days + 1))
        if day.weekday() < 5 and day.day != 25
    )
    begins, horizon = (datetime.combine(day, time(), UTC) for day in (first, last + timedelta(days=1)))
    return Calendar(name="X", sessions=sessions, begins=begins, horizon=horizon)


KNOWN = Known(
    zones={name: ZoneInfo(name) for name in ZONES},
    calendars={"X": weekday_sessions(date(2025, 12, 1), date(2027, 4, 30))},
)


def look(
    window: Window | Sequence[Window], now: datetime, *freezes: Freeze, known: Known = KNOWN
) -> Standing:
    return standing((window,) if isinstance(window, Window) else window, freezes, known, now)


def hours(
    zone: str, begins: str, ends: str, *, days: tuple[int, ...] = tuple(range(7)), **more: object
) -> Window:
    first, last = (int(text[:2]) * 60 + int(text[3:]) for text in (begins, ends))
    return msgspec.structs.replace(
        Window(zone=zone, days=days, begins_min=first, ends_min=last if last > first else last + 1440), **more
    )


def test_without_windows_it_is_always_open() -> None:
    assert look((), utc("2026-11-21T12:00")) == Standing(
        closed=(), frozen=False, until=None, opens=None, zone="UTC"
    )


TUESDAY = hours(NEW_YORK, "10:00", "14:00", days=(1,))


@pytest.mark.parametrize(
    ("now", "until"),
    [
        ("2026-11-24T14:59:59", None),
        ("2026-11-24T15:00", "2026-11-24T19:00"),
        ("2026-11-24T18:59:59", "2026-11-24T19:00"),
        ("2026-11-24T19:00", None),
        ("2026-11-25T16:00", None),
    ],
)
def test_the_end_of_a_window_is_outside(now: str, until: str | None) -> None:
    found = look(TUESDAY, utc(now))
    assert (found.closed == (), found.until) == (until is not None, utc(until) if until else None)


def test_what_closes_is_said_with_the_next_opening() -> None:
    found = look(TUESDAY, utc("2026-11-21T17:18"))
    assert found.closed == ("it is Sat 12:18 in America/New_York, and the window is Tue, 10:00 to 14:00",)
    assert (found.opens, found.zone) == (utc("2026-11-24T15:00"), NEW_YORK)


NIGHT = hours(NEW_YORK, "22:00", "04:00", days=(4,))


@pytest.mark.parametrize(
    ("now", "is_open"),
    [
        ("2026-11-21T02:59", False),
        ("2026-11-21T03:00", True),  # Friday, 22:00
        ("2026-11-21T08:59", True),  # Saturday, 03:59: it began on Friday
        ("2026-11-21T09:00", False),
        ("2026-11-22T03:30", False),  # Saturday, 22:30
        ("2026-11-20T05:00", False),  # Friday, 00:00: that night began on Thursday
    ],
)
def test_a_window_across_midnight_belongs_to_the_day_on_which_it_begins(now: str, is_open: bool) -> None:
    assert (look(NIGHT, utc(now)).closed == ()) is is_open


# In New York 2026-03-08 has no 02:30 and 2026-11-01 has two 01:30; in London 2026-03-29 and 2026-10-25.
CLOCK_CHANGES = [
    (NEW_YORK, "10:00", "14:00", "2026-03-08T13:59", False),
    (NEW_YORK, "10:00", "14:00", "2026-03-08T14:00", True),  # summer time: an hour earlier in UTC
    (NEW_YORK, "10:00", "14:00", "2026-11-01T14:00", False),
    (NEW_YORK, "10:00", "14:00", "2026-11-01T15:00", True),
    (NEW_YORK, "02:30", "06:00", "2026-03-08T07:29", False),  # begins at what is 03:30 there
    (NEW_YORK, "02:30", "06:00", "2026-03-08T07:30", True),
    (NEW_YORK, "00:00", "02:30", "2026-03-08T06:29", True),  # ends at what is 01:30
    (NEW_YORK, "00:00", "02:30", "2026-03-08T06:30", False),
    (NEW_YORK, "01:30", "04:00", "2026-11-01T05:45", False),  # the first 01:45
    (NEW_YORK, "01:30", "04:00", "2026-11-01T06:45", True),  # the second
    (NEW_YORK, "00:00", "01:30", "2026-11-01T05:15", True),  # the first 01:15
    (NEW_YORK, "00:00", "01:30", "2026-11-01T06:15", False),  # the second
    (NEW_YORK, "01:10", "01:50", "2026-11-01T05:30", False),  # both readings at once: none is left
    (NEW_YORK, "01:10", "01:50", "2026-11-01T06:30", False),
    (LONDON, "01:30", "05:00", "2026-03-29T01:29", False),
    (LONDON, "01:30", "05:00", "2026-03-29T01:30", True),
    (LONDON, "01:30", "05:00", "2026-10-25T00:45", False),
    (LONDON, "01:30", "05:00", "2026-10-25T01:45", True),
    (NEW_YORK, "22:00", "04:00", "2026-11-01T08:59", True),  # a night of seven hours
    (NEW_YORK, "22:00", "04:00", "2026-11-01T09:00", False),
    (NEW_YORK, "22:00", "04:00", "2026-03-08T07:59", True),  # a night of five
    (NEW_YORK, "22:00", "04:00", "2026-03-08T08:00", False),
]


@pytest.mark.parametrize(("zone", "begins", "ends", "now", "is_open"), CLOCK_CHANGES)
def test_a_window_is_the_smaller_one_where_the_clock_is_changed(
    zone: str, begins: str, ends: str, now: str, is_open: bool
) -> None:
    assert (look(hours(zone, begins, ends), utc(now)).closed == ()) is is_open


def freeze(begins: str, ends: str, zone: str = NEW_YORK) -> Freeze:
    first, last = (datetime.fromisoformat(text) for text in (begins, ends))
    return Freeze(name="close", zone=zone, begins=first, ends=last, reason="books", environments=("e",))


@pytest.mark.parametrize(
    ("now", "is_frozen"),
    [
        ("2026-11-01T05:29", False),
        ("2026-11-01T05:30", True),  # from the first 01:30
        ("2026-11-01T06:59", True),  # until the second 02:00
        ("2026-11-01T07:00", False),
    ],
)
def test_a_freeze_is_the_larger_one_where_the_clock_is_changed(now: str, is_frozen: bool) -> None:
    found = look((), utc(now), freeze("2026-11-01T01:30", "2026-11-01T02:00"))
    assert (found.frozen, found.closed != ()) == (is_frozen, is_frozen)


def test_a_freeze_says_its_name_its_reason_and_its_end() -> None:
    found = look(TUESDAY, utc("2026-12-29T15:30"), freeze("2026-12-18", "2027-01-04"))
    assert found.closed == (
        "it is frozen until Mon 2027-01-04 00:00 America/New_York (2027-01-04 05:00 UTC) by close: books",
    )
    assert found.opens == utc("2027-01-05T15:00")


def test_a_freeze_of_many_years_has_no_end_in_sight() -> None:
    found = look(TUESDAY, utc("2026-11-24T15:30"), freeze("2020-01-01", "2200-01-01"))
    assert (found.frozen, found.opens) == (True, None)


OUTSIDE = Window(zone="UTC", sessions=Sessions(calendars=("X",), when="outside", margin_s=1800))
INSIDE = Window(zone="UTC", sessions=Sessions(calendars=("X",), when="inside", margin_s=1800))


@pytest.mark.parametrize(
    ("window", "now", "says"),
    [
        (OUTSIDE, "2026-11-23T13:59", ""),
        (OUTSIDE, "2026-11-23T14:00", "X is in session from Mon 2026-11-23 14:30 UTC"),  # within the margin
        (OUTSIDE, "2026-11-23T17:30", "X is in session"),  # a break is no end of a session
        (OUTSIDE, "2026-11-23T21:29", "with 30 min on each side"),
        (OUTSIDE, "2026-11-23T21:30", ""),
        (OUTSIDE, "2026-11-25T16:00", ""),
        (
            OUTSIDE,
            "2027-04-30T23:30",
            "nobody knows the sessions of X then: its calendar ends at Sat 2027-05-01",
        ),
        (OUTSIDE, "2027-06-01T12:00", "nobody knows"),
        (OUTSIDE, "2025-11-30T12:00", "nobody knows"),
        (INSIDE, "2026-11-23T14:59", "X is not in session"),
        (INSIDE, "2026-11-23T15:00", ""),
        (INSIDE, "2026-11-23T16:29", ""),
        (INSIDE, "2026-11-23T16:30", "not in session"),  # the break and its margins
        (INSIDE, "2026-11-23T18:29", "not in session"),
        (INSIDE, "2026-11-23T20:30", "not in session"),
        (INSIDE, "2027-06-01T16:00", "nobody knows"),
    ],
)
def test_sessions(window: Window, now: str, says: str) -> None:
    closed = look(window, utc(now)).closed
    assert closed == () if says == "" else says in closed[0]


def test_days_without_a_session_can_be_closed_as_a_whole() -> None:
    rule = Sessions(calendars=("X",), when="outside", session_days=True)
    late = hours("UTC", "22:00", "02:00", sessions=rule)
    assert look(late, utc("2026-11-24T23:00")).closed == ()
    assert look(late, utc("2026-11-25T01:00")).closed == ()  # it began on the 24th
    assert "X has no session on the day of this window" in look(late, utc("2026-11-25T23:00")).closed[0]
    assert look(late, utc("2026-11-25T23:00")).opens == utc("2026-11-26T22:00")


def test_every_exchange_has_to_agree_and_one_window_is_enough() -> None:
    other = msgspec.structs.replace(
        KNOWN.calendars["X"],
        name="Y",
        sessions=tuple(
            msgspec.structs.replace(s, opens=s.opens - timedelta(hours=6), closes=s.opens, pause=None)
            for s in KNOWN.calendars["X"].sessions
        ),
    )
    known = Known(zones=KNOWN.zones, calendars={**KNOWN.calendars, "Y": other})
    both = Window(zone="UTC", sessions=Sessions(calendars=("X", "Y"), when="outside"))
    closed = look(both, utc("2026-11-23T10:00"), known=known).closed
    assert len(closed) == 1
    assert closed[0].startswith("Y is in session")
    assert look(both, utc("2026-11-23T10:00"), known=known).opens == utc("2026-11-23T21:00")
    either = [both, hours("UTC", "09:00", "10:30")]
    assert look(either, utc("2026-11-23T10:00"), known=known).until == utc("2026-11-23T10:30")
    inside = Window(zone="UTC", sessions=Sessions(calendars=("X", "Y"), when="inside"))
    assert look(inside, utc("2026-11-23T10:00"), known=known).opens is None  # never both at once


# -- any windows at all ---------------------------------------------------------------------------------

MOMENTS = st.datetimes(datetime(2026, 2, 20), datetime(2026, 11, 10), timezones=st.just(UTC)).map(
    lambda moment: moment.replace(second=0, microsecond=0)
)
RULES = st.none() | st.builds(
    Sessions,
    calendars=st.just(("X",)),
    when=st.sampled_from(["inside", "outside"]),
    margin_s=st.sampled_from([0.0, 1800.0, 86400.0]),
    session_days=st.booleans(),
)
WINDOWS = st.lists(
    st.builds(
        lambda begins, lasts, **more: Window(begins_min=begins, ends_min=begins + lasts, **more),
        st.integers(0, 1439),
        st.integers(1, 1440),
        zone=st.sampled_from(ZONES),
        days=st.sets(st.integers(0, 6), min_size=1).map(lambda days: tuple(sorted(days))),
        sessions=RULES,
    ),
    max_size=3,
)
FREEZES = st.lists(
    st.builds(
        lambda begins, lasts, zone, offset: Freeze(
            name="f",
            zone=zone,
            begins=begins if offset else begins.replace(tzinfo=None),
            ends=(begins if offset else begins.replace(tzinfo=None)) + lasts,
            reason="r",
            environments=(),
        ),
        MOMENTS,
        st.timedeltas(MIN, timedelta(days=20)),
        st.sampled_from(ZONES),
        st.booleans(),
    ),
    max_size=2,
)


@settings(max_examples=60, deadline=None)
@given(WINDOWS, FREEZES, MOMENTS, st.floats(0, 1, exclude_max=True))
def test_the_next_opening_is_open_and_nothing_before_it_is(
    windows: list[Window], freezes: list[Freeze], now: datetime, share: float
) -> None:
    found = look(windows, now, *freezes)
    assert found.until is None or not found.closed
    assert found.opens is None or found.closed
    turn = found.opens or found.until or now + AHEAD - MIN
    between = min(now + (turn - now) * share, turn - datetime.resolution)
    assert bool(look(windows, between, *freezes).closed) is bool(found.closed)
    if found.opens or found.until:
        assert bool(look(windows, turn, *freezes).closed) is not bool(found.closed)


def wall(moment: datetime, zone: str) -> datetime:
    return moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None)


def covers(window: Window, local: datetime) -> bool:
    """Tell whether a window's wall clock covers a local time, reckoned by hand."""
    for back in (0, 1):
        day = local.date() - timedelta(days=back)
        minutes = local.hour * 60 + local.minute + 1440 * back
        if day.weekday() in window.days and window.begins_min <= minutes < window.ends_min:
            return True
    return False


@settings(max_examples=60, deadline=None)
@given(WINDOWS, FREEZES, MOMENTS)
def test_open_only_within_a_window_never_in_a_freeze_and_never_in_a_session(
    windows: list[Window], freezes: list[Freeze], now: datetime
) -> None:
    found = look(windows, now, *freezes)
    frozen = any(f.begins <= (now if f.begins.tzinfo else wall(now, f.zone)) < f.ends for f in freezes)
    if frozen:
        assert found.closed
        assert found.frozen
    if not found.closed and windows:
        allowed = [each for each in windows if covers(each, wall(now, each.zone))]
        assert allowed
        on = any(s.opens <= now < s.closes for s in KNOWN.calendars["X"].sessions)
        assert any(each.sessions is None or (each.sessions.when == "inside") is on for each in allowed)


# -- spans ----------------------------------------------------------------------------------------------

START = datetime(2026, 1, 1, tzinfo=UTC)
SPANS = st.lists(
    st.tuples(st.integers(0, 30), st.integers(-2, 8)).map(
        lambda pair: Span(START + pair[0] * MIN, START + (pair[0] + pair[1]) * MIN)
    ),
    max_size=6,
)


@given(SPANS, SPANS, st.integers(-3, 45))
def test_spans_are_sets_of_moments(one: list[Span], other: list[Span], minute: int) -> None:
    moment = START + minute * MIN
    in_one, in_other = (any(s.begins <= moment < s.ends for s in each) for each in (one, other))
    assert (at(union(one), moment) is not None) is in_one
    assert (at(without(one, other), moment) is not None) is (in_one and not in_other)
    assert (at(common(union(one), union(other)), moment) is not None) is (in_one and in_other)
    joined = union(one)
    assert all(a.ends < b.begins for a, b in pairwise(joined))
