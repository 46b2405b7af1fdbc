"""How many limits and tests held: the same counts in the terminal's words, on the page and in CI files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from release_gates.model.outcome import Outcome, Severity
from release_gates.model.verdict import GateJudgement, LimitJudgement, TestProblem, Verdict

NOT_PROVEN = frozenset({Outcome.INCONCLUSIVE, Outcome.MISSING, Outcome.ERROR})


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Counts over some gates.

    ``broken`` are limits; ``waived`` and ``not_proven`` are limits and tests that somebody accepts, and that
    could not be decided;
    ``failed`` are tests that were red by themselves; ``passed`` of ``tests`` expected ones are in order.
    """

    limits: int
    broken: int
    waived: int
    not_proven: int
    failed: int
    passed: int
    tests: int

    @property
    def sentence(self) -> str:
        """The counts in words; what is zero and no news is left out."""
        parts = [
            f"{self.broken} of {count(self.limits, 'limit')} broken"
            if self.limits
            else "no limit was asked for",
            f"{count(self.failed, 'test')} failed" if self.failed else "",
            f"{count(self.not_proven, 'check')} not proven" if self.not_proven else "",
            f"{self.passed} of {count(self.tests, 'test')} passed",
            f"{self.waived} waived" if self.waived else "",
        ]
        return ", ".join(part for part in parts if part)


def holding(verdict: Verdict) -> tuple[GateJudgement, ...]:
    """Return the gates that can hold a candidate: blocking, and not only observed."""
    return tuple(
        gate for gate in verdict.gates if gate.severity is Severity.BLOCKING and not gate.is_observed
    )


def telling(verdict: Verdict) -> tuple[GateJudgement, ...]:
    """Return the gates that hold nothing: advisory, info, or only observed."""
    held = {gate.name for gate in holding(verdict)}
    return tuple(gate for gate in verdict.gates if gate.name not in held)


def tally(gates: Sequence[GateJudgement]) -> Tally:
    """Count over some gates."""
    limits = [limit for gate in gates for limit in gate.limits]
    problems = [problem for gate in gates for problem in gate.problems]
    parts: list[LimitJudgement | TestProblem] = [*limits, *problems]
    expected = sum(gate.expected for gate in gates)
    return Tally(
        limits=len(limits),
        broken=sum(limit.outcome is Outcome.FAIL for limit in limits),
        waived=sum(part.outcome is Outcome.WAIVED for part in parts),
        not_proven=sum(part.outcome in NOT_PROVEN for part in parts),
        failed=len({problem.test for problem in problems if problem.outcome is Outcome.FAIL}),
        passed=sum(_passed(gate) for gate in gates),
        tests=expected,
    )


def count(number: int, noun: str) -> str:
    """Return a number with its noun."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}".replace(",", " ")


def _passed(gate: GateJudgement) -> int:
    """Return how many of a gate's tests ran and have nothing against them; never more than expected."""
    parts: list[LimitJudgement | TestProblem] = [*gate.limits, *gate.problems]
    bad = {part.test for part in parts if part.test and not part.outcome.promotes}
    return max(0, min(gate.expected, gate.ran - len(bad)))
