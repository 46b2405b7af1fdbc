"""Names of time zones. What Python's ``zoneinfo`` finds is asked here, as code of a package is elsewhere."""

from __future__ import annotations

from release_gates.policy.mistake import suggestion
from release_gates.policy.table import Table

_OTHER = ("posix/", "right/")
"""The same zones once more; those of ``right/`` count leap seconds."""


def read_zone(table: Table) -> str | None:
    """Return the table's ``zone``; a name that is absent or unknown is noted.

    Where a machine has no zone data at all, a name that looks like one is taken: nothing is promoted there.
    """
    name = table.text("zone")
    if name is None:
        if "zone" not in table.values:
            sentence = 'is absent. Name an IANA zone: zone = "America/New_York", or "UTC"'
            table.mistakes.add(table.at.key("zone"), sentence, "zone")
        return None
    if not _is_zone(name):
        from zoneinfo import available_timezones

        near = suggestion(name, sorted(_named(available_timezones())))
        hint = near if "Did you mean" in near else " Write one such as America/New_York, or UTC"
        table.wrong("zone", f"is no IANA zone.{hint}", "zone")
        return None
    return name


def _is_zone(name: str) -> bool:
    return bool(_named((name,))) and (_loads(name) or not _loads("UTC"))


def _named(names: set[str] | tuple[str, ...]) -> list[str]:
    return [each for each in names if each == "UTC" or ("/" in each and not each.startswith(_OTHER))]


def _loads(name: str) -> bool:
    from zoneinfo import ZoneInfo

    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown, no name at all, a folder
        return False
    return True
