"""What policy may say of findings, as ``[gate.security.findings]``."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

import msgspec

from release_gates.probes.sarif.severity import Severity

ACTIONS = "block, block after 30d, warn, note"


class Action(NamedTuple):
    """What a finding does; ``after_days`` is the grace since it was first seen, None for none."""

    kind: Literal["block", "warn", "note"]
    after_days: int | None = None


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
        if _days(self.accept_for) is None:
            raise ValueError(f"accept_for = {self.accept_for!r} is no number of days, as in '30d'")

    def action(self, severity: Severity) -> Action:
        """Return what policy does with a finding of that severity."""
        said = {"critical": self.critical, "high": self.high, "medium": self.medium, "low": self.low}
        return _action(severity, said[severity])

    @property
    def accept_days(self) -> int:
        """Days for which a known finding is accepted."""
        return _days(self.accept_for) or 0


def _action(severity: Severity, text: str) -> Action:
    if text == "block":
        return Action("block")
    if text == "warn":
        return Action("warn")
    if text == "note":
        return Action("note")
    days = _days(text.removeprefix("block after ")) if text.startswith("block after ") else None
    if days is None:
        raise ValueError(f"{severity} = {text!r} is no action. Write one of: {ACTIONS}")
    return Action("block", days)


def _days(text: str) -> int | None:
    found = re.fullmatch(r"([0-9]{1,4}) ?(?:d|days?)", text)
    return int(found[1]) if found else None
