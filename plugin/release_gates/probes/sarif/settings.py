"""What policy may say of findings, as ``[gate.security.findings]``."""

from __future__ import annotations

from typing import Literal

import msgspec

from release_gates.model.severity import Action, Severity, parse_action, parse_days


class FindingsSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a finding of each severity does, and what may be left aside.

    ``accept_for`` is how long a known finding is accepted under ``block``, from the day it was first seen.
    ``suppressions``: ``justified`` accepts those of the file that are accepted and say why, ``never`` none.
    ``commit_required``: the file has to say that it is about the candidate's commit. Raises ValueError for an
    action or a number of days that is none.
    """

    critical: str = "block"
    high: str = "block"
    medium: str = "block after 30d"
    low: str = "note"
    accept_for: str = "30d"
    suppressions: Literal["justified", "never"] = "justified"
    commit_required: bool = False

    def __post_init__(self) -> None:
        for severity in Severity:
            self.action(severity)
        if parse_days(self.accept_for) is None:
            raise ValueError(f"accept_for = {self.accept_for!r} is no number of days, as in '30d'")

    def action(self, severity: Severity) -> Action:
        """Return what policy does with a finding of that severity."""
        said = {"critical": self.critical, "high": self.high, "medium": self.medium, "low": self.low}
        return parse_action(severity, said[severity])

    @property
    def accept_days(self) -> int:
        """Days for which a known finding is accepted."""
        return parse_days(self.accept_for) or 0
