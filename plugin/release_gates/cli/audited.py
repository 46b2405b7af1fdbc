"""What ``audit`` found, as SARIF 2.1.0: the same form for images, containers and hosts."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, Protocol

from release_gates import TOOL
from release_gates.model.severity import Severity

_LEVELS = {
    Severity.CRITICAL: "error",
    Severity.HIGH: "error",
    Severity.MEDIUM: "warning",
    Severity.LOW: "note",
}


class Rule(Protocol):
    """A rule of a catalogue."""

    @property
    def id(self) -> str:
        """Its name."""
        ...

    @property
    def title(self) -> str:
        """What is wrong where it is broken."""
        ...


class Undecided(Protocol):
    """A rule that was not decided, and why."""

    @property
    def rule(self) -> Rule:
        """Which one."""
        ...

    @property
    def sentence(self) -> str:
        """What to tell people."""
        ...


class Finding(Undecided, Protocol):
    """A rule that is broken."""

    @property
    def severity(self) -> Severity:
        """How bad it is."""
        ...


def status_of(findings: Iterable[Finding], undecided: Collection[Undecided]) -> int:
    """Return an audit's exit status: 1 for a finding above low, 10 for a rule not decided, else 0."""
    if any(each.severity is not Severity.LOW for each in findings):
        return 1
    return 10 if undecided else 0


def sarif_document(
    subject: str, rules: Iterable[Rule], findings: Iterable[Finding], undecided: Iterable[Undecided]
) -> dict[str, Any]:
    """Return SARIF about one subject; a rule that was not decided is a result of kind ``open``."""
    described = [{"id": rule.id, "shortDescription": {"text": rule.title}} for rule in rules]
    place = [{"logicalLocations": [{"fullyQualifiedName": subject}]}]
    results = [
        *({**_result(each, place), "level": _LEVELS[each.severity]} for each in findings),
        *({**_result(each, place), "kind": "open"} for each in undecided),
    ]
    driver = {"name": "release-gates", "version": TOOL.rpartition(" ")[2], "rules": described}
    run = {
        "tool": {"driver": driver},
        "invocations": [{"executionSuccessful": True}],
        "results": results,
    }
    return {"version": "2.1.0", "$schema": "https://json.schemastore.org/sarif-2.1.0.json", "runs": [run]}


def counted(findings: Iterable[Finding]) -> str:
    """Return how many findings of each severity there are, in words."""
    severities = [each.severity for each in findings]
    counts = [(severity, severities.count(severity)) for severity in Severity]
    return ", ".join(f"{count} {severity}" for severity, count in counts if count) or "nothing found"


def _result(each: Undecided, place: list[dict[str, Any]]) -> dict[str, Any]:
    return {"ruleId": each.rule.id, "message": {"text": each.sentence}, "locations": place}
