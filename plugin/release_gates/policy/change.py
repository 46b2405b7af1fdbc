"""One difference between two policies, and which of them make the rules weaker."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from release_gates.model.record import Record

Kind = Literal["weaker", "open", "other"]
"""``open``: nobody can say whether it is weaker, so that a person has to look."""


class Change(Record, frozen=True, kw_only=True):
    """One difference: where, in words, and whether the rules are weaker by it."""

    place: str
    sentence: str
    kind: Kind

    def __str__(self) -> str:
        return f"{self.place}: {self.sentence}"


def more_is_weaker(old: float, new: float) -> Kind:
    """Return the kind of a change of a number that allows the more, the larger it is."""
    return "weaker" if new > old else "other"


def by_name(records: Iterable[Any]) -> dict[str, Any]:
    """Return records by their names."""
    return {each.name: each for each in records}


def all_names(old: Iterable[str], new: Iterable[str]) -> list[str]:
    """Return the names of both, each once, the old ones first."""
    return list(dict.fromkeys((*old, *new)))
