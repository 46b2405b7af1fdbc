"""May this candidate enter this environment? A pure function of policy, evidence, history and clock."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from msgspec import UNSET

from release_gates.judge.gates import gate_records, judge_gate, own_outcome
from release_gates.judge.waived import shortfalls, uses
from release_gates.judge.waivers import Waiving
from release_gates.model.event import History, ShortPart
from release_gates.model.evidence import Evidence, Source
from release_gates.model.gate import EnvironmentPolicy, observed
from release_gates.model.outcome import Outcome, Severity
from release_gates.model.record import CLOCK_TOLERANCE, digest
from release_gates.model.route import BREAK_GLASS, named_route
from release_gates.model.verdict import CandidateName, GateJudgement, Inputs, Reason, Verdict, first_of
from release_gates.model.waiver import Waiver


def decide(
    environment: EnvironmentPolicy,
    *,
    rules: str,
    expected: Mapping[str, Sequence[str]],
    evidence: Sequence[Evidence],
    history: History,
    now: datetime,
    local: bool,
    run: str,
    waivers: Sequence[Waiver] = (),
    elsewhere: str = "",
) -> Verdict:
    """Return PROMOTE only if nothing at all speaks against it.

    ``rules`` is the digest of the policy in force, ``expected`` the node ids by gate, ``evidence`` one
    or more parts of one run (same candidate, same rules), ``local`` whether the ledger is unsigned scratch.
    The same arguments give the same verdict, byte for byte. A gate that is only observed gives no reason
    against promotion; what it would have given stands beside. An entry that is only observed is decided as if
    it were enforced. ``waivers`` are all that the policy has; what one covers is WAIVED, never better.
    ``elsewhere`` is the folder of a policy that is not the project's own: then the verdict is LOCAL, too.
    ``environment`` is the entry as one route asks for it; on the route of an emergency no waiver counts.
    """
    candidate = evidence[0].header.candidate
    if environment.route_name == BREAK_GLASS:
        waivers = ()
    gates = tuple(
        judge_gate(
            spec,
            expected=expected.get(spec.name),
            evidence=evidence,
            history=history,
            waiving=Waiving(
                waivers=tuple(waivers), environment=environment, gate=spec, candidate=candidate, now=now
            ),
        )
        for spec in environment.gates
    )
    entry_observed = observed(environment, now)
    enforced = [gate for gate in gates if not gate.is_observed]
    reasons = _worst_first(
        *_run_reasons(environment, rules, evidence, now),
        *_another_baseline(environment, evidence, history),
        *(() if entry_observed else _nothing_enforced(environment, gates)),
        *_history_reasons(environment, history),
        *_left_out_failures(environment, history),
        *_local_reasons(environment, local, elsewhere),
        *_gate_reasons(enforced),
    )
    would_hold = _worst_first(*_gate_reasons([gate for gate in gates if gate.is_observed]))
    broken = any(reason.outcome is Outcome.FAIL for reason in reasons)
    return Verdict(
        verdict="HOLD" if reasons else "PROMOTE",
        kind="broken" if broken else "not proven" if reasons else "",
        because=_sentence(reasons, enforced)
        + _beside(would_hold, len(gates) - len(enforced))
        + _unproven(environment),
        environment=environment.name,
        candidate=CandidateName(
            name=candidate.name, version=candidate.version, commit=candidate.commit, digest=candidate.digest
        ),
        run=run,
        local=local or bool(elsewhere),
        elsewhere=elsewhere or UNSET,
        route=environment.route.name if environment.route else UNSET,
        left_out=environment.left_out if environment.route else UNSET,
        attempt=len(history.unproven_runs) + 1,
        attempts_allowed=environment.attempts,
        decided=now,
        gates=gates,
        reasons=reasons,
        inputs=Inputs(
            rules=rules,
            evidence=tuple(part.sha256 for part in evidence),
            history=digest(history),
            waivers=digest(waivers) if waivers else UNSET,
        ),
        mode="observe" if entry_observed else UNSET,
        observe_until=environment.observe_until if entry_observed and environment.observe_until else UNSET,
        observed=would_hold if len(enforced) < len(gates) else UNSET,
        waivers=uses(waivers, environment, gates, candidate=candidate, now=now) if waivers else UNSET,
    )


def short_parts(
    environment: EnvironmentPolicy, *, evidence: Sequence[Evidence], history: History, now: datetime
) -> tuple[ShortPart, ...]:
    """Return everything that is FAIL in the gates that hold, waived or not, as facts for later runs."""
    found: list[ShortPart] = []
    for spec in environment.gates:
        if spec.severity is Severity.BLOCKING and not observed(spec, now):
            records = gate_records(spec, evidence, history)
            own = [own_outcome(spec, record) for record in records]
            found.extend(shortfalls(spec, records, own, history.live))
    return tuple(found)


def _worst_first(*reasons: Reason) -> tuple[Reason, ...]:
    return tuple(sorted(reasons, key=lambda reason: -reason.outcome.rank))


def _run_reasons(
    environment: EnvironmentPolicy, rules: str, evidence: Sequence[Evidence], now: datetime
) -> Iterator[Reason]:
    if not environment.gates:
        yield _open(f"the policy lists no gate for the entry to {environment.name}")
    candidates = {part.header.candidate.digest for part in evidence}
    if len(candidates) > 1:
        yield _open("the evidence files are about different candidates")
    if not evidence[0].header.candidate.artifacts:
        yield _open("the candidate has no artifact, so nothing is identified")
    for part in evidence:
        yield from _another_route(environment, part)
        yield from _part_reasons(rules, part, now)
    yield from _copied_sources(evidence)


def _another_route(environment: EnvironmentPolicy, part: Evidence) -> Iterator[Reason]:
    measured = named_route(part.header.route)
    if measured != environment.route_name:
        yield _open(
            f"run {part.header.run} was measured for the route {measured}, not for {environment.route_name}"
        )


def _left_out_failures(environment: EnvironmentPolicy, history: History) -> Iterator[Reason]:
    """What a route does not ask for may be unproven, but not known to be broken; an emergency may."""
    if environment.route_name == BREAK_GLASS:
        return
    for failure in history.failures:
        if failure.gate in environment.left_out:
            yield Reason(
                outcome=Outcome.FAIL,
                sentence=f"failed in run {failure.run}, and this route does not ask again: {failure.because}",
                gate=failure.gate,
                test=failure.test,
            )


def _nothing_enforced(environment: EnvironmentPolicy, gates: Sequence[GateJudgement]) -> Iterator[Reason]:
    """Hold where all that could is only observed: an enforced entry is never a PROMOTE by that."""
    blocking = [gate for gate in gates if gate.severity is Severity.BLOCKING]
    if blocking and all(gate.is_observed for gate in blocking):
        yield _open(f"every gate that could hold the entry to {environment.name} is only observed")


def _another_baseline(
    environment: EnvironmentPolicy, evidence: Sequence[Evidence], history: History
) -> Iterator[Reason]:
    """What was measured beside another build says nothing of a change against the one that is live."""
    live = history.live
    compares = any(rule.baseline for gate in environment.gates for rule in gate.limits)
    if not compares or live is None or live.candidate is None:
        return
    for part in evidence:
        if part.header.started < live.since:
            yield _open(
                f"run {part.header.run} began before {live.candidate.version} went live in "
                f"{environment.name}, so it was compared with what was live before: measure again"
            )


def _copied_sources(evidence: Sequence[Evidence]) -> Iterator[Reason]:
    """One file fills one cell of a matrix: a copy under another name is no second run."""
    seen: dict[str, Source] = {}
    for source in (each for part in evidence for each in part.header.sources):
        before = seen.setdefault(source.sha256, source)
        if before.cell != source.cell:
            yield _open(
                f"{source.path} (for {source.cell}) is the same file as {before.path} (for {before.cell})"
            )


def _part_reasons(rules: str, part: Evidence, now: datetime) -> Iterator[Reason]:
    header = part.header
    if header.rules != rules:
        yield _open(
            f"run {header.run} was measured under other rules ({header.rules[:12]}) than these ({rules[:12]})"
        )
    if part.end is None:
        yield _open(f"run {header.run} did not end: its evidence stops after {len(part.tests)} tests")
        return
    for problem in part.end.problems:
        yield _open(problem)
    if not header.started <= part.end.ended <= now + CLOCK_TOLERANCE:
        yield _open(f"the clock went back during or after run {header.run}: its times are not in order")


def _history_reasons(environment: EnvironmentPolicy, history: History) -> Iterator[Reason]:
    used = len(history.unproven_runs)
    if used >= environment.attempts:
        yield _open(
            f"attempt {used + 1} of {environment.attempts}: earlier runs of this candidate proved nothing "
            f"(last {history.unproven_runs[-1]}); `release-gates invalidate RUN` with a reason gives one back"
        )


def _local_reasons(environment: EnvironmentPolicy, local: bool, elsewhere: str) -> Iterator[Reason]:
    if environment.local_may_promote:
        return
    if local:
        yield _open(
            f"the ledger is local and unsigned; the policy of {environment.name} does not accept that"
        )
    if elsewhere:
        yield _open(
            f"the policy is not the project's own gates/ but {elsewhere}, which makes the verdict LOCAL; "
            f"the policy of {environment.name} does not accept that"
        )


def _gate_reasons(gates: Sequence[GateJudgement]) -> Iterator[Reason]:
    for gate in gates:
        if gate.severity is not Severity.BLOCKING or gate.outcome.promotes:
            continue
        for problem in gate.problems:
            if not problem.outcome.promotes:
                yield Reason(
                    outcome=problem.outcome, sentence=problem.because, gate=gate.name, test=problem.test
                )
        for limit in gate.limits:
            if not limit.outcome.promotes:
                yield Reason(outcome=limit.outcome, sentence=limit.because, gate=gate.name, test=limit.test)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _open(sentence: str) -> Reason:
    return Reason(outcome=Outcome.ERROR, sentence=sentence)


def _sentence(reasons: Sequence[Reason], gates: Sequence[GateJudgement]) -> str:
    if not reasons:
        tests = sum(gate.ran for gate in gates)
        limits = sum(len(gate.limits) for gate in gates)
        waived = [gate for gate in gates if gate.waived]
        needed = {part.waived.waiver for gate in waived for part in gate.waived if part.waived}
        broken = f"what is broken is within {_count(len(needed), 'waiver')}" if needed else "none broken"
        passed = f"{_count(len(gates) - len(waived), 'gate')} passed" + f", {len(waived)} waived" * bool(
            waived
        )
        return (
            f"{passed}: {_count(tests, 'test')} ran, "
            f"{_count(limits, 'limit')} measured{_attested(gates)} and {broken}"
        )
    return first_of(reasons)


def _unproven(environment: EnvironmentPolicy) -> str:
    """Return what a route leaves open, "" where it asks for everything."""
    if not environment.left_out:
        return ""
    return f"; left unproven on route {environment.route_name}: {', '.join(environment.left_out)}"


def _attested(gates: Sequence[GateJudgement]) -> str:
    """Return how many of the limits rest on somebody's word."""
    number = sum(bool(limit.attested) for gate in gates for limit in gate.limits)
    return f" ({number} of them only attested)" if number else ""


def _beside(would_hold: Sequence[Reason], observed_gates: int) -> str:
    """Return what the gates that are only observed add to the sentence, "" where there is none."""
    if would_hold:
        return f"; observed only, would hold: {first_of(would_hold)}"
    return (
        f"; {_count(observed_gates, 'gate')} only observed, and would hold nothing" if observed_gates else ""
    )
