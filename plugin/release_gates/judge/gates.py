"""One gate: its expected tests, its limits, and what earlier runs say, folded by worst-of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

import msgspec

from release_gates.judge.limits import allowed, judge_measurements
from release_gates.judge.waived import (
    TEST_OUTCOMES,
    judge_waived,
    waive_earlier,
    waive_nothing,
    waive_problem,
)
from release_gates.judge.waivers import Waiving
from release_gates.model.event import History
from release_gates.model.evidence import Evidence, TestRecord
from release_gates.model.gate import GateSpec, observed
from release_gates.model.limit import LimitRule
from release_gates.model.outcome import Outcome, worst
from release_gates.model.record import CLOCK_TOLERANCE
from release_gates.model.verdict import GateJudgement, LimitJudgement, TestProblem, unmeasured

PHASES = frozenset({"setup", "call", "teardown"})
NAMED = 3
"""So many test names stand in a sentence before "and N more"."""


def judge_gate(
    spec: GateSpec,
    *,
    expected: Sequence[str] | None,
    evidence: Sequence[Evidence],
    history: History,
    waiving: Waiving,
) -> GateJudgement:
    """Fold everything that is known of one gate; a gate is as bad as its worst part."""
    now = waiving.now
    records = gate_records(spec, evidence, history)
    fresh = [record for record in records if not _stale(spec, record, now)]
    ran = frozenset(record.id for record in fresh)
    known = frozenset(expected or ())
    limits = tuple(_limits(spec, fresh, history, waiving))
    problems = (
        *_expectation(spec, expected, ran),
        *_absent_cells(spec, fresh),
        *(_stale_problem(spec, record) for record in records if _stale(spec, record, now)),
        *(problem for record in fresh for problem in _test_problems(spec, record, known, waiving)),
        *_earlier(spec, history, waiving),
    )
    parts: list[LimitJudgement | TestProblem] = [*limits, *problems]
    outcome = worst([Outcome.PASS, *(part.outcome for part in parts)])
    return GateJudgement(
        name=spec.name,
        owner=spec.owner,
        severity=spec.severity,
        outcome=outcome,
        because=next((part.because for part in parts if part.outcome is outcome), ""),
        expected=len(expected or ()),
        ran=len(ran),
        limits=limits,
        problems=problems,
        mode="observe" if observed(spec, now) else msgspec.UNSET,
        observe_until=spec.observe_until if observed(spec, now) and spec.observe_until else msgspec.UNSET,
    )


def gate_records(spec: GateSpec, evidence: Sequence[Evidence], history: History) -> list[TestRecord]:
    """Return what was recorded of a gate's tests, one record a test in each part."""
    return [record for part in evidence for record in _by_test(part.tests, spec, history)]


def _by_test(records: Sequence[TestRecord], spec: GateSpec, history: History) -> list[TestRecord]:
    """Return one record a test. Where a test was recorded again, every earlier attempt counts as it stood."""
    tests: dict[str, TestRecord] = {}
    for record in records:
        if record.gate != spec.name:
            continue
        earlier = tests.get(record.id)
        tests[record.id] = record if earlier is None else _again(earlier, record, spec, history)
    return list(tests.values())


def _again(earlier: TestRecord, record: TestRecord, spec: GateSpec, history: History) -> TestRecord:
    limits = judge_measurements(spec.limits, earlier.measurements, live=history.live)
    before = worst([earlier.outcome, *(limit.outcome for limit in limits)])
    because = next((limit.because for limit in limits if limit.outcome is before), earlier.because)
    bad = before if before.rank > record.outcome.rank else record.outcome
    return msgspec.structs.replace(
        record,
        outcome=bad,
        because=because if bad is before else record.because,
        attempts=max(record.attempts, earlier.attempts + 1),
        network_only=record.network_only and earlier.network_only,
        fingerprints=(
            *earlier.fingerprints,
            *record.fingerprints,
            *("" for each in limits if each.outcome.rank),
        ),
    )


def own_outcome(spec: GateSpec, record: TestRecord) -> Outcome:
    """Return a test's own outcome, without limits: the worst attempt, unless policy allows its reruns."""
    if record.attempts > 1 and record.outcome is not Outcome.PASS and _rerun_allowed(spec, record):
        return Outcome.WARN
    return record.outcome


def _rerun_allowed(spec: GateSpec, record: TestRecord) -> bool:
    rule = spec.reruns
    if rule is None or record.last is not Outcome.PASS or record.attempts - 1 > rule.most:
        return False
    return rule.only == "any" or record.network_only


def _stale(spec: GateSpec, record: TestRecord, now: datetime) -> bool:
    age = now - record.finished
    return age < -CLOCK_TOLERANCE or age.total_seconds() > _valid_for_s(spec, record)


def _valid_for_s(spec: GateSpec, record: TestRecord) -> float:
    """Return for how long a record holds: it may ask for less than the policy, never for more."""
    own = record.valid_for_s
    return spec.valid_for_s if own is None else min(spec.valid_for_s, own)


def _stale_problem(spec: GateSpec, record: TestRecord) -> TestProblem:
    taken, hours = f"{record.finished:%Y-%m-%d %H:%M}", _valid_for_s(spec, record) / 3600
    return _missing(f"evidence of {taken} UTC is not from the last {hours:g} h", record.id)


def _expectation(
    spec: GateSpec, expected: Sequence[str] | None, ran: frozenset[str]
) -> Iterator[TestProblem]:
    file = f"gates/expected/{spec.name}.txt"
    if expected is None:
        yield _missing(f"{file} does not exist, so nobody knows which tests must run: `release-gates expect`")
    elif not expected:
        yield _missing(f"{file} names no test: a gate without tests proves nothing")
    elif absent := [test for test in expected if test not in ran]:
        yield _missing(_absent(absent), absent[0])


def _absent_cells(spec: GateSpec, records: Sequence[TestRecord]) -> Iterator[TestProblem]:
    """Each cell of the gate's matrix has to be there, whatever the expected tests say."""
    present = {record.cell for record in records}
    for cell in spec.cells:
        if cell not in present:
            yield _missing(f"nothing ran in {cell}, which the matrix of {spec.name} asks for")


def _absent(tests: Sequence[str]) -> str:
    noun = "expected test did" if len(tests) == 1 else "expected tests did"
    more = f" and {len(tests) - NAMED} more" if len(tests) > NAMED else ""
    return f"{len(tests)} {noun} not run: {', '.join(tests[:NAMED])}{more}"


def _missing(because: str, test: str = "") -> TestProblem:
    return TestProblem(test=test, outcome=Outcome.MISSING, because=because)


def _test_problems(
    spec: GateSpec, record: TestRecord, expected: frozenset[str], waiving: Waiving
) -> Iterator[TestProblem]:
    if record.id not in expected:
        yield TestProblem(
            test=record.id,
            outcome=Outcome.ERROR,
            because=f"ran but is not expected: `{_teacher(record.id)}` adds {record.id}",
        )
    if absent := PHASES.difference(record.phases):
        yield _missing(f"{record.id} has no report of its {' and '.join(sorted(absent))}", record.id)
    outcome = own_outcome(spec, record)
    if outcome is Outcome.WAIVED:
        because = f"{record.id}: the evidence says WAIVED, and only a decision may say that"
        yield TestProblem(test=record.id, outcome=Outcome.ERROR, because=because)
    elif outcome is not Outcome.PASS:
        because = _test_sentence(record, outcome)
        known = (
            record.fingerprints[0] if outcome in TEST_OUTCOMES and len({*record.fingerprints}) == 1 else ""
        )
        problem = TestProblem(
            test=record.id, outcome=outcome, because=because, fingerprint=known or msgspec.UNSET
        )
        yield waive_problem(problem, record, waiving)


def _teacher(test: str) -> str:
    """Return the command that adds a test to the expected ones: by where its result comes from."""
    kind = test.partition(":")[0]
    known = {
        "junit": "release-gates import junit --expect",
        "sarif": "release-gates import sarif --expect",
        "attested": "release-gates record --expect",
    }
    return known.get(kind, "release-gates expect")


def _test_sentence(record: TestRecord, outcome: Outcome) -> str:
    name = record.id.rsplit("::", 1)[-1]
    reruns = f" in one of {record.attempts} attempts" if record.attempts > 1 else ""
    if outcome is Outcome.WARN and record.outcome is not Outcome.WARN:
        return f"{name} is green only after {record.attempts - 1} allowed rerun(s): {record.because}"
    return f"{name}{reruns}: {record.because or outcome.value}"


def _limits(
    spec: GateSpec, records: Sequence[TestRecord], history: History, waiving: Waiving
) -> Iterator[LimitJudgement]:
    measured = [record for record in records if record.measurements]
    for rule in spec.limits:
        judged = [
            judgement
            for record in measured
            for judgement in judge_waived(
                [rule], record.measurements, live=history.live, waiving=waiving, test=record.id
            )
        ]
        yield from judged or [waive_nothing(_unmeasured(rule), waiving)]


def _unmeasured(rule: LimitRule) -> LimitJudgement:
    return LimitJudgement(
        name=rule.name,
        outcome=Outcome.MISSING,
        because=unmeasured(rule.name, allowed(rule)),
        measured="-",
        allowed=allowed(rule),
    )


def _earlier(spec: GateSpec, history: History, waiving: Waiving) -> Iterator[TestProblem]:
    for failure in history.failures:
        if failure.gate == spec.name:
            problem = TestProblem(
                test=failure.test,
                outcome=Outcome.FAIL,
                because=f"failed for these digests in run {failure.run}, and no later run replaces that: "
                f"{failure.because}",
                run=failure.run,
            )
            yield waive_earlier(problem, failure, history.live, waiving)
