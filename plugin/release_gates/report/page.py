"""The release page: one HTML file that needs neither network nor script."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from release_gates.model.outcome import Outcome
from release_gates.model.release import Release
from release_gates.report.bullet import Bullet, bullet
from release_gates.report.curve import curves
from release_gates.report.forest import forest
from release_gates.report.headline import headline
from release_gates.report.rendering import template
from release_gates.report.rows import Row, rows
from release_gates.report.trend import trends

MOST_ROWS = 1000
"""So many limits are drawn; they come worst first, and the rest is counted by outcome."""
MOST_OPEN = 200
MOST_ATTEMPTS = 20
WORDS = {
    Outcome.FAIL: "Broken",
    Outcome.ERROR: "Could not be measured",
    Outcome.MISSING: "Missing",
    Outcome.INCONCLUSIVE: "Inconclusive",
    Outcome.WAIVED: "Waived",
    Outcome.WARN: "Target missed, or does not apply",
    Outcome.PASS: "Kept",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """All rows of one outcome, each with its bar."""

    outcome: Outcome
    title: str
    rows: tuple[tuple[Row, Bullet | None], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One test that is not in order; ``holds`` is false in a gate that holds nothing."""

    gate: str
    outcome: Outcome
    because: str
    holds: bool


def page(release: Release) -> str:
    """Return the page as HTML."""
    found = rows(release)
    problems = _problems(release)
    html: str = template("release.html").render(
        release=release,
        verdict=release.verdict,
        headline=headline(release, found),
        groups=_groups(found[:MOST_ROWS]),
        more=_counted(found[MOST_ROWS:]),
        problems=problems[:MOST_OPEN],
        more_problems=len(problems) - len(problems[:MOST_OPEN]),
        whole=[reason for reason in (release.verdict.reasons if release.verdict else ()) if not reason.gate],
        forest=forest(found),
        curves=curves(found),
        trends=trends(release, found),
        attempts=release.attempts[-MOST_ATTEMPTS:],
    )
    return html


def _groups(found: Sequence[Row]) -> tuple[Group, ...]:
    return tuple(
        Group(
            outcome=outcome,
            title=WORDS[outcome],
            rows=tuple((row, bullet(row)) for row in own),
        )
        for outcome, own in groupby(found, lambda row: row.outcome)
    )


def _counted(found: Sequence[Row]) -> str:
    counts = Counter(row.outcome for row in found)
    return ", ".join(f"{number} {outcome}" for outcome, number in counts.items())


def _problems(release: Release) -> list[Problem]:
    """Return every test that is not in order, the worst first."""
    found = [
        Problem(
            gate=gate.name,
            outcome=problem.outcome,
            because=problem.because,
            holds=gate.severity == "blocking" and not gate.is_observed,
        )
        for gate in (release.verdict.gates if release.verdict else ())
        for problem in gate.problems
    ]
    return sorted(found, key=lambda each: (-each.outcome.rank, not each.holds))
