"""What is wrong: a rule, the object and one sentence."""

from __future__ import annotations

import msgspec

from release_gates.model.severity import Severity
from release_gates.probes.kubernetes.catalogue import RULES


class Finding(msgspec.Struct, frozen=True, order=True, gc=False):
    """One broken rule of one object; ``object`` is its title, ``Kind/namespace/name``."""

    rule: str
    object: str
    text: str

    @property
    def severity(self) -> Severity:
        """Severity of the rule by the catalogue."""
        return RULES[self.rule][0]

    @property
    def remedy(self) -> str:
        """What to do, by the catalogue."""
        return RULES[self.rule][1]

    def __str__(self) -> str:
        return f"{self.rule} {self.object}: {self.text}"


class Undecided(msgspec.Struct, frozen=True, gc=False):
    """A rule that what was read cannot decide, and why."""

    rule: str
    object: str
    why: str

    def __str__(self) -> str:
        return f"{self.rule} {self.object}: {self.why}"
