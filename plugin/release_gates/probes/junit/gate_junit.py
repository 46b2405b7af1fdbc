"""Results of the candidate's own unit tests, from the JUnit XML that the build made an artifact."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from release_gates.model.evidence import TestRecord
from release_gates.model.outcome import Outcome
from release_gates.probes.junit.faults import absent
from release_gates.probes.junit.reader import check_commit, read_junit
from release_gates.probes.junit.records import to_records
from release_gates.probes.junit.settings import JunitSettings

NAMED = 3
"""So many tests stand in a sentence before "and N more"."""


class Candidate(Protocol):
    """What this probe needs of the candidate."""

    @property
    def commit(self) -> str:
        """Return the id of the commit it was built from."""

    def artifact(self, name: str) -> Path:
        """Return the artifact from the store, hashed again; raises GateError."""


class Gate(Protocol):
    """What this probe needs of the fixture ``gate``."""

    @property
    def candidate(self) -> Candidate:
        """Return the candidate."""

    @property
    def name(self) -> str:
        """Return the gate's name."""

    def settings(self, kind: type[JunitSettings]) -> JunitSettings:
        """Return the probe's settings from policy."""

    def measure(self, name: str, value: float, unit: str, *, samples: int | None = None) -> None:
        """Record a measurement."""

    def attach(self, name: str, path: Path) -> None:
        """Keep a file with the evidence."""


class GateJunit:
    """The unit tests of one candidate, judged test case by test case."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    def measure(
        self, artifact: str, *, name: str, expected: Iterable[str], key: Callable[[str], str]
    ) -> None:
        """Judge every test case in an artifact of the candidate.

        ``expected`` are the tests that have to be there, and ``key`` says of a test's id in the file
        (``junit:SUITE::CLASS::NAME``) which of them it is. Measures ``NAME.failed`` and ``NAME.not_run`` in
        ``count``, with the number of test cases as samples. Raises AssertionError (FAIL) that names failed
        tests, and MeasurementError for a report that is unreadable, empty, contradictory or about another
        commit, and where no test is expected, or one that is was absent or not run.
        """
        file = self._gate.candidate.artifact(artifact)
        self._gate.attach(artifact, file)
        records = self._records(artifact, file)
        wanted = set(expected)
        if not wanted:
            raise absent(artifact, "no test is expected of it, so nobody can tell whether one is lost")
        ran = [record for record in records if record.outcome is not Outcome.INCONCLUSIVE]
        red = [record for record in ran if not record.outcome.promotes]
        lost = sorted(wanted - {key(record.id) for record in ran})
        self._gate.measure(f"{name}.failed", len(red), "count", samples=len(records))
        self._gate.measure(f"{name}.not_run", len(lost), "count", samples=len(records))
        if red:
            raise AssertionError(f"{_tests(len(red))} failed: {_some([_told(record) for record in red])}")
        if lost:
            raise absent(artifact, f"{_tests(len(lost))} did not run: {_some(lost)}")

    def _records(self, artifact: str, file: Path) -> tuple[TestRecord, ...]:
        settings = self._gate.settings(JunitSettings)
        written = datetime.fromtimestamp(file.stat().st_mtime, UTC)
        report = read_junit(artifact, file.read_bytes(), written=written, commit_keys=settings.commit)
        check_commit(report, self._gate.candidate.commit, required=settings.commit_required)
        return to_records([report], gate=self._gate.name, cell="")


def _told(record: TestRecord) -> str:
    return f"{record.id.removeprefix('junit:')} ({record.because})"


def _tests(number: int) -> str:
    return f"{number} unit test{'s' if number != 1 else ''}"


def _some(names: list[str]) -> str:
    more = f"; and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"{'; '.join(names[:NAMED])}{more}"
