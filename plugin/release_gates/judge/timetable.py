"""When an environment is open: windows, less the sessions that they avoid, less every freeze. Pure.

Where a boundary does not exist or exists twice, because the clock is changed there, a window is the smaller
one of both readings and a freeze the larger one. What no calendar knows is closed.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from release_gates.judge.sessions import beside, is_known, session_at
from release_gates.judge.spans import Span, Spans, at, common, union, without
from release_gates.model.timetable import Calendar, Freeze, Sessions, Window

AHEAD = timedelta(days=90)
"""So far ahead the next opening is looked for."""

BACK = timedelta(days=3)
"""So long ago may a window have begun that is open now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the world says: the zones by name, and the calendars of exchanges by name."""

    zones: Mapping[str, tzinfo]
    calendars: Mapping[str, Calendar] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Whether an environment is open. ``closed`` says why not, and is empty exactly where it is open.

    ``frozen`` says that a freeze is why. ``until`` is the end of what is open now, ``opens`` the next opening
    of what is closed; each is None where there is none within ``AHEAD``. ``zone`` is the one to show it in.
    """

    closed: tuple[str, ...]
    frozen: bool
    until: datetime | None
    opens: datetime | None
    zone: str


def standing(windows: Sequence[Window], freezes: Sequence[Freeze], known: Known, now: datetime) -> Standing:
    """Return whether these windows and freezes are open now, why not, and what comes next.

    Without a window it is always open but for freezes. A zone or calendar that ``known`` lacks is a
    ``KeyError``.
    """
    whole = Span(now - BACK, now + AHEAD)
    cold = [(freeze, frost(freeze, known)) for freeze in freezes]
    own = [(window, open_in(window, known, whole)) for window in windows]
    spans = union(span for _, each in own for span in each) if windows else (whole,)
    spans = common(without(spans, [span for _, span in cold]), (whole,))
    current = at(spans, now)
    opens = None if current else next((span.begins for span in spans if span.begins > now), None)
    return Standing(
        closed=() if current else tuple(_why(own, cold, known, now)),
        frozen=any(at((span,), now) for _, span in cold),
        until=current.ends if current and current.ends < whole.ends else None,
        opens=opens,
        zone=_zone_at(own, cold, opens or now),
    )


def open_in(window: Window, known: Known, whole: Span) -> Spans:
    """Return when one window is open within a stretch, whatever is frozen."""
    spans, rule = hours(window, known, whole), window.sessions
    if rule is None:
        return spans
    for name in rule.calendars:
        for allowed in _by_sessions(window, rule, known.calendars[name], known, whole):
            spans = common(spans, allowed)
    return spans


def hours(window: Window, known: Known, whole: Span, *, only: Container[date] | None = None) -> Spans:
    """Return the hours of a window by its wall clock alone, on every day of which a part may be within.

    ``only`` are the days on which it may begin, None for all of its weekdays.
    """
    zone = known.zones[window.zone]
    first = whole.begins.astimezone(zone).date() - timedelta(days=2)
    last = whole.ends.astimezone(zone).date() + timedelta(days=1)
    days = (first + timedelta(days=number) for number in range((last - first).days + 1))
    return union(
        _hours_of(window, day, zone)
        for day in days
        if day.weekday() in window.days and (only is None or day in only)
    )


def frost(freeze: Freeze, known: Known) -> Span:
    """Return the stretch that a freeze covers."""
    begins, ends = (
        (each.astimezone(UTC),) if each.tzinfo else _readings(each, known.zones[freeze.zone])
        for each in (freeze.begins, freeze.ends)
    )
    return Span(min(begins), max(ends))


def shown(moment: datetime, zone: tzinfo) -> str:
    """Return a moment for people: by the wall clock of a zone, and in UTC."""
    return f"{moment.astimezone(zone):%a %Y-%m-%d %H:%M} {zone} ({moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC)"


def _by_sessions(
    window: Window, rule: Sessions, calendar: Calendar, known: Known, whole: Span
) -> Iterator[Spans]:
    yield beside(rule, calendar)
    if rule.session_days:
        yield hours(window, known, whole, only={session.day for session in calendar.sessions})


def _hours_of(window: Window, day: date, zone: tzinfo) -> Span:
    midnight = datetime.combine(day, time())
    return Span(
        max(_readings(midnight + timedelta(minutes=window.begins_min), zone)),
        min(_readings(midnight + timedelta(minutes=window.ends_min), zone)),
    )


def _readings(wall: datetime, zone: tzinfo) -> tuple[datetime, datetime]:
    """Return both moments that a wall clock's time can mean (PEP 495); they are the same on most days."""
    first, second = (wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    return first, second


def _why(
    own: Sequence[tuple[Window, Spans]], cold: Sequence[tuple[Freeze, Span]], known: Known, now: datetime
) -> Iterator[str]:
    """Yield each freeze that holds now, else what closes each window."""
    frozen = [(freeze, span) for freeze, span in cold if at((span,), now)]
    for freeze, span in frozen:
        until = shown(span.ends, known.zones[freeze.zone])
        yield f"it is frozen until {until} by {freeze.name}: {freeze.reason}"
    for window, spans in () if frozen else own:
        if at(spans, now) is None:
            yield from _why_not(window, known, now)


def _why_not(window: Window, known: Known, now: datetime) -> Iterator[str]:
    zone = known.zones[window.zone]
    in_hours = at(hours(window, known, Span(now - BACK, now + BACK)), now) is not None
    if not in_hours:
        yield f"it is {now.astimezone(zone):%a %H:%M} in {zone}, and the window is {window.text}"
    if window.sessions is not None:
        yield from _why_not_by_sessions(window, window.sessions, known, now, in_hours=in_hours)


def _why_not_by_sessions(
    window: Window, rule: Sessions, known: Known, now: datetime, *, in_hours: bool
) -> Iterator[str]:
    whole, zone = Span(now - BACK, now + BACK), known.zones[window.zone]
    for name in rule.calendars:
        calendar = known.calendars[name]
        allowed = [at(each, now) for each in _by_sessions(window, rule, calendar, known, whole)]
        if allowed[0] is None:
            yield _of_sessions(rule, calendar, zone, now)
        elif in_hours and None in allowed:
            day = f"{now.astimezone(zone):%a %Y-%m-%d %H:%M} in {zone}"
            yield f"{name} has no session on the day of this window (it is {day})"


def _of_sessions(rule: Sessions, calendar: Calendar, zone: tzinfo, now: datetime) -> str:
    margin = f", with {rule.margin_s / 60:g} min on each side" if rule.margin_s else ""
    if not is_known(rule, calendar, now):
        ends = shown(calendar.horizon, zone)
        return f"nobody knows the sessions of {calendar.name} then: its calendar ends at {ends}{margin}"
    session = session_at(rule, calendar, now)
    if rule.when == "inside" or session is None:
        return f"{calendar.name} is not in session, and the window is inside of its sessions{margin}"
    return (
        f"{calendar.name} is in session from {shown(session.opens, zone)} to {shown(session.closes, zone)}, "
        f"and the window is outside of its sessions{margin}"
    )


def _zone_at(
    own: Sequence[tuple[Window, Spans]], cold: Sequence[tuple[Freeze, Span]], moment: datetime
) -> str:
    """Return the zone of the window that is open at a moment, else of the first rule that there is."""
    zones = [window.zone for window, spans in own if at(spans, moment)]
    zones += [window.zone for window, _ in own] + [freeze.zone for freeze, _ in cold]
    return zones[0] if zones else "UTC"
