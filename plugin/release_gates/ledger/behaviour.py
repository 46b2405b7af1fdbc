"""How gates behaved over all runs: which said both of one build, which were never red, which never proved."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from release_gates.ledger.history import RunView
from release_gates.ledger.proofs import gate_proofs
from release_gates.model.chronicle import ToldGate
from release_gates.model.event import Event, GatesProved
from release_gates.model.outcome import Outcome, worst
from release_gates.model.verdict import CandidateName, GateJudgement, Part, Verdict

RED = frozenset({Outcome.FAIL, Outcome.ERROR, Outcome.INCONCLUSIVE})
"""What a gate says when it looked and is not content; MISSING is that it did not look."""


class Judged(NamedTuple):
    """What one gate said by itself in one run."""

    at: datetime
    rules: str
    candidate: CandidateName
    outcome: Outcome


def told_gates(environment: str, views: Sequence[RunView], events: Sequence[Event]) -> tuple[ToldGate, ...]:
    """Return how each gate behaved that the newest verdict on the entry to an environment names.

    Runs that somebody invalidated do not count, nor do those in which the gate is MISSING.
    """
    verdicts = [
        (view.at, view.verdict)
        for view in views
        if view.started.environment == environment and view.verdict and not view.invalidated
    ]
    proofs = [event for event in events if isinstance(event.fact, GatesProved)]
    return tuple(
        _told(environment, gate, list(_judgements(gate.name, verdicts)), proofs)
        for gate in (verdicts[-1][1].gates if verdicts else ())
    )


def _told(
    environment: str, gate: GateJudgement, judged: Sequence[Judged], proofs: Sequence[Event]
) -> ToldGate:
    red = [each.at for each in judged if each.outcome in RED]
    return ToldGate(
        environment=environment,
        gate=gate.name,
        owner=gate.owner,
        judged=len(judged),
        red=len(red),
        last_red=red[-1] if red else None,
        flaky=tuple(_flaky(judged)),
        proofs=gate_proofs(proofs, environment=environment, gate=gate.name),
    )


def _judgements(name: str, verdicts: Iterable[tuple[datetime, Verdict]]) -> Iterator[Judged]:
    for at, verdict in verdicts:
        for gate in verdict.gates:
            if gate.name == name and (outcome := _own(gate)) is not Outcome.MISSING:
                yield Judged(at, verdict.inputs.rules, verdict.candidate, outcome)


def _own(gate: GateJudgement) -> Outcome:
    """Return what the gate said in this run, waived or not, without what it repeats from an earlier one."""
    own: list[Part] = [*gate.limits, *(problem for problem in gate.problems if not problem.run)]
    return worst([Outcome.PASS, *(part.waived.was if part.waived else part.outcome for part in own)])


def _flaky(judged: Sequence[Judged]) -> Iterator[CandidateName]:
    """Yield each candidate of which the gate said both, under the same rules."""
    said: dict[tuple[str, str], tuple[CandidateName, set[bool]]] = {}
    for each in judged:
        _, both = said.setdefault((each.candidate.digest, each.rules), (each.candidate, set()))
        both.add(each.outcome in RED)
    names = {name.digest: name for name, both in said.values() if len(both) > 1}
    yield from names.values()
