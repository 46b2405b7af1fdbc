"""Windows and freezes at the moment of a promotion. A rollback does not ask: it is never held."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from release_gates.errors import GateError, ProbeUnavailable, PromotionRefused
from release_gates.judge.timetable import AHEAD, Known, Standing, shown, standing
from release_gates.model.gate import EnvironmentPolicy
from release_gates.promotion.sessions import INSTALL, calendar_of


def check_window(environment: EnvironmentPolicy, *, now: datetime) -> None:
    """Refuse outside of the environment's windows and within a freeze, and say when it opens.

    Raises ``PromotionRefused``; ``ProbeUnavailable`` where zones or sessions cannot be known.
    """
    found = standing_of(environment, now)
    if found is None or not found.closed:
        return
    raise PromotionRefused(
        f"{environment.name} is closed: {'; '.join(found.closed)}.",
        slug="frozen" if found.frozen else "window-closed",
        hint=f"{_next(found)} A rollback is not held.",
    )


def standing_of(environment: EnvironmentPolicy, now: datetime) -> Standing | None:
    """Return how an environment's windows and freezes stand now; None where it has neither."""
    windows, freezes = environment.windows, environment.freezes
    if not windows and not freezes:
        return None
    zones = sorted({*(each.zone for each in windows), *(each.zone for each in freezes)})
    names = sorted({name for each in windows if each.sessions for name in each.sessions.calendars})
    known = Known(
        zones={name: zone_of(name) for name in zones},
        calendars={name: calendar_of(name, now=now) for name in names},
    )
    return standing(windows, freezes, known, now)


def window_sentence(environment: EnvironmentPolicy, now: datetime) -> str:
    """Return whether an environment is open, and until or from when; "" where it always is."""
    try:
        found = standing_of(environment, now)
    except GateError as error:
        return f"closed: {error}"
    if found is None:
        return ""
    if found.closed:
        return f"closed: {'; '.join(found.closed)}. {_next(found)}"
    if found.until is None:
        return f"open, for {AHEAD.days} days at least"
    return f"open until {shown(found.until, zone_of(found.zone))}"


def window_remark(environment: EnvironmentPolicy, now: datetime) -> str:
    """Return why an environment's windows may never open; "" where they do."""
    try:
        found = standing_of(environment, now)
    except GateError as error:
        return f"nothing enters: {error}"
    never = found is not None and found.closed and found.opens is None
    return f"nothing enters within {AHEAD.days} days, by its windows and freezes" if never else ""


def zone_of(name: str) -> ZoneInfo:
    """Return an IANA zone; ``ProbeUnavailable`` where this machine has no data of it."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ProbeUnavailable(
            f"this machine has no data of the time zone {name}.", slug="zone-data-missing", hint=INSTALL
        ) from error


def _next(found: Standing) -> str:
    if found.opens is None:
        return f"It does not open within {AHEAD.days} days."
    return f"It opens on {shown(found.opens, zone_of(found.zone))}."
