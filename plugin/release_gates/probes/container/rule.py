"""What a rule is, what it finds, and what it cannot decide."""

from __future__ import annotations

from dataclasses import dataclass

from release_gates.model.rule import Rule
from release_gates.model.severity import Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that breaks a rule: what was declared, and what is in effect.

    ``by_effect``: what was declared is fine, and something else took it away. ``instead`` overrides the
    remedy of the catalogue.
    """

    declared: str
    effective: str
    instead: str = ""
    by_effect: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A fault of one subject (an image, a container, a Dockerfile) with the rule that it breaks."""

    rule: Rule
    subject: str
    severity: Severity
    fault: Fault

    @property
    def sentence(self) -> str:
        """Rule, severity, subject, what is wrong, declared, in effect, and what to write instead."""
        fault = self.fault
        return (
            f"{self.rule.id} ({self.severity}) {self.subject}: {self.rule.title}. "
            f"Declared: {fault.declared}; in effect: {fault.effective}. "
            f"Write instead: {fault.instead or self.rule.remedy}."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """A rule that could not be decided on one subject, and why."""

    rule: Rule
    subject: str
    because: str

    @property
    def sentence(self) -> str:
        """Rule, subject, why."""
        return f"{self.rule.id} {self.subject}: cannot be decided: {self.because}"
