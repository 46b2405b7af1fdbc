"""What a rule of a catalogue is, for every probe that has rules; what it finds is each probe's own."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from release_gates.model.severity import Severity

Row = tuple[str, Severity, str, str, str]
"""Id, severity, references apart by commas, title, remedy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One row of a catalogue; ``references`` are what others call it, ``remedy`` is what to do."""

    id: str
    title: str
    severity: Severity
    references: tuple[str, ...]
    remedy: str


class Undecided(Exception):
    """A fact that a rule needs could not be had; the text says which and why. Never a pass."""


def catalogue(rows: Iterable[Row]) -> Mapping[str, Rule]:
    """Return rules by id, in the order in which people read them; ValueError for an id that comes twice."""
    found: dict[str, Rule] = {}
    for identity, severity, references, title, remedy in rows:
        if identity in found:
            raise ValueError(f"{identity} stands twice in a catalogue")
        others = tuple(filter(None, references.split(", ")))
        found[identity] = Rule(id=identity, severity=severity, references=others, title=title, remedy=remedy)
    return MappingProxyType(found)


def check_names(rules: Mapping[str, Rule], key: str, names: Iterable[str]) -> None:
    """Raise ValueError for a name that no rule bears, with the nearest one that does."""
    for name in names:
        if name not in rules:
            near = difflib.get_close_matches(name.upper(), rules, n=1, cutoff=0.5)
            more = f" Did you mean '{near[0]}'?" if near else f" There are {', '.join(rules)}."
            raise ValueError(f"{key}.{name}: no rule bears that name.{more}")


def check_reasons(key: str, reasons: Mapping[str, str]) -> None:
    """Raise ValueError for what is off or accepted without a name, or without words that say why."""
    for name, reason in reasons.items():
        if len(reason.split()) < 2 or not name:
            raise ValueError(f"{key}.{name} = {reason!r}: say in words why")
