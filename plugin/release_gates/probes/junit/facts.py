"""What a JUnit file says: its test cases with what each reports, its suites, its origin."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from release_gates.model.outcome import Outcome

Finding = tuple[Outcome, str]
"""What speaks against a test case, in a sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One ``testcase``: ``findings`` of its final attempt, ``earlier`` those of attempts that were rerun.

    ``outside`` is a failure that its tool reports beside the tests, and leaves out of its counts.
    """

    suite: str
    classname: str
    name: str
    place: str
    findings: tuple[Finding, ...] = ()
    earlier: tuple[Finding, ...] = ()
    failures: int = 0
    errors: int = 0
    skips: int = 0
    duration_s: float = 0.0
    taken: datetime | None = None
    outside: bool = False

    @property
    def id(self) -> str:
        """Name of this test in expected files, without a cell."""
        return f"junit:{self.suite}::{self.classname}::{self.name}"

    @property
    def is_skipped(self) -> bool:
        """Whether it was only skipped: it says nothing, neither good nor bad."""
        return bool(self.findings) and all(found is Outcome.INCONCLUSIVE for found, _ in self.findings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One file: ``commits`` are the properties that name a commit, ``taken`` its oldest timestamp, or when
    it was written; ``dated`` tells which.

    ``repeats`` tells that its tool writes every attempt of a rerun test as a test case of its own.
    """

    file: str
    cases: tuple[Case, ...]
    taken: datetime
    tool: str = ""
    version: str = ""
    commits: tuple[tuple[str, str], ...] = ()
    dated: bool = False
    repeats: bool = False
