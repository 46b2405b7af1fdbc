"""Waivers: a known shortfall of one candidate that somebody accepts, within a bound and until a day."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Literal

from release_gates.model.limit import Limit
from release_gates.model.outcome import Outcome
from release_gates.model.record import Record


class Waiver(Record, frozen=True, kw_only=True):
    """One entry of ``gates/waivers.toml``, as it is written there. Whether it counts is judged.

    It names either a ``limit`` (a measurement's name), bounded by ``bound`` (its value) or ``change``
    (against the baseline), or a ``test``, bounded by the ``fingerprint`` of the one failure that is known. It
    is for a ``candidate`` (digest) or for ``versions`` (from the first to the last, both belong to it). It
    counts from ``created`` until just before ``expires``.
    """

    name: str
    environment: str
    gate: str
    limit: str = ""
    test: str = ""
    candidate: str = ""
    versions: tuple[str, str] | None = None
    bound: Limit | None = None
    change: Limit | None = None
    fingerprint: str = ""
    reason: str
    ticket: str
    owner: str
    approver: str
    created: datetime
    expires: datetime

    @property
    def subject(self) -> str:
        """The limit or the test that it is about."""
        return self.limit or self.test

    @property
    def bounds(self) -> str:
        """How far it goes, in the words of the policy; "" for an endless one."""
        parts = [
            self.bound.text if self.bound else "",
            f"baseline {self.change.text}" if self.change else "",
            f"failure {self.fingerprint}" if self.fingerprint else "",
        ]
        return ", ".join(part for part in parts if part)

    @property
    def until(self) -> str:
        """The end, for people: its last day, or the minute."""
        return until(self.expires)


class Waived(Record, frozen=True, kw_only=True):
    """By which waiver something that does not hold is accepted, who answers for that, and until when.

    ``was`` is what it would have been. A waiver makes nothing better than WAIVED.
    """

    waiver: str
    was: Outcome
    bounds: str
    reason: str
    ticket: str
    owner: str
    approver: str
    expires: datetime

    @property
    def sentence(self) -> str:
        """Who accepts it, within which bounds, until when and why."""
        return (
            f"waived by {self.approver} until {until(self.expires)}, within {self.bounds} "
            f"({self.ticket}, waiver {self.waiver}, owner {self.owner}: {self.reason})"
        )


class WaiverUse(Record, frozen=True, kw_only=True):
    """What became of one waiver in a decision.

    ``unused``: it counts, and nothing needed it. ``void``: it does not count, and ``because`` says why.
    """

    waiver: str
    gate: str
    subject: str
    state: Literal["used", "unused", "void"]
    because: str

    @property
    def sentence(self) -> str:
        """The state as a sentence."""
        return f"waiver {self.waiver} ({self.gate}, {self.subject}): {self.because}"


def until(moment: datetime) -> str:
    """Return the end of a waiver for people; midnight is the end of the day before."""
    at = moment.astimezone(UTC)
    if (at.hour, at.minute, at.second, at.microsecond) == (0, 0, 0, 0):
        return f"the end of {(at - timedelta(days=1)).date()} (UTC)"
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


def near_expiry(waivers: Iterable[Waiver], *, now: datetime, days: int = 7) -> tuple[Waiver, ...]:
    """Return the waivers that end within so many days and have not ended yet, the next one first."""
    found = [each for each in waivers if now < each.expires <= now + timedelta(days=days)]
    return tuple(sorted(found, key=lambda each: (each.expires, each.name)))
