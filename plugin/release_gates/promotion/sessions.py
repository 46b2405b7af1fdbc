"""The sessions of exchanges, by exchange_calendars: half days, ad-hoc closures, breaks, and its horizon."""

from __future__ import annotations

import warnings
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from release_gates.errors import ProbeUnavailable
from release_gates.model.timetable import Calendar, Session

BEFORE = timedelta(days=14)
"""So long before now the sessions are read: those that a margin reaches from, and longer than any holiday."""

INSTALL = "pip install 'pytest-release-gates[windows]'"


def calendar_of(name: str, *, now: datetime) -> Calendar:
    """Return an exchange's sessions from some days before ``now`` to the end of its calendar.

    Raises ProbeUnavailable where the package is absent, knows no such calendar, or cannot make it.
    """
    try:
        with warnings.catch_warnings():  # pandas warns of its own next version, which is not our business
            warnings.simplefilter("ignore")
            return _calendar(name, (now.astimezone(UTC) - BEFORE).date())
    except ImportError as error:
        raise ProbeUnavailable(
            f"the policy asks for the sessions of {name}, and exchange-calendars is not installed ({error}).",
            slug="calendar-package-missing",
            hint=INSTALL,
        ) from error


def _calendar(name: str, since: date) -> Calendar:
    from exchange_calendars import errors, get_calendar  # type: ignore[import-untyped]

    try:
        found: Any = get_calendar(name, start=since.isoformat())
        return Calendar(
            name=name,
            sessions=tuple(_session(row) for row in found.schedule.itertuples()),
            begins=_boundary(found, since),
            horizon=_boundary(found, found.default_end().date() + timedelta(days=1)),
        )
    except (errors.CalendarError, ValueError) as error:
        raise ProbeUnavailable(
            f"exchange-calendars has no usable calendar '{name}': {str(error)[:200]}.",
            slug="calendar-unavailable",
            hint="Write a market identifier code such as XNYS or XLON, and keep the package current: "
            "`pip install --upgrade exchange-calendars`.",
        ) from error


def _boundary(found: Any, day: date) -> datetime:
    """Return the moment before which no session of ``day`` begins: a Monday's may open on Sunday evening."""
    first = datetime.combine(day + timedelta(days=int(found.open_offset)), time(), found.tz)
    return first.astimezone(UTC)


def _session(row: Any) -> Session:
    opens, closes = _moment(row.open), _moment(row.close)
    if opens is None or closes is None or not opens < closes:
        raise ValueError(f"its session of {row.Index:%Y-%m-%d} has no beginning or no end")
    begins, ends = _moment(row.break_start), _moment(row.break_end)
    pause = (begins, ends) if begins and ends else None
    return Session(day=row.Index.date(), opens=opens, closes=closes, pause=pause)


def _moment(value: Any) -> datetime | None:
    """Return pandas' Timestamp as a moment; None for its NaT, which is not even equal to itself."""
    if value != value:  # noqa: PLR0124 - so that pandas need not be imported for isna
        return None
    moment: datetime = value.to_pydatetime()
    return moment.astimezone(UTC)
