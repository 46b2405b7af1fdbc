"""What a gate's waivers make of what does not hold: WAIVED, or as bad as it was, with a word on why.

A waiver for a limit is another, wider rule for one measurement: the same facts are judged once more by it,
and only PASS or WARN is covered. So an INCONCLUSIVE value is covered where all that it may as well be is
within the bound. A waiver for a test covers the one failure whose fingerprint it names. MISSING, a value that
could not be measured, a skipped test, and what broke in setup or teardown are never covered: nobody knows how
bad they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

import msgspec

from release_gates.judge.limits import judge_rule, matches
from release_gates.judge.waivers import Waiving, covering, not_counting, void_because
from release_gates.model.candidate import ReleaseCandidate
from release_gates.model.event import Live, PriorFailure, ShortPart
from release_gates.model.evidence import TestRecord
from release_gates.model.gate import EnvironmentPolicy, GateSpec
from release_gates.model.limit import Limit, LimitRule
from release_gates.model.measurement import Measurement
from release_gates.model.outcome import Outcome
from release_gates.model.verdict import GateJudgement, LimitJudgement, TestProblem
from release_gates.model.waiver import Waived, Waiver, WaiverUse

LIMIT_OUTCOMES = frozenset({Outcome.FAIL, Outcome.INCONCLUSIVE})
TEST_OUTCOMES = frozenset({Outcome.FAIL, Outcome.ERROR})


def judge_waived(
    rules: Sequence[LimitRule],
    measurements: Sequence[Measurement],
    *,
    live: Live | None,
    waiving: Waiving,
    test: str = "",
) -> tuple[LimitJudgement, ...]:
    """Apply every rule to every measurement that its name matches, and waive what waivers cover."""
    return tuple(
        _waive_limit(judge_rule(rule, each, live=live, test=test), rule, each, live, waiving)
        for rule in rules
        for each in measurements
        if matches(rule.name, each.name)
    )


def waive_nothing(judged: LimitJudgement, waiving: Waiving) -> LimitJudgement:
    """Return a limit that nothing measured, with a word on the waivers that do not cover that."""
    named = waiving.named(limit=judged.name)
    if not named:
        return judged
    return msgspec.structs.replace(judged, because=f"{judged.because}; {_too_little(named, judged)}")


def waive_problem(problem: TestProblem, record: TestRecord, waiving: Waiving) -> TestProblem:
    """Return a test's own failure as WAIVED if each failure in it is one that a waiver names."""
    named = waiving.named(test=record.id)
    if problem.outcome not in TEST_OUTCOMES or not named:
        return problem
    told = covering(record.fingerprints, named, waiving)
    if isinstance(told, str):
        return msgspec.structs.replace(problem, because=f"{problem.because}; {told}")
    waived = _waived(told, problem.outcome)
    return msgspec.structs.replace(
        problem,
        outcome=Outcome.WAIVED,
        because=f"{problem.because}; {waived.sentence}",
        waived=waived,
    )


def waive_earlier(
    problem: TestProblem, failure: PriorFailure, live: Live | None, waiving: Waiving
) -> TestProblem:
    """Return an earlier run's FAIL as WAIVED if waivers that count now cover every part of it."""
    parts = () if failure.parts is msgspec.UNSET else failure.parts
    found = [_of_part(part, live, waiving) for part in parts]
    covered = [each for each in found if each is not None]
    if not covered or len(covered) < len(found) or failure.test not in {part.test for part in parts}:
        return problem
    waived = min(covered, key=lambda each: each.expires)
    return msgspec.structs.replace(
        problem, outcome=Outcome.WAIVED, because=f"{problem.because}; {waived.sentence}", waived=waived
    )


def shortfalls(
    spec: GateSpec, records: Iterable[TestRecord], own: Iterable[Outcome], live: Live | None
) -> Iterator[ShortPart]:
    """Yield everything of a gate that is FAIL, waived or not: what a later run's waivers are held against.

    ``own`` is each test's own outcome.
    """
    for record, outcome in zip(records, own, strict=True):
        if outcome is Outcome.FAIL:
            yield ShortPart(gate=spec.name, test=record.id, fingerprints=record.fingerprints or ("",))
        for each in record.measurements:
            judged = [
                judge_rule(rule, each, live=live) for rule in spec.limits if matches(rule.name, each.name)
            ]
            if any(limit.outcome is Outcome.FAIL for limit in judged):
                yield ShortPart(gate=spec.name, test=record.id, measurement=each)


def uses(
    waivers: Sequence[Waiver],
    environment: EnvironmentPolicy,
    gates: Sequence[GateJudgement],
    *,
    candidate: ReleaseCandidate,
    now: datetime,
) -> tuple[WaiverUse, ...]:
    """Return what became of each waiver for this entry, in the order of the policy."""
    return tuple(
        _use(each, gate, environment, gates, candidate, now)
        for each in waivers
        if each.environment == environment.name and (gate := environment.gate(each.gate)) is not None
    )


def _use(
    waiver: Waiver,
    spec: GateSpec,
    environment: EnvironmentPolicy,
    gates: Sequence[GateJudgement],
    candidate: ReleaseCandidate,
    now: datetime,
) -> WaiverUse:
    void = void_because(waiver, environment=environment, gate=spec, candidate=candidate, now=now)
    needed = any(_bears(part, waiver) for gate in gates if gate.name == waiver.gate for part in gate.waived)
    because = f"does not count: {void}" if void else f"in force until {waiver.until}"
    return WaiverUse(
        waiver=waiver.name,
        gate=waiver.gate,
        subject=waiver.subject,
        state="void" if void else "used" if needed else "unused",
        because=because if void or needed else f"not used: nothing in this run needed it; {because}",
    )


def _bears(part: LimitJudgement | TestProblem, waiver: Waiver) -> bool:
    """Tell whether something waived is what a waiver names, also where a shorter one beside it is shown."""
    if part.waived is not msgspec.UNSET and part.waived.waiver == waiver.name:
        return True
    return isinstance(part, LimitJudgement) and part.name == waiver.limit


def _of_part(part: ShortPart, live: Live | None, waiving: Waiving) -> Waived | None:
    if part.measurement is None:
        named = waiving.named(test=part.test)
        told = covering(part.fingerprints, named, waiving)
        return None if isinstance(told, str) else _waived(told, Outcome.FAIL)
    judged = judge_waived(waiving.gate.limits, [part.measurement], live=live, waiving=waiving, test=part.test)
    broken = [each for each in judged if each.outcome not in (Outcome.PASS, Outcome.WARN)]
    waived = [each.waived for each in broken if each.outcome is Outcome.WAIVED and each.waived]
    if not waived or len(waived) < len(broken):
        return (
            None  # not covered, or not even broken by the rules of today: nobody can tell by what it failed
        )
    return min(waived, key=lambda each: each.expires)


def _waive_limit(
    judged: LimitJudgement, rule: LimitRule, measurement: Measurement, live: Live | None, waiving: Waiving
) -> LimitJudgement:
    named = waiving.named(limit=measurement.name)
    if judged.outcome.promotes or not named:
        return judged
    void = {each.name: waiving.void(each) for each in named}
    counting = [each for each in named if not void[each.name]]
    short = [each for each in counting if not _covers(each, judged, rule, measurement, live)]
    if counting and not short:
        waived = _waived(counting, judged.outcome)
        because = f"{judged.because}; {waived.sentence}"
        return msgspec.structs.replace(judged, outcome=Outcome.WAIVED, because=because, waived=waived)
    why = _too_little(short, judged) if short else not_counting(named, void)
    return msgspec.structs.replace(judged, because=f"{judged.because}; {why}")


def _covers(
    waiver: Waiver, judged: LimitJudgement, rule: LimitRule, measurement: Measurement, live: Live | None
) -> bool:
    """Judge the same facts by the waiver's bounds: a bound stands in for the rule's, and adds none."""
    if judged.outcome not in LIMIT_OUTCOMES or measurement.absent or measurement.value is None:
        return False
    wider = msgspec.structs.replace(
        rule,
        limit=_instead(rule.limit, waiver.bound),
        baseline=_instead(rule.baseline, waiver.change),
        target=None,
    )
    return judge_rule(wider, measurement, live=live).outcome in (Outcome.PASS, Outcome.WARN)


def _instead(own: Limit | None, bound: Limit | None) -> Limit | None:
    """Return the waiver's bound for the rule's, in the same windows: a mean tells no worst second."""
    if own is None or bound is None:
        return own
    return msgspec.structs.replace(bound, window_s=own.window_s)


def _waived(waivers: Sequence[Waiver], was: Outcome) -> Waived:
    """Return the record of a waiver: of several that all cover it, the one that ends first."""
    first = min(waivers, key=lambda each: (each.expires, each.name))
    return Waived(
        waiver=first.name,
        was=was,
        bounds=first.bounds,
        reason=first.reason,
        ticket=first.ticket,
        owner=first.owner,
        approver=first.approver,
        expires=first.expires,
    )


def _too_little(short: Sequence[Waiver], judged: LimitJudgement) -> str:
    named = ", ".join(f"{each.name} ({each.bounds})" for each in short)
    if judged.outcome not in LIMIT_OUTCOMES:
        return f"waiver {named} does not cover what is {judged.outcome}"
    return f"it is not within the bound of waiver {named}"
