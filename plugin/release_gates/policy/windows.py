"""``[[environment.NAME.window]]`` and ``[environment.NAME.soak]``: when a candidate may enter.

::

    [[environment.production.window]]    # several: one of them has to be open
    zone     = "America/New_York"        # IANA
    days     = ["Tue", "Wed", "Thu"]     # on which it begins; default: every day
    from     = "10:00"                   # of the wall clock there; default: the whole day
    until    = "14:00"                   # earlier than `from`: on the next day
    sessions = { calendars = ["XNYS", "XNAS"], when = "outside", margin = "30 min", session_days = true }

    [environment.production.soak]
    in  = "staging"                      # an earlier environment
    for = "24 h"
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from release_gates.errors import PolicyError
from release_gates.model.timetable import DAY_MIN, WEEKDAYS, Sessions, Soak, Window
from release_gates.policy.grammar import parse_duration_s
from release_gates.policy.mistake import suggestion
from release_gates.policy.table import Table
from release_gates.policy.zones import read_zone

WINDOW_KEYS = ("zone", "days", "from", "until", "sessions")
SESSIONS_KEYS = ("calendars", "when", "margin", "session_days")
LONGEST_MARGIN_S = 7 * 86400.0


def read_windows(environment: Table) -> tuple[Window, ...]:
    """Return the windows of an environment's table; every mistake is noted."""
    value = environment.values.get("window")
    if not isinstance(value, list):
        table = environment.table("window")
        found = [] if table is None else [_window(table)]
    else:
        if not value:
            environment.wrong("window", "is an empty list, so it would never close. Take it away", "window")
        found = [_window(table) for table in _each(environment, value)]
    return tuple(each for each in found if each is not None)


def read_soak(environment: Table, earlier: Sequence[str]) -> Soak | None:
    """Return how long a candidate has to be live elsewhere; ``earlier`` are the environments before."""
    table = environment.table("soak")
    if table is None:
        return None
    table.refuse_unknown(("in", "for"))
    place, for_s = table.text("in"), _duration_s(table, "for")
    for key in ("in", "for"):
        if key not in table.values:
            table.mistakes.add(table.at.key(key), "is absent, and every soak says it", "missing-key")
    if place is not None and place not in earlier:
        near = suggestion(place, earlier)
        table.wrong("in", f"must be an environment that comes earlier on the path.{near}", "soak")
        return None
    return None if place is None or for_s is None else Soak(environment=place, for_s=for_s)


def _each(environment: Table, values: Sequence[object]) -> list[Table]:
    at = environment.at.key("window")
    for index, value in enumerate(values):
        if not isinstance(value, dict):
            sentence = f"must be a table: [[{at}]]"
            environment.mistakes.add(at.key(str(index)), sentence, "wrong-type", value=value)
    return [
        Table(value, at.key(str(index)), environment.mistakes)
        for index, value in enumerate(values)
        if isinstance(value, dict)
    ]


def _window(table: Table) -> Window | None:
    before = len(table.mistakes.found)
    table.refuse_unknown(WINDOW_KEYS)
    zone, days, sessions = read_zone(table), _days(table), _sessions(table)
    begins, ends = _minutes(table, "from"), _minutes(table, "until")
    if ("from" in table.values) != ("until" in table.values):
        table.mistakes.add(table.at, "must say both `from` and `until`, or neither", "window")
    if begins is not None and begins == ends:
        table.wrong("until", 'is `from` again. Leave both out for whole days, or write "24:00"', "window")
    if begins == DAY_MIN:
        table.wrong("from", 'is the end of a day. Write "00:00"', "window")
    if zone is None or len(table.mistakes.found) > before:
        return None
    if begins is None or ends is None:
        return Window(zone=zone, days=days, sessions=sessions)
    crossing = DAY_MIN if ends < begins else 0
    return Window(zone=zone, days=days, begins_min=begins, ends_min=ends + crossing, sessions=sessions)


def _days(table: Table) -> tuple[int, ...]:
    if "days" not in table.values:
        return tuple(range(7))
    found = _words(table, "days", WEEKDAYS)
    return tuple(sorted(WEEKDAYS.index(day) for day in found))


def _words(table: Table, key: str, known: Sequence[str] | None) -> tuple[str, ...]:
    """Return a list of different words, each of them known where that is a closed set."""
    value = table.values.get(key)
    example = ", ".join(f'"{each}"' for each in (known or ("XNYS", "XLON"))[:2])
    if not isinstance(value, list) or not value or not all(isinstance(each, str) for each in value):
        table.wrong(key, f"must be a list: [{example}]", "window")
        return ()
    wrong = [each for each in value if known is not None and each not in known]
    for each in wrong:
        near = suggestion(each.capitalize(), known or ())
        table.mistakes.add(table.at.key(key), f"'{each}' is not known.{near}", "window")
    if len(set(value)) < len(value):
        table.wrong(key, "names one of them twice", "window")
    return () if wrong else tuple(dict.fromkeys(value))


def _minutes(table: Table, key: str) -> int | None:
    text = table.text(key)
    if text is None:
        return None
    found = re.fullmatch(r"([01][0-9]|2[0-3]):([0-5][0-9])|(24):(00)", text, re.ASCII)
    if found is None:
        table.wrong(key, 'must be a time of day in hours and minutes: "09:30"', "window")
        return None
    hours, minutes = (part for part in found.groups() if part is not None)
    return 60 * int(hours) + int(minutes)


def _sessions(table: Table) -> Sessions | None:
    rule = table.table("sessions")
    if rule is None:
        return None
    rule.refuse_unknown(SESSIONS_KEYS)
    calendars, when = _words(rule, "calendars", None), rule.text("when")
    for name in calendars:
        if re.fullmatch(r"[A-Za-z0-9_/]{2,30}", name, re.ASCII) is None:
            rule.mistakes.add(rule.at.key("calendars"), f"'{name}' is no code of an exchange: XNYS", "window")
    if when not in ("inside", "outside"):
        rule.wrong("when", 'must be "inside" or "outside" of the sessions', "window")
    margin_s = _duration_s(rule, "margin") or 0.0
    if margin_s % 60 or margin_s > LONGEST_MARGIN_S:
        rule.wrong("margin", "must be whole minutes, and at most 7 d", "window")
    return Sessions(
        calendars=calendars,
        when="inside" if when == "inside" else "outside",
        margin_s=margin_s,
        session_days=rule.flag("session_days") is True,
    )


def _duration_s(table: Table, key: str) -> float | None:
    text = table.text(key)
    try:
        return None if text is None else parse_duration_s(text)
    except PolicyError as error:
        table.mistakes.add_error(table.at.key(key), error, value=text)
        return None
