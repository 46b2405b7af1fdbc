"""What a rule of hosts is, what it finds, and why it cannot decide."""

from __future__ import annotations

from dataclasses import dataclass

from release_gates.model.rule import Rule
from release_gates.model.severity import Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing on a host that breaks a rule: where, what is there, and what was expected."""

    place: str
    found: str
    expected: str


class NotThere(Exception):
    """The host has no such file or program; policy says whether that breaks the rule. The text names it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A fault of one host with the rule that it breaks."""

    rule: Rule
    host: str
    severity: Severity
    fault: Fault

    @property
    def sentence(self) -> str:
        """Rule, severity, host, what is wrong, where, found, expected, and what to do."""
        fault = self.fault
        return (
            f"{self.rule.id} ({self.severity}) {self.host}: {self.rule.title}. "
            f"{fault.place} is {fault.found}; expected: {fault.expected}. Do: {self.rule.remedy}."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """A rule that was not decided on one host, or has no meaning there, and why."""

    rule: Rule
    host: str
    because: str

    @property
    def sentence(self) -> str:
        """Rule, host, why."""
        return f"{self.rule.id} {self.host}: {self.because}"
