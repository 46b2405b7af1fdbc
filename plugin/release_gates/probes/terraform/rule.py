"""What a rule of infrastructure is, what it finds, and why it cannot decide."""

from __future__ import annotations

from dataclasses import dataclass

from release_gates.model.rule import Rule
from release_gates.model.severity import Severity


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One thing that breaks a rule: the address of the resource, the place in it, found and expected."""

    address: str
    place: str
    found: str
    expected: str

    @property
    def sentence(self) -> str:
        """Where, what is there, and what was expected."""
        where = f"{self.address} {self.place}".strip()
        return f"{where} is {self.found}; expected: {self.expected}"


@dataclass(frozen=True, slots=True, order=True)
class Doubt:
    """One thing that cannot be decided before the plan is applied, or at all. Never a pass."""

    address: str
    place: str
    because: str

    @property
    def sentence(self) -> str:
        """Where, and why it cannot be decided."""
        return f"{self.address} {self.place}".strip() + f" cannot be decided: {self.because}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A fault, or a doubt, with the rule that it is about and the severity that policy gives it."""

    rule: Rule
    severity: Severity
    about: Fault | Doubt

    @property
    def sentence(self) -> str:
        """Rule, severity, title, what is wrong, and what to do."""
        return (
            f"{self.rule.id} ({self.severity}) {self.rule.title}: {self.about.sentence}. "
            f"Do: {self.rule.remedy}."
        )
