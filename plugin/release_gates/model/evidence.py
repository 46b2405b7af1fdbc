"""Evidence: one run's complete record. Facts only; ``judge.decide`` draws the conclusion."""

from __future__ import annotations

from datetime import datetime

from msgspec import UNSET, UnsetType

from release_gates.model.candidate import ReleaseCandidate
from release_gates.model.measurement import Attachment, Measurement
from release_gates.model.outcome import Outcome
from release_gates.model.quiet import Quiet
from release_gates.model.record import SCHEMA, Record


class HostFacts(Record, frozen=True, kw_only=True):
    """The machine that measured. Numbers are compared between equal fingerprints only."""

    hostname: str
    cpu_model: str
    cores: int
    numa_nodes: int
    kernel: str
    governor: str
    python: str
    fingerprint: str


class Source(Record, frozen=True, kw_only=True, omit_defaults=True):
    """A file that evidence was read from instead of being measured in this run.

    ``kind`` is the form (``junit``, ``sarif`` …) or ``attested``: then ``by`` says who answers for it.
    ``tool`` and ``version`` are what the file tells of its writer. ``cases`` counts what it holds,
    ``left_out`` those of them that were skipped and that nobody expects. ``cell`` is that of the gate's
    matrix. ``age_s`` is since ``modified``, in seconds.
    """

    kind: str
    path: str
    sha256: str
    modified: datetime
    age_s: float
    tool: str = ""
    version: str = ""
    cases: int = 0
    left_out: int = 0
    cell: str = ""
    by: str = ""
    note: str = ""


class RunHeader(Record, frozen=True, kw_only=True, tag_field="record", tag="run"):
    """First line of an evidence file: who measured what, where, by which rules."""

    schema: int = SCHEMA
    run: str
    environment: str
    candidate: ReleaseCandidate
    rules: str
    host: HostFacts
    actor: str
    command: tuple[str, ...]
    plugins: tuple[str, ...]
    started: datetime
    sources: tuple[Source, ...] = ()
    route: str | UnsetType = UNSET
    """The route that it was measured for, left out for the normal one."""


class TestRecord(Record, frozen=True, kw_only=True, tag_field="record", tag="test", omit_defaults=True):
    """One gate test: what its phases reported (``outcome``, without limits) and what it measured.

    ``attempts`` counts reruns too; ``outcome`` is that of the worst attempt, ``last`` of the final one.
    ``fingerprints`` has one for each failure behind ``outcome``, "" for one that has none (a crash, a skip, a
    broken setup): what a waiver of the test is held against.
    ``cell`` is the cell of the gate's matrix in which it ran (``python=3.11,os=linux``). ``valid_for_s`` is
    how long its facts hold, if that is shorter than policy allows. ``quiet`` is how the first test of an
    exclusive gate waited for a quiet host, if it was asked to.
    """

    __test__ = False

    id: str
    gate: str
    outcome: Outcome
    because: str = ""
    phases: tuple[str, ...] = ()
    measurements: tuple[Measurement, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    attempts: int = 1
    last: Outcome = Outcome.PASS
    network_only: bool = False
    fingerprints: tuple[str, ...] = ()
    cell: str = ""
    valid_for_s: float | None = None
    quiet: Quiet | None = None
    finished: datetime
    duration_s: float = 0.0


class RunEnd(Record, frozen=True, kw_only=True, tag_field="record", tag="end"):
    """Last line: how the run ended. ``problems`` is empty exactly if it ended normally.

    ``sha256`` is over all lines before it: a file whose facts were changed does not pass for its run's.
    """

    ended: datetime
    problems: tuple[str, ...]
    tests: int
    sha256: str = ""


class Evidence(Record, frozen=True, kw_only=True):
    """A whole evidence file. ``end`` is None for a run that was killed."""

    header: RunHeader
    tests: tuple[TestRecord, ...]
    end: RunEnd | None
    sha256: str
