"""Verdicts: what was decided, and every reason for it."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from release_gates.model.outcome import Outcome, Severity
from release_gates.model.record import SCHEMA, Record


class LimitJudgement(Record, frozen=True, kw_only=True):
    """One rule applied to one measurement, or to none (MISSING)."""

    name: str
    outcome: Outcome
    because: str
    measured: str
    allowed: str
    test: str = ""


class TestProblem(Record, frozen=True, kw_only=True):
    """One test that is not simply green; ``run`` names the earlier run that it comes from, if any."""

    __test__ = False

    test: str
    outcome: Outcome
    because: str
    run: str = ""


class GateJudgement(Record, frozen=True, kw_only=True):
    """One gate's outcome with everything that led to it."""

    name: str
    owner: str
    severity: Severity
    outcome: Outcome
    because: str
    expected: int
    ran: int
    limits: tuple[LimitJudgement, ...]
    problems: tuple[TestProblem, ...]


class Reason(Record, frozen=True, kw_only=True):
    """One reason against promotion, in a sentence; ``gate`` is empty for what concerns the whole run."""

    outcome: Outcome
    sentence: str
    gate: str = ""
    test: str = ""


class CandidateName(Record, frozen=True, kw_only=True):
    """How a verdict names the candidate that it is about."""

    name: str
    version: str
    commit: str
    digest: str


class Inputs(Record, frozen=True, kw_only=True):
    """Digests of all that ``decide`` was given: a verdict can be replayed byte for byte."""

    rules: str
    evidence: tuple[str, ...]
    history: str


class Verdict(Record, frozen=True, kw_only=True):
    """The answer to "may this candidate enter this environment?"."""

    schema: int = SCHEMA
    verdict: Literal["PROMOTE", "HOLD"]
    kind: Literal["", "broken", "not proven"]
    because: str
    environment: str
    candidate: CandidateName
    run: str
    local: bool
    attempt: int
    attempts_allowed: int
    decided: datetime
    gates: tuple[GateJudgement, ...]
    reasons: tuple[Reason, ...]
    inputs: Inputs

    @property
    def promotes(self) -> bool:
        """Whether the candidate may enter."""
        return self.verdict == "PROMOTE"

    @property
    def title(self) -> str:
        """``PROMOTE``, ``HOLD (broken)`` or ``HOLD (not proven)``."""
        return f"{self.verdict} ({self.kind})" if self.kind else self.verdict
