"""``mode`` and ``observe_until``: of one gate, or of the whole entry to an environment."""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

from release_gates.model.outcome import Mode
from release_gates.policy.table import Table

MODE_KEYS = ("mode", "observe_until")


class StatedMode(NamedTuple):
    """What one table says of its mode; None where it says nothing, or something wrong."""

    mode: Mode | None
    observe_until: date | None


def read_mode(table: Table) -> StatedMode:
    """Return the mode that a table states; a day without ``mode = "observe"`` beside it is a mistake."""
    stated = StatedMode(table.word("mode", Mode), table.day("observe_until"))
    if "observe_until" in table.values and table.values.get("mode") != Mode.OBSERVE:
        sentence = 'has a meaning beside mode = "observe" only. Write both in this table, or neither'
        table.wrong("observe_until", sentence, "observe-until")
    return stated
