"""What the rules of other tools say of a run's own samples: ``python -m benchmarks.rules_on [EVIDENCE]``.

Each rule gets one time a process and side, of every process that the run measured: those of this gate are
interleaved, which is kinder to the rules than one build after the other.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import fmean, median

import click

from benchmarks.rules import compare_py, mann_whitney, pytest_benchmark
from release_gates import TOOL
from release_gates.errors import GateError
from release_gates.judge.limits import matches
from release_gates.judge.pairs import judge_pair, measured
from release_gates.ledger.evidence import read_evidence
from release_gates.model.evidence import Evidence
from release_gates.model.limit import Limit
from release_gates.model.measurement import Measurement
from release_gates.model.paired import Paired
from release_gates.policy.load import load_policy

EVIDENCE = Path(".gates/evidence")
HEADER = ("benchmark", "change, by our interval", "this gate", "compare.py, U test", "mean:5%")


@click.command()
@click.argument("evidence", type=click.Path(path_type=Path), required=False)
@click.option("--policy", type=click.Path(path_type=Path), default=Path("gates"), help="the limits")
def main(evidence: Path | None, policy: Path) -> None:
    """Print one row for each benchmark that a run (by default the newest) measured beside the live build."""
    evidence = evidence or newest(EVIDENCE)
    try:
        rows = list(table(read_evidence(evidence), policy))
    except GateError as error:
        raise click.ClickException(str(error)) from error
    if not rows:
        raise click.ClickException(f"{evidence}: no benchmark was measured beside the live build")
    print(layout([HEADER, *rows]))


def newest(folder: Path) -> Path:
    """Return the newest evidence below a folder. Raises click.ClickException where there is none."""
    found = max(folder.glob("*.jsonl"), key=lambda path: path.stat().st_mtime, default=None)
    if found is None:
        raise click.ClickException(f"{folder}: no run has measured anything here")
    return found


def table(evidence: Evidence, policy: Path) -> Iterator[tuple[str, ...]]:
    """Return a row of texts for each paired benchmark. Raises where policy or times lack."""
    head = load_policy(policy, tool=TOOL).environment(evidence.header.environment)
    if head is None:
        raise click.ClickException(f"{policy}: no environment {evidence.header.environment!r}")
    for test in evidence.tests:
        rules = [rule for gate in head.gates if gate.name == test.gate for rule in gate.limits]
        for measurement in test.measurements:
            limits = [
                rule.baseline for rule in rules if rule.baseline and matches(rule.name, measurement.name)
            ]
            if measurement.paired is not None:
                yield row(measurement, measurement.paired, limits)


def row(measurement: Measurement, paired: Paired, limits: Sequence[Limit]) -> tuple[str, ...]:
    """Return what our rule, and two others, say of one benchmark's processes."""
    before, after = times(measurement.name, paired)
    ours = [judge_pair(measurement.name, paired, limit)[0] for limit in limits]
    mean = fmean(after) / fmean(before) - 1
    p, slower = mann_whitney(before, after), median(after) > median(before)
    says = "slower" if compare_py(before, after) else "faster" if p < 0.05 and not slower else "no difference"
    return (
        measurement.name,
        measured(paired),
        max(ours, key=lambda outcome: outcome.rank).value if ours else "no limit",
        f"{says}, p = {p:.3f}",
        f"{'fails' if pytest_benchmark(before, after) else 'passes'}, {mean:+.1%}",
    )


def times(name: str, paired: Paired) -> tuple[list[float], list[float]]:
    """Return one time a process of the baseline and of the candidate, in nanoseconds.

    Raises click.ClickException for evidence that holds ratios only.
    """
    every = [process.times_ns for process in (*paired.processes, *paired.confirmation)]
    known = [each for each in every if each is not None]
    if not known or len(known) < len(every):
        raise click.ClickException(f"{name}: this evidence holds ratios, and not the times of both sides")
    return [baseline for baseline, _ in known], [candidate for _, candidate in known]


def layout(rows: Sequence[Sequence[str]]) -> str:
    """Return rows as columns that are as wide as their widest text."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(each, widths, strict=True)).rstrip()
        for each in rows
    )


if __name__ == "__main__":
    sys.exit(main())
