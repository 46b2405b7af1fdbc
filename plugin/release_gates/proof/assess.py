"""What evidence says of a planted defect. Pure: the gate is judged as a decision would judge it, alone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Literal, NamedTuple

import msgspec

from release_gates.judge.decide import decide
from release_gates.model.event import History, Live
from release_gates.model.evidence import Evidence
from release_gates.model.gate import GateSpec, Policy
from release_gates.model.outcome import Mode, Outcome, Severity
from release_gates.model.proof import Matrix, ProofOutcome
from release_gates.model.verdict import GateJudgement, LimitJudgement, TestProblem
from release_gates.policy.selection import expected_in

Standing = Literal["proven", "broken", "not proven"]


class Judged(NamedTuple):
    """One gate on one candidate. ``because`` is why this proves nothing, "" if it proves something."""

    gate: GateJudgement | None
    because: str = ""


class Finding(NamedTuple):
    """What became of a defect, in a word and a sentence, and which tests were red."""

    outcome: ProofOutcome
    said: str
    tests: tuple[str, ...] = ()


def judge_alone(
    gate: GateSpec, *, policy: Policy, evidence: Evidence, live: Live | None, now: datetime
) -> Judged:
    """Judge one gate of the evidence's environment by ``decide``, as if it were the only one.

    Earlier runs do not count: a proof is no attempt. Evidence proves nothing unless pytest ended normally and
    every expected test ran, whatever else is red.
    """
    environment = policy.environment(evidence.header.environment)
    if environment is None:
        return Judged(None, f"the policy has no environment {evidence.header.environment}")
    blocking = msgspec.structs.replace(gate, severity=Severity.BLOCKING, mode=Mode.ENFORCE)
    expected = expected_in(policy, environment).get(gate.name, ())
    verdict = decide(
        msgspec.structs.replace(environment, gates=(blocking,), local_may_promote=True),
        rules=policy.digest,
        expected={gate.name: expected},
        evidence=[evidence],
        history=History(live=live),
        now=now,
        local=True,
        run=evidence.header.run,
    )
    of_the_run = [reason.sentence for reason in verdict.reasons if not reason.gate]
    ran = {record.id for record in evidence.tests if record.gate == gate.name}
    absent = [] if expected and ran.issuperset(expected) else _missing(verdict.gates[0])
    return Judged(verdict.gates[0], next(iter([*of_the_run, *absent]), ""))


def classify(message: str, judged: Judged, outcome: Outcome = Outcome.FAIL) -> Finding:
    """Return what became of a defect for which its gate had to be ``outcome`` and to say ``message``.

    Caught only if the gate is exactly that and one of its reasons for it contains the message as whole words.
    """
    gate = judged.gate
    if gate is None or judged.because:
        return Finding(ProofOutcome.NOT_PROVEN, judged.because or "nothing was judged")
    if gate.outcome in (outcome, Outcome.FAIL):
        return _red(message, gate, outcome)
    if gate.outcome in (Outcome.PASS, Outcome.WARN):
        return Finding(ProofOutcome.MISSED, f"{gate.name} stayed {gate.outcome}")
    return Finding(ProofOutcome.NOT_PROVEN, f"{gate.name} is {gate.outcome}: {gate.because}")


def says(sentence: str, message: str) -> bool:
    """Tell whether a sentence contains a message as whole words and numbers.

    ``is 1`` is neither in ``is 12`` nor in ``is 1.5``; the end of a measurement's name stands for it
    (``p99 is`` for ``order.p99 is``), its beginning does not (``order.p99`` for ``order.p99@steady``).
    """
    before = r"(?<![\w@/-])" if re.match(r"\w", message) else ""
    after = r"(?![\w@/-]|\.\w)" if re.search(r"\w$", message) else ""
    return bool(message) and re.search(f"{before}{re.escape(message)}{after}", sentence) is not None


def is_red(judged: Judged) -> bool:
    """Tell whether a gate was measured and bad."""
    return judged.gate is not None and not judged.because and judged.gate.outcome is Outcome.FAIL


def standing(matrix: Matrix) -> Standing:
    """Return whether every guarded defect is caught, no gate is without one, and the clean system green."""
    wrong = any(proof.outcome.wrong for proof in matrix.proofs)
    if wrong or matrix.bare or any(clean.outcome is Outcome.FAIL for clean in matrix.clean):
        return "broken"
    caught = all(proof.outcome is ProofOutcome.CAUGHT for proof in matrix.guarded)
    green = all(clean.green for clean in matrix.clean)
    return "proven" if caught and green and matrix.guarded else "not proven"


def _red(message: str, gate: GateJudgement, outcome: Outcome) -> Finding:
    parts: list[LimitJudgement | TestProblem] = [*gate.problems, *gate.limits]
    reds = [part for part in parts if part.outcome is gate.outcome]
    tests = tuple(dict.fromkeys(part.test for part in reds if part.test))
    named = [part.because for part in reds if says(_reason(part), message)]
    if named and gate.outcome is outcome:
        return Finding(ProofOutcome.CAUGHT, named[0], tests)
    return Finding(ProofOutcome.OTHER_REASON, _first([part.because for part in reds]) or gate.because, tests)


def _reason(part: LimitJudgement | TestProblem) -> str:
    """Return a part's sentence without the test's name, which stands there whatever the reason is."""
    name = part.test.rsplit("::", 1)[-1] if isinstance(part, TestProblem) else ""
    return part.because.removeprefix(name)


def _first(sentences: Sequence[str]) -> str:
    more = f" (and {len(sentences) - 1} more)" if len(sentences) > 1 else ""
    return f"{sentences[0]}{more}" if sentences else ""


def _missing(gate: GateJudgement) -> list[str]:
    missing = [problem.because for problem in gate.problems if problem.outcome is Outcome.MISSING]
    return missing or [f"not every expected test of {gate.name} ran"]
