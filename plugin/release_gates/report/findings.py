"""Reasons that have a place in the repository: GitLab's code quality report, and SARIF 2.1.0.

Both kinds of reader take an empty list for "all is mended", so where the candidate may not enter the verdict
is a finding of its own, in the policy of the entry.

https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format
https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass

from release_gates import TOOL
from release_gates.model.outcome import Outcome
from release_gates.model.release import Release
from release_gates.report.headline import headline
from release_gates.report.places import place_of
from release_gates.report.rows import rows
from release_gates.report.tally import holding

MOST = 5000
"""SARIF's readers take so many results of a run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One reason in a file; ``key`` stays while the same check of the same test is red."""

    key: str
    rule: str
    outcome: Outcome
    sentence: str
    file: str
    holds: bool


def findings(release: Release) -> Iterator[Finding]:
    """Yield a verdict that is no go, or only on a route, then each limit and test that is not in order.

    Of the latter those that have a file.
    """
    verdict, top = release.verdict, headline(release, rows(release))
    if not top.go:
        yield Finding(
            key=_digest(f"{release.environment} verdict"),
            rule="verdict",
            outcome=Outcome.FAIL if verdict and verdict.kind == "broken" else Outcome.ERROR,
            sentence=" ".join((f"{top.title}: {top.call}.", top.because, *top.warnings)),
            file=f"gates/{release.environment}.toml",
            holds=True,
        )
    elif verdict and verdict.unproven:
        yield Finding(
            key=_digest(f"{release.environment} {verdict.route_name}"),
            rule="route",
            outcome=Outcome.WARN,
            sentence=f"{top.title}: {top.call}.",
            file=f"gates/{release.environment}.toml",
            holds=False,
        )
    hold = {gate.name for gate in holding(verdict)} if verdict else set()
    for gate in verdict.gates if verdict else ():
        names = [(limit.test, limit.name, limit.outcome, limit.because) for limit in gate.limits]
        names += [(problem.test, "test", problem.outcome, problem.because) for problem in gate.problems]
        for test, name, outcome, because in names:
            file = place_of(test)
            if outcome.rank and file:
                yield Finding(
                    key=_digest(f"{release.environment} {gate.name} {test} {name} {outcome}"),
                    rule=f"{gate.name}/{name}",
                    outcome=outcome,
                    sentence=f"{outcome} {gate.name}: {because}",
                    file=file,
                    holds=gate.name in hold,
                )


def code_quality(release: Release) -> str:
    """Return GitLab's code quality report."""
    found = [
        {
            "description": finding.sentence,
            "check_name": finding.rule,
            "fingerprint": finding.key,
            "severity": _severity(finding),
            "location": {"path": finding.file, "lines": {"begin": 1}},
        }
        for finding in findings(release)
    ]
    return json.dumps(found, indent=2, ensure_ascii=False) + "\n"


def sarif(release: Release) -> str:
    """Return the findings as SARIF 2.1.0."""
    found = list(findings(release))[:MOST]
    rules = list(dict.fromkeys(finding.rule for finding in found))
    name, _, version = TOOL.rpartition(" ")
    document = {
        "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {"name": name, "version": version, "rules": [{"id": rule} for rule in rules]}
                },
                "invocations": [
                    {"executionSuccessful": True, "endTimeUtc": f"{release.made:%Y-%m-%dT%H:%M:%SZ}"}
                ],
                "results": [
                    {
                        "ruleId": finding.rule,
                        "ruleIndex": rules.index(finding.rule),
                        "level": _level(finding),
                        "message": {"text": finding.sentence},
                        "locations": [{"physicalLocation": {"artifactLocation": {"uri": finding.file}}}],
                        "partialFingerprints": {"releaseGates/v1": finding.key},
                    }
                    for finding in found
                ],
            }
        ],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _severity(finding: Finding) -> str:
    if not finding.holds:
        return "info"
    if finding.outcome.promotes:
        return "minor"
    return "blocker" if finding.outcome is Outcome.FAIL else "major"


def _level(finding: Finding) -> str:
    if not finding.holds or finding.outcome.promotes:
        return "note"
    return "error" if finding.outcome is Outcome.FAIL else "warning"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
