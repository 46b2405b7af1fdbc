"""``freezes.toml``: stretches of time in which nothing enters.

::

    schema = 1
    zone   = "America/New_York"               # of every time below that has no offset

    [freeze.year_end]
    from         = 2026-12-18                 # a day, or a time: 2026-12-18T16:00:00, also with its offset
    until        = 2027-01-03                 # the last day; of a time, the moment at which it ends
    reason       = "year-end close"
    environments = ["production"]             # default: all
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta

from release_gates.model.timetable import Freeze
from release_gates.policy.document import read_document
from release_gates.policy.mistake import Mistakes, suggestion
from release_gates.policy.table import GATE_NAME, Table, is_name
from release_gates.policy.zones import read_zone

FILE = "freezes.toml"
KEYS = ("from", "until", "reason", "environments")
LONGEST = 300
"""Characters of a reason: it stands in refusals."""
YEARS = range(1971, 2201)


def read_freezes(
    snapshot: Mapping[str, str], environments: Sequence[str] | None, mistakes: Mistakes
) -> tuple[Freeze, ...]:
    """Return the freezes of a snapshot, in the order of the file; every mistake is noted.

    ``environments`` are the names on the path, None where nobody knows them.
    """
    text = snapshot.get(FILE)
    document = None if text is None else read_document(FILE, text, mistakes)
    if document is None:
        return ()
    document.refuse_schema()
    document.refuse_unknown(("schema", "zone", "freeze"))
    zone = read_zone(document)
    found = [_freeze(name, table, zone, environments) for name, table in document.tables("freeze")]
    return tuple(each for each in found if each is not None)


def _freeze(name: str, table: Table, zone: str | None, environments: Sequence[str] | None) -> Freeze | None:
    before = len(table.mistakes.found)
    table.refuse_unknown(KEYS)
    if not is_name(name, GATE_NAME):
        table.mistakes.add(table.at, f"'{name}' is no name of a freeze", "freeze")
    for key in ("from", "until", "reason"):
        if key not in table.values:
            table.mistakes.add(table.at.key(key), "is absent, and every freeze says it", "missing-key")
    reason, frozen = table.text("reason") or "", _environments(table, environments)
    if len(reason) > LONGEST or not reason.isprintable():
        table.wrong("reason", f"must be one line of at most {LONGEST} printable characters", "freeze")
    begins, ends = _moment(table, "from", last=False), _moment(table, "until", last=True)
    if begins and ends and (begins.tzinfo is None) is not (ends.tzinfo is None):
        table.wrong("until", "and `from` must both have an offset, or neither of them", "freeze")
    elif begins and ends and not begins < ends:
        table.wrong("until", "does not lie after `from`", "freeze")
    if zone is None or begins is None or ends is None or len(table.mistakes.found) > before:
        return None
    return Freeze(name=name, zone=zone, begins=begins, ends=ends, reason=reason, environments=frozen)


def _environments(table: Table, known: Sequence[str] | None) -> tuple[str, ...]:
    value = table.values.get("environments")
    if value is None:
        return tuple(known or ())
    if not isinstance(value, list) or not value:
        table.wrong("environments", "must list them; leave it out for all", "freeze")
        return ()
    for each in value:
        if known is not None and each not in known:
            near = suggestion(each, known) if isinstance(each, str) else ""
            table.wrong("environments", f"does not know {each!r}.{near}", "freeze")
    return tuple(each for each in value if isinstance(each, str))


def _moment(table: Table, key: str, *, last: bool) -> datetime | None:
    """Return a moment, of the zone's wall clock where it has no offset; of the ``last`` day its end."""
    value = table.values.get(key)
    if value is None:
        return None
    if not isinstance(value, date) or value.year not in YEARS:
        what = "must be a day (2026-12-18) or a time (2026-12-18T16:00:00) of this age, without quotes"
        table.wrong(key, what, "wrong-type")
        return None
    if isinstance(value, datetime):
        return value if value.tzinfo is None else value.astimezone(UTC)
    return datetime.combine(value + timedelta(days=last), time())
