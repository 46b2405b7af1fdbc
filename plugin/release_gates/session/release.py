"""Gather what a report tells of one run from the ledger, its evidence and its rules. Nothing is judged."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

import msgspec
from msgspec import UNSET

from release_gates.candidate.store import ArtifactStore
from release_gates.errors import GateError
from release_gates.judge.limits import allowed, matches
from release_gates.judge.pairs import whole_spread
from release_gates.judge.sequential import pass_tail
from release_gates.judge.turns import FEWEST, WRONG, flaw_of_windows, spread_of_turns
from release_gates.ledger.evidence import read_evidence
from release_gates.ledger.history import RunView, live_in, runs
from release_gates.ledger.measured import read_measured
from release_gates.model.event import Event, RunStarted
from release_gates.model.evidence import Evidence, TestRecord
from release_gates.model.gate import EnvironmentPolicy, GateSpec, Policy
from release_gates.model.limit import LimitRule
from release_gates.model.measurement import Measurement
from release_gates.model.outcome import worst
from release_gates.model.release import Interval, JudgedLimit, PastRun, PastValue, Release, Rung
from release_gates.model.verdict import GateJudgement, LimitJudgement, Verdict
from release_gates.policy.load import policy_from_snapshot
from release_gates.policy.routes import on_route
from release_gates.policy.selection import expected_in
from release_gates.session.changes import changes_since

MOST_PAST = 12
"""So many runs of an entry are compared; more do not fit beside each other."""


def release_of(
    events: Sequence[Event],
    view: RunView,
    *,
    root: Path,
    made: datetime,
    head: str,
    stands: str = "",
    commits: Sequence[str] | None = None,
    every_test: bool = False,
) -> Release:
    """Return what a report tells of a run.

    ``root`` is the folder that holds ``.gates``; ``stands`` is why nobody should act on the verdict now, ""
    for nothing; ``commits`` are those since what is live, None where nobody could find out. What cannot be
    read is left out and said in ``notes``. ``every_test`` asks for tests that measured nothing, too.
    """
    started, verdict = view.started, view.verdict
    policy, notes = _policy(started.rules, root)
    entry = _entry(policy, started) if policy else None
    evidence, unread = _evidence(view, root, every_test=every_test)
    known = runs(events)
    own = [each for each in known if each.started.environment == started.environment]
    return Release(
        made=made,
        environment=started.environment,
        run=started.run,
        verdict=verdict,
        stands=stands,
        is_live=_is_live(events, started),
        head=head,
        candidate=started.candidate,
        gates=entry.gates if entry else (),
        limits=tuple(_limits(verdict, entry.gates if entry else (), evidence)),
        headers=tuple(part.header for part in evidence),
        ended=max((part.end.ended for part in evidence if part.end), default=None),
        ladder=tuple(_rung(events, known, name) for name in _path(policy, started.environment)),
        changes=changes_since(events, view, root=root, commits=commits),
        tests=tuple(record for part in evidence for record in part.tests) if every_test else (),
        expected={name: tuple(tests) for name, tests in expected_in(policy, entry).items()}
        if policy and entry and every_test
        else {},
        attempts=tuple(
            _past(each) for each in own if each.started.candidate.digest == started.candidate.digest
        ),
        past=tuple(_with_values(each, root) for each in _until(own, view)[-MOST_PAST:]),
        notes=(*notes, *unread),
    )


def _is_live(events: Sequence[Event], started: RunStarted) -> bool:
    live = live_in(events, started.environment)
    return (
        live is not None and live.candidate is not None and live.candidate.digest == started.candidate.digest
    )


def _entry(policy: Policy, started: RunStarted) -> EnvironmentPolicy | None:
    environment = policy.environment(started.environment)
    if environment is None or started.route is UNSET:
        return environment
    return on_route(environment, started.route)


def _policy(rules: str, root: Path) -> tuple[Policy | None, tuple[str, ...]]:
    try:
        stored = ArtifactStore(root / ".gates" / "artifacts").get(rules).read_bytes()
        return policy_from_snapshot(msgspec.json.decode(stored, type=dict[str, str])), ()
    except (GateError, OSError, msgspec.MsgspecError) as error:
        return None, (f"The rules of this run cannot be read, so limits have no picture: {error}",)


def _evidence(
    view: RunView, root: Path, *, every_test: bool = False
) -> tuple[list[Evidence], tuple[str, ...]]:
    """Return the parts that are exactly what the verdict was decided on, and what is wrong with others."""
    found: list[Evidence] = []
    notes: list[str] = []
    digests = view.verdict.inputs.evidence if view.verdict else ()
    for file, digest in zip(view.started.evidence, digests, strict=False):
        try:
            part = read_measured(root / file, digest)
            found.append(read_evidence(root / file) if every_test else part)
        except GateError as error:
            notes.append(f"What run {view.started.run} measured cannot be shown: {error}")
    return found, tuple(notes)


def _path(policy: Policy | None, environment: str) -> tuple[str, ...]:
    return tuple(each.name for each in policy.environments) if policy else (environment,)


def _limits(
    verdict: Verdict | None, gates: Sequence[GateSpec], evidence: Sequence[Evidence]
) -> Iterator[JudgedLimit]:
    records = {record.id: record for part in evidence for record in part.tests}
    specs = {gate.name: gate for gate in gates}
    for gate in verdict.gates if verdict else ():
        yield from _of_gate(gate, specs.get(gate.name), records)


def _of_gate(
    gate: GateJudgement, spec: GateSpec | None, records: dict[str, TestRecord]
) -> Iterator[JudgedLimit]:
    taken: dict[tuple[int, str, str], int] = defaultdict(int)
    for judged in gate.limits:
        rule = _rule(judged, spec)
        record = records.get(judged.test)
        place = (id(rule), judged.test, judged.name)
        measurement = _measurement(judged.name, record, taken[place]) if record else None
        taken[place] += 1
        yield JudgedLimit(
            gate=gate.name,
            judged=judged,
            rule=rule,
            measurement=measurement,
            change=_change(measurement) if measurement else None,
        )


def _change(measurement: Measurement) -> Interval | None:
    """Return the change that was found in %, over all processes or pairs of turns, with its interval."""
    paired, windows = measurement.paired, measurement.windows
    if paired is not None:
        spread, tail = whole_spread(paired), pass_tail(paired.plan)
    elif windows is not None and len(windows.ratios) >= FEWEST and not flaw_of_windows(windows):
        spread, tail = spread_of_turns(windows), WRONG
    else:
        return None
    if spread is None:
        return None
    low, middle, high = (math.expm1(at) * 100 for at in (spread.low(tail), spread.mean, spread.high(tail)))
    return Interval(low=low, middle=middle, high=high)


def _rule(judged: LimitJudgement, spec: GateSpec | None) -> LimitRule | None:
    rules = spec.limits if spec else ()
    return next(
        (rule for rule in rules if matches(rule.name, judged.name) and allowed(rule) == judged.allowed), None
    )


def _measurement(name: str, record: TestRecord, number: int) -> Measurement | None:
    """Return the measurement of that name; of a series (``key``) the one that the rule came to in turn."""
    series = [each for each in record.measurements if each.name == name]
    return series[number] if number < len(series) else None


def _rung(events: Sequence[Event], views: Sequence[RunView], environment: str) -> Rung:
    live = live_in(events, environment)
    own = [view for view in views if view.started.environment == environment]
    newest = own[-1] if own else None
    candidate = live.candidate if live else None
    return Rung(
        environment=environment,
        known=live is not None,
        live=f"{candidate.name} {candidate.version} ({candidate.digest[:12]})" if candidate else "",
        since=live.since if live else None,
        newest=_newest(newest) if newest else "",
        newest_at=newest.at if newest else None,
    )


def _newest(view: RunView) -> str:
    name = f"{view.started.candidate.name} {view.started.candidate.version}"
    return f"{name}: {_title(view)}"


def _title(view: RunView) -> str:
    if view.invalidated:
        return "invalidated"
    return view.verdict.title if view.verdict else "no verdict"


def _until(views: Sequence[RunView], last: RunView) -> list[RunView]:
    return [view for view in views if view.at <= last.at]


def _past(view: RunView) -> PastRun:
    candidate = view.started.candidate
    return PastRun(
        run=view.started.run,
        at=view.at,
        version=candidate.version,
        title=_title(view),
        invalidated=view.invalidated,
    )


def _with_values(view: RunView, root: Path) -> PastRun:
    evidence, notes = _evidence(view, root)
    return msgspec.structs.replace(
        _past(view), values=tuple(_values(view.verdict, evidence)), told=" ".join(notes)
    )


def _values(verdict: Verdict | None, evidence: Sequence[Evidence]) -> Iterator[PastValue]:
    judged = defaultdict(list)
    for gate in verdict.gates if verdict else ():
        for limit in gate.limits:
            judged[gate.name, limit.test, limit.name].append(limit.outcome)
    for record in (record for part in evidence for record in part.tests):
        for each in record.measurements:
            outcomes = judged.get((record.gate, record.id, each.name))
            if outcomes and each.value is not None and not each.key:
                yield PastValue(
                    gate=record.gate,
                    test=record.id,
                    name=each.name,
                    value=each.value,
                    unit=each.unit,
                    outcome=worst(outcomes),
                )
