"""When a candidate may enter: windows, exchange sessions, freezes, and how long it has to soak before."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

from release_gates.model.record import Record

WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
DAY_MIN = 1440


class Sessions(Record, frozen=True, kw_only=True):
    """A window's rule on the sessions of exchanges: inside or outside of those of every one of them.

    ``margin_s`` seconds before and after each boundary belong to neither side. ``session_days`` says that
    days without a session at one of them are closed as a whole.
    """

    calendars: tuple[str, ...]
    when: Literal["inside", "outside"]
    margin_s: float = 0.0
    session_days: bool = False


class Window(Record, frozen=True, kw_only=True):
    """A stretch of the wall clock in an IANA ``zone``, on some weekdays (0 is Monday).

    ``begins_min`` and ``ends_min`` are minutes after midnight of the day on which it begins; the end does not
    belong to it, and lies beyond 1440 where the window crosses midnight.
    """

    zone: str
    days: tuple[int, ...] = tuple(range(7))
    begins_min: int = 0
    ends_min: int = DAY_MIN
    sessions: Sessions | None = None

    @property
    def text(self) -> str:
        """The weekdays and hours for people."""
        days = "every day" if len(self.days) == len(WEEKDAYS) else weekdays(self.days)
        if (self.begins_min, self.ends_min) == (0, DAY_MIN):
            return days
        return f"{days}, {_clock(self.begins_min)} to {_clock(self.ends_min)}"


class Freeze(Record, frozen=True, kw_only=True):
    """A stretch of time in which nothing enters these environments, and why.

    A boundary without an offset is of the wall clock in ``zone``. ``ends`` does not belong to it.
    """

    name: str
    zone: str
    begins: datetime
    ends: datetime
    reason: str
    environments: tuple[str, ...]


class Soak(Record, frozen=True, kw_only=True):
    """How many seconds a candidate has to be live, unbroken, in an earlier environment."""

    environment: str
    for_s: float


class Session(Record, frozen=True, kw_only=True):
    """One session of an exchange on a ``day``; ``pause`` is a break within it, such as lunch."""

    day: date
    opens: datetime
    closes: datetime
    pause: tuple[datetime, datetime] | None = None


class Calendar(Record, frozen=True, kw_only=True):
    """The sessions of one exchange, all of them from ``begins`` until ``horizon``; beyond, nobody knows."""

    name: str
    sessions: tuple[Session, ...]
    begins: datetime
    horizon: datetime


def weekdays(days: tuple[int, ...]) -> str:
    """Return weekdays for people."""
    return ", ".join(WEEKDAYS[day] for day in days)


def _clock(minutes: int) -> str:
    past = minutes if minutes <= DAY_MIN else minutes - DAY_MIN
    return f"{past // 60:02}:{past % 60:02}"
