"""Inside or outside of the sessions of an exchange, as far as its calendar knows. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

from release_gates.judge.spans import Span, Spans, at, common, union, without
from release_gates.model.timetable import Calendar, Session, Sessions


def beside(rule: Sessions, calendar: Calendar) -> Spans:
    """Return when a rule lets in by one calendar; a break within a session lets in neither way."""
    known = (_known(rule, calendar),)
    margin = _margin(rule)
    if rule.when == "outside":
        return without(known, [_around(session, margin) for session in calendar.sessions])
    within = union(Span(s.opens + margin, s.closes - margin) for s in calendar.sessions)
    pauses = [Span(s.pause[0] - margin, s.pause[1] + margin) for s in calendar.sessions if s.pause]
    return common(without(within, pauses), known)


def is_known(rule: Sessions, calendar: Calendar, moment: datetime) -> bool:
    """Tell whether the calendar knows every session that bears on a moment."""
    return at((_known(rule, calendar),), moment) is not None


def session_at(rule: Sessions, calendar: Calendar, moment: datetime) -> Session | None:
    """Return the session in which, or within whose margins, a moment lies."""
    margin = _margin(rule)
    return next((s for s in calendar.sessions if at((_around(s, margin),), moment)), None)


def _known(rule: Sessions, calendar: Calendar) -> Span:
    """Leave out the margin of sessions that may lie just beyond what the calendar knows."""
    return Span(calendar.begins + _margin(rule), calendar.horizon - _margin(rule))


def _around(session: Session, margin: timedelta) -> Span:
    return Span(session.opens - margin, session.closes + margin)


def _margin(rule: Sessions) -> timedelta:
    return timedelta(seconds=rule.margin_s)
