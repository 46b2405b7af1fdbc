"""How bad a finding is, and what policy does with one: shared by every probe that finds things."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Literal, NamedTuple

ACTIONS = "block, block after 30d, warn, note"


class Severity(StrEnum):
    """Severities, declared from worst to best."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"

    @property
    def rank(self) -> int:
        """Position in the order, 0 for the worst."""
        return _RANKS[self]


_RANKS = {severity: rank for rank, severity in enumerate(Severity)}


class Action(NamedTuple):
    """What a finding does; ``after_days`` is the grace since it was first seen, None for none."""

    kind: Literal["block", "warn", "note"]
    after_days: int | None = None


def parse_action(severity: Severity, text: str) -> Action:
    """Return what an action's text means; ValueError for one that is none."""
    if text == "block":
        return Action("block")
    if text == "warn":
        return Action("warn")
    if text == "note":
        return Action("note")
    days = parse_days(text.removeprefix("block after ")) if text.startswith("block after ") else None
    if days is None:
        raise ValueError(f"{severity} = {text!r} is no action. Write one of: {ACTIONS}")
    return Action("block", days)


def parse_days(text: str) -> int | None:
    """Return a number of days such as ``30d``, None for what is none."""
    found = re.fullmatch(r"([0-9]{1,4}) ?(?:d|days?)", text)
    return int(found[1]) if found else None
