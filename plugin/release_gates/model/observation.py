"""What was only observed, added up: what enforcing would have held, and why."""

from __future__ import annotations

from datetime import datetime

from release_gates.model.outcome import Outcome
from release_gates.model.record import SCHEMA, Record
from release_gates.model.verdict import CandidateName


class ObservedReason(Record, frozen=True, kw_only=True):
    """One reason as often as it came: ``shape`` has "…" for each number, ``newest`` is the last sentence."""

    outcome: Outcome
    shape: str
    newest: str
    runs: int
    first: datetime
    last: datetime
    candidates: tuple[CandidateName, ...]


class ObservedGate(Record, frozen=True, kw_only=True):
    """One gate over all runs that observed it; ``gate`` is empty for what concerns whole runs.

    ``broken`` and ``not_proven`` count the runs that the gate would have held, each run once. Reasons come
    most frequent first.
    """

    gate: str
    runs: int
    broken: int
    not_proven: int
    first: datetime
    last: datetime
    reasons: tuple[ObservedReason, ...]


class ObservedEntry(Record, frozen=True, kw_only=True):
    """One environment's entry. ``unfinished`` runs were observed and left no verdict; ``runs`` have one.

    ``held`` are the candidates that enforcing would have held: one that would have been broken in any run, as
    a FAIL sticks to its digests, and one whose newest run would have held.
    """

    environment: str
    runs: int
    broken: int
    not_proven: int
    unfinished: int
    first: datetime
    last: datetime
    candidates: int
    held: tuple[CandidateName, ...]
    gates: tuple[ObservedGate, ...]


class Observations(Record, frozen=True, kw_only=True):
    """Everything that was observed, by environment; ``since`` is None for all that the ledger has."""

    schema: int = SCHEMA
    since: datetime | None
    entries: tuple[ObservedEntry, ...]
