"""What is signed: evidence as an in-toto test result, a verdict as a SLSA verification summary. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Literal

from msgspec import UNSET

from release_gates import TOOL
from release_gates.model.attestation import (
    STATEMENT,
    TEST_RESULT,
    VERIFICATION_SUMMARY,
    About,
    Predicate,
    Resource,
    TestResult,
    VerificationSummary,
    subjects,
)
from release_gates.model.candidate import ReleaseCandidate
from release_gates.model.evidence import Evidence
from release_gates.model.outcome import Outcome, Severity, worst
from release_gates.model.record import canonical, digest
from release_gates.model.verdict import GateJudgement, Part, TestProblem, Verdict

VERIFIER = "pytest-release-gates"
LEVELS = ("SLSA_BUILD_LEVEL_UNEVALUATED",)
"""A verdict is about gates, and says nothing of how the candidate was built."""


def evidence_statement(
    evidence: Evidence, verdict: Verdict, candidate: ReleaseCandidate, *, signed: datetime
) -> bytes:
    """Return the statement on one evidence file as the verdict judged it.

    A blocking gate of which the file has tests, or of which no file has any, and that is not good enough
    makes it FAILED: whatever is skipped, inconclusive or missing there is never passed over.
    """
    own = {test.id for test in evidence.tests}
    gates = {test.gate for test in evidence.tests}
    judged = [gate for gate in verdict.gates if gate.name in gates or not gate.ran]
    sorted_in = _by_word(evidence, judged, own)
    predicate = TestResult(
        result=_result(evidence, judged, sorted_in),
        configuration=(_rules(verdict),),
        passed=sorted_in["passed"],
        warned=sorted_in["warned"],
        failed=sorted_in["failed"],
        about=About(
            **_about(verdict, signed),
            evidence=(evidence.sha256,),
            skipped=sorted_in["skipped"],
            waived=sorted_in["waived"],
            inconclusive=sorted_in["inconclusive"],
            missing=sorted_in["missing"],
        ),
    )
    return _statement(candidate, TEST_RESULT, predicate)


def verdict_statement(
    verdict: Verdict, candidate: ReleaseCandidate, inputs: Sequence[str], *, signed: datetime
) -> bytes:
    """Return the statement on a verdict; ``inputs`` are the digests of the signed test results."""
    predicate = VerificationSummary(
        verifier={"id": VERIFIER},
        verified=signed,
        resource=f"release-gates:{candidate.name}@{candidate.version}{_route(verdict)}",
        policy=_rules(verdict),
        inputs=tuple(
            Resource(uri=f"release-gates:run/{verdict.run}", digest={"sha256": each}) for each in inputs
        ),
        result="PASSED" if verdict.promotes else "FAILED",
        levels=LEVELS,
        about=About(**_about(verdict, signed), evidence=verdict.inputs.evidence),
    )
    return _statement(candidate, VERIFICATION_SUMMARY, predicate)


def _statement(candidate: ReleaseCandidate, kind: str, predicate: Predicate) -> bytes:
    return canonical(
        {
            "_type": STATEMENT,
            "subject": subjects(candidate),
            "predicateType": kind,
            "predicate": predicate,
        }
    )


def _rules(verdict: Verdict) -> Resource:
    return Resource(name=TOOL, uri="release-gates:rules", digest={"sha256": verdict.inputs.rules})


def _route(verdict: Verdict) -> str:
    """Return what tells whoever compares the resource that a PASSED is not for the normal route."""
    return "" if verdict.route is UNSET else f"?route={verdict.route}"


def _about(verdict: Verdict, signed: datetime) -> dict[str, Any]:
    return {
        "run": verdict.run,
        "environment": verdict.environment,
        "candidate": verdict.candidate.digest,
        "signed": signed,
        "verdict": digest(verdict),
        "route": verdict.route,
    }


def _by_word(
    evidence: Evidence, judged: Iterable[GateJudgement], own: set[str]
) -> dict[str, tuple[str, ...]]:
    """Return the names of tests by what became of each, the worst of all that was said of it."""
    outcomes: dict[str, list[Outcome]] = {test.id: [test.outcome] for test in evidence.tests}
    skipped = {test.id for test in evidence.tests if test.because.startswith("skipped")}
    for gate in judged:
        parts: tuple[Part, ...] = (*gate.limits, *gate.problems)
        for part in parts:
            named = part.test if isinstance(part, TestProblem) else part.test or f"limit {part.name}"
            if named in own or part.outcome is Outcome.MISSING:
                outcomes.setdefault(named or f"gate {gate.name}", []).append(part.outcome)
    found: dict[str, list[str]] = defaultdict(list)
    for name, said in outcomes.items():
        word = _WORDS[_final(said)]
        found["skipped" if word == "inconclusive" and name in skipped else word].append(name)
    return defaultdict(tuple, {word: tuple(sorted(names)) for word, names in found.items()})


_WORDS = {
    Outcome.PASS: "passed",
    Outcome.WARN: "warned",
    Outcome.WAIVED: "waived",
    Outcome.INCONCLUSIVE: "inconclusive",
    Outcome.MISSING: "missing",
    Outcome.ERROR: "failed",
    Outcome.FAIL: "failed",
}


def _final(said: Sequence[Outcome]) -> Outcome:
    """Return the worst; a test's own red is told as waived where the judgement says that it is."""
    own, *judged = said
    return worst(judged) if Outcome.WAIVED in judged else worst([own, *judged])


def _result(
    evidence: Evidence, judged: Sequence[GateJudgement], words: dict[str, tuple[str, ...]]
) -> Literal["PASSED", "WARNED", "FAILED"]:
    blocking = [gate for gate in judged if gate.severity is Severity.BLOCKING and not gate.is_observed]
    ended = evidence.end is not None and not evidence.end.problems
    if not ended or not evidence.tests or not all(gate.outcome.promotes for gate in blocking):
        return "FAILED"
    return "PASSED" if not any(names for word, names in words.items() if word != "passed") else "WARNED"
