"""Measured values, limits and the verdict as OpenMetrics text: GitLab's metrics report, a Pushgateway.

https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping

from release_gates.model.outcome import Outcome
from release_gates.model.release import Release
from release_gates.report.headline import headline
from release_gates.report.rows import Row, rows
from release_gates.report.tally import Tally, tally

Sample = tuple[Mapping[str, str], float]


def openmetrics(release: Release) -> str:
    """Return the text. ``release_gates_promotes`` is 1 only where the candidate may enter now.

    On another route than the normal one it has the labels ``route`` and ``unproven``.
    """
    found = rows(release)
    entry = {"environment": release.environment, "candidate": release.candidate.digest[:12]}
    if release.verdict and release.verdict.left_out:
        entry |= {"route": release.verdict.route_name, "unproven": ",".join(release.verdict.left_out)}
    counts = tally(release.verdict.gates) if release.verdict else None
    families: list[tuple[str, str, Iterable[Sample]]] = [
        (
            "release_gates_promotes",
            "Whether the candidate may enter now.",
            [(entry, float(headline(release, found).go))],
        ),
        ("release_gates_measured", "What was measured, in the unit of its label.", _values(found)),
        ("release_gates_limit", "What is allowed, in the unit of its label.", _bounds(found)),
        ("release_gates_outcome", "0 for PASS, more the worse: see the label.", _outcomes(found)),
        ("release_gates_checks", "Counts over all gates.", _counts(counts)),
    ]
    lines = [line for name, text, samples in families for line in _family(name, text, samples)]
    return "\n".join([*lines, "# EOF"]) + "\n"


def _family(name: str, text: str, samples: Iterable[Sample]) -> Iterator[str]:
    yield f"# TYPE {name} gauge"
    yield f"# HELP {name} {text}"
    seen: set[str] = set()
    for labels, value in samples:
        line = f"{name}{{{','.join(f'{key}={_quoted(text)}' for key, text in labels.items())}}}"
        if line not in seen and math.isfinite(value):  # a name that two tests measured has one line for each
            seen.add(line)
            yield f"{line} {value!r}"


def _labels(row: Row, **more: str) -> dict[str, str]:
    judged = row.limit.judged
    return {"gate": row.limit.gate, "name": row.name, "test": judged.test, **more}


def _values(found: Iterable[Row]) -> Iterator[Sample]:
    for row in found:
        if row.value is not None:
            yield _labels(row, unit=row.unit), row.value


def _bounds(found: Iterable[Row]) -> Iterator[Sample]:
    for row in found:
        for bound in row.bounds:
            yield _labels(row, unit=bound.unit, operator=bound.operator), bound.value


def _outcomes(found: Iterable[Row]) -> Iterator[Sample]:
    ranks = {outcome: float(outcome.rank) for outcome in Outcome}
    for row in found:
        yield _labels(row, outcome=row.outcome, allowed=row.limit.judged.allowed), ranks[row.outcome]


def _counts(counts: Tally | None) -> Iterator[Sample]:
    if counts is not None:
        for kind in ("limits", "broken", "waived", "not_proven", "failed", "passed", "tests"):
            yield {"kind": kind}, float(getattr(counts, kind))


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
