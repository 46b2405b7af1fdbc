"""Everything that the ledger tells of all candidates: entries, deliveries, how gates behaved. Facts only."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from release_gates.model.proof import GateProofs
from release_gates.model.record import SCHEMA, Record
from release_gates.model.verdict import CandidateName
from release_gates.model.waiver import Waived

Kind = Literal["day", "week", "month", "all"]


class Answer(Record, frozen=True, kw_only=True):
    """A person's yes or no to the promotion of one verdict. Whether it counts, `promote` says."""

    by: str
    role: str
    answer: Literal["yes", "no"]
    reason: str
    at: datetime


class ToldRun(Record, frozen=True, kw_only=True):
    """One run. ``title`` is its verdict's, or what stands instead of one."""

    run: str
    environment: str
    candidate: CandidateName
    actor: str
    began: datetime
    title: str
    because: str
    ended: datetime | None = None
    invalidated: str = ""
    answers: tuple[Answer, ...] = ()

    @property
    def duration_s(self) -> float | None:
        """Seconds from the begin to the verdict; None without one."""
        return None if self.ended is None else (self.ended - self.began).total_seconds()


class Stay(Record, frozen=True, kw_only=True):
    """One time that a candidate was live in an environment.

    ``how`` says how it came there; ``returned`` that it had been live there before. ``lead_s`` is since the
    ledger first saw these digests. ``failed`` is the first sign that it should not be there, "" for none;
    ``restored_s`` is from that sign until something else was live, None while it still is.
    ``route``, ``ticket`` and ``why`` are set where it was promoted on a shorter route, ``owed`` while the
    normal one has to pass yet: until when, in words.
    """

    environment: str
    candidate: CandidateName
    how: Literal["promoted", "adopted", "rolled back"]
    by: str
    since: datetime
    until: datetime | None
    run: str = ""
    returned: bool = False
    lead_s: float = 0.0
    failed: str = ""
    restored_s: float | None = None
    route: str = ""
    ticket: str = ""
    why: str = ""
    owed: str = ""

    @property
    def entered(self) -> str:
        """On which shorter route it entered, and why; "" on the normal one."""
        if not self.route:
            return ""
        said = f", {self.ticket}: {self.why}" if self.ticket else ""
        return f"on route {self.route}{said}"

    @property
    def delivers(self) -> bool:
        """Whether it brought something new through the gates: promoted, and no return to an older build."""
        return self.how == "promoted" and not self.returned


class ToldEntry(Record, frozen=True, kw_only=True):
    """One candidate at one entry: its runs and the times that it was live there, the newest last."""

    environment: str
    runs: tuple[ToldRun, ...]
    stays: tuple[Stay, ...]

    @property
    def is_live(self) -> bool:
        """Whether exactly this build is live there."""
        return bool(self.stays) and self.stays[-1].until is None


class ToldCandidate(Record, frozen=True, kw_only=True):
    """One candidate over all environments; ``seen`` is when the ledger heard of it first, and last."""

    candidate: CandidateName
    first_seen: datetime
    last_seen: datetime
    entries: tuple[ToldEntry, ...]


class Typical(Record, frozen=True, kw_only=True):
    """A median in seconds with how many values it is of; ``median_s`` is None for no value."""

    median_s: float | None
    of: int


class Period(Record, frozen=True, kw_only=True):
    """What was delivered to one environment in one span of time; ``open`` if it has not ended yet.

    ``begin`` is inside, ``end`` outside. ``failed`` counts deliveries of this period that showed a failure
    at any time while they were live.
    """

    kind: Kind
    name: str
    begin: datetime
    end: datetime
    open: bool
    deliveries: int
    returns: int
    failed: int
    lead: Typical
    restore: Typical


class Deliveries(Record, frozen=True, kw_only=True):
    """What was delivered to one environment: over all, by day, by week, by month, the newest last."""

    environment: str
    whole: Period
    days: tuple[Period, ...]
    weeks: tuple[Period, ...]
    months: tuple[Period, ...]


class ToldGate(Record, frozen=True, kw_only=True):
    """How one gate of an entry behaved in its runs (without those that were invalidated).

    ``judged`` counts runs in which it looked (was not MISSING), ``red`` those in which it was FAIL, ERROR or
    INCONCLUSIVE by itself. ``flaky`` are the candidates of which it said both under the same rules;
    ``proofs`` when it was red on purpose.
    """

    environment: str
    gate: str
    owner: str
    judged: int
    red: int
    last_red: datetime | None
    flaky: tuple[CandidateName, ...]
    proofs: GateProofs

    @property
    def always_green(self) -> bool:
        """Whether no run ever saw it red."""
        return self.judged > 0 and self.red == 0

    @property
    def never_proved(self) -> bool:
        """Whether no planted defect ever turned it red."""
        return self.proofs.red is None


class ToldWaiver(Record, frozen=True, kw_only=True):
    """One waiver as a run used it; ``rests`` says that what is live in that environment was let in by it."""

    environment: str
    gate: str
    subject: str
    candidate: CandidateName
    at: datetime
    waived: Waived
    rests: bool


class Chronicle(Record, frozen=True, kw_only=True):
    """The whole ledger at ``made``; ``damage`` is empty exactly if its chain is whole."""

    schema: int = SCHEMA
    made: datetime
    head: str
    local: bool
    events: int
    first: datetime | None
    last: datetime | None
    damage: tuple[str, ...]
    environments: tuple[str, ...]
    candidates: tuple[ToldCandidate, ...]
    deliveries: tuple[Deliveries, ...]
    gates: tuple[ToldGate, ...]
    waivers: tuple[ToldWaiver, ...]
