"""What Allure is told of one test. Plain data; Allure's own library writes it.

Allure decides nothing here. Formats: https://allurereport.org/docs/how-it-works-test-result-file/
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from release_gates.model.figures import figure
from release_gates.model.gate import GateSpec
from release_gates.model.measurement import Measurement
from release_gates.model.outcome import Outcome, Severity
from release_gates.model.verdict import LimitJudgement
from release_gates.report.markdown import plain

CASE = "case id"
"""Parameter that makes every case its own: pytest's parameters are identifiers, so none has this name."""
LIMIT = "limit "
"""How a limit is told beside its value, and how the parameter begins that holds it."""
SEVERITIES = {Severity.BLOCKING: "critical", Severity.ADVISORY: "minor", Severity.INFO: "trivial"}
Status = Literal["passed", "failed", "broken", "skipped"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One measurement as a step of its test."""

    title: str
    outcome: Outcome
    because: str


def history_id(test: str) -> str:
    """Return what ties the results of one test together over runs: its node id, and nothing of policy."""
    return hashlib.md5(test.encode(), usedforsecurity=False).hexdigest()


def status(outcome: Outcome) -> Status:
    """Return Allure's word: failed is measured and bad, or undecided; broken could not be measured."""
    match outcome:
        case Outcome.PASS | Outcome.WARN:
            return "passed"
        case Outcome.WAIVED:
            return "skipped"
        case Outcome.FAIL | Outcome.INCONCLUSIVE:
            return "failed"
        case Outcome.ERROR | Outcome.MISSING:
            return "broken"


def labels(gate: GateSpec, environment: str) -> list[tuple[str, str]]:
    """Return the labels of a gate's test."""
    entry = f"entry to {environment}" if environment else "measured, nothing decided"
    found = [
        ("epic", entry),
        ("feature", gate.name),
        ("severity", SEVERITIES[gate.severity]),
        ("owner", gate.owner),
        ("tag", str(gate.severity)),
    ]
    return [*found, ("tag", "observed")] if gate.mode == "observe" else found


def steps(measurements: Sequence[Measurement], judged: Sequence[LimitJudgement]) -> tuple[Step, ...]:
    """Return a step for each judged limit, and one for each measurement that no limit judges."""
    names = {limit.name for limit in judged}
    shown = [
        Step(
            title=f"{limit.name} {limit.measured} / {LIMIT}{limit.allowed}",
            outcome=limit.outcome,
            because=limit.because,
        )
        for limit in judged
    ]
    return (
        *shown,
        *(
            Step(title=f"{each.name} {_value(each)}", outcome=Outcome.PASS, because="")
            for each in measurements
            if each.name not in names
        ),
    )


def title(name: str, told: Sequence[Step]) -> str:
    """Return a test's title: its name, the worst measurement beside its limit, how many more there are."""
    if not told:
        return name
    worst = max(told, key=lambda step: step.outcome.rank)
    more = f" (and {len(told) - 1} more)" if len(told) > 1 else ""
    return f"{name}: {worst.title}{more}"


def description(doc: str, gate: GateSpec, environment: str, told: Sequence[Step]) -> str:
    """Return a test's description as Markdown: what it is, what broke, who owns it, how to run it again."""
    broken = [
        f"- **{step.outcome}** {plain(step.because or step.title)}" for step in told if step.outcome.rank
    ]
    remedy = [
        f"Owner: {plain(gate.owner)}",
        f"Run this gate again: `pytest -m 'gate_{environment}(gate=\"{gate.name}\")'`" if environment else "",
        f"Why: `release-gates explain {environment}`" if environment and broken else "",
    ]
    parts = [doc.strip(), "\n".join(broken), *remedy]
    return "\n\n".join(part for part in parts if part)


def _value(measurement: Measurement) -> str:
    if measurement.value is None:
        return measurement.because or "no value"
    return figure(measurement.value, measurement.unit)
