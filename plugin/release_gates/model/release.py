"""Everything that a report tells of one entry, gathered from ledger, evidence and policy. Facts only."""

from __future__ import annotations

from datetime import datetime

from release_gates.model.candidate import ReleaseCandidate
from release_gates.model.evidence import RunHeader, TestRecord
from release_gates.model.gate import GateSpec
from release_gates.model.limit import LimitRule
from release_gates.model.measurement import Measurement
from release_gates.model.outcome import Outcome
from release_gates.model.record import SCHEMA, Record
from release_gates.model.verdict import LimitJudgement, Verdict


class Interval(Record, frozen=True, kw_only=True):
    """An estimate with what it may as well be, all in one unit."""

    low: float
    middle: float
    high: float


class JudgedLimit(Record, frozen=True, kw_only=True):
    """One judged limit with the rule and the measurement behind it; None where neither can be told any more.

    ``change`` is the change against the baseline in %, where the benchmark measured one with its interval.
    """

    gate: str
    judged: LimitJudgement
    rule: LimitRule | None = None
    measurement: Measurement | None = None
    change: Interval | None = None


class Rung(Record, frozen=True, kw_only=True):
    """One environment on the promotion path: what is live there, and what its newest run said.

    ``live`` is empty where nothing is, ``known`` false where the ledger does not know.
    """

    environment: str
    known: bool
    live: str
    since: datetime | None = None
    newest: str = ""
    newest_at: datetime | None = None


class PastValue(Record, frozen=True, kw_only=True):
    """What one measurement was in one run, and what was judged of it there."""

    gate: str
    test: str
    name: str
    value: float
    unit: str
    outcome: Outcome


class PastRun(Record, frozen=True, kw_only=True):
    """One run for the same entry. ``title`` is its verdict's; ``told`` says why its values are not here."""

    run: str
    at: datetime
    version: str
    title: str
    invalidated: str = ""
    values: tuple[PastValue, ...] = ()
    told: str = ""


class ArtifactChange(Record, frozen=True, kw_only=True):
    """One artifact then and now, by digest; "" where it is not in one of them."""

    name: str
    before: str
    after: str


class Changes(Record, frozen=True, kw_only=True):
    """What is different from what is live. ``note`` says what could not be found out, and why."""

    since: str
    commits: tuple[str, ...] = ()
    more_commits: int = 0
    artifacts: tuple[ArtifactChange, ...] = ()
    policy: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class Release(Record, frozen=True, kw_only=True):
    """One candidate at one entry, as a report tells it at ``made``.

    ``verdict`` is None for a run without one; ``stands`` is empty exactly if nothing speaks against acting on
    the verdict now, else it says what does (invalidated, stale, other rules …). ``is_live``: exactly these
    digests are live there. ``attempts`` are all runs of
    this candidate for this entry, ``past`` those of any candidate, the newest last.
    """

    schema: int = SCHEMA
    made: datetime
    environment: str
    run: str
    verdict: Verdict | None
    stands: str
    is_live: bool = False
    head: str
    candidate: ReleaseCandidate
    gates: tuple[GateSpec, ...]
    limits: tuple[JudgedLimit, ...]
    headers: tuple[RunHeader, ...]
    ended: datetime | None
    ladder: tuple[Rung, ...]
    changes: Changes | None
    tests: tuple[TestRecord, ...] = ()
    """Every test, where a report asked for all of them; else only ``limits`` know what was measured."""
    expected: dict[str, tuple[str, ...]] = {}
    attempts: tuple[PastRun, ...]
    past: tuple[PastRun, ...]
    notes: tuple[str, ...] = ()
