"""Which blocks of a run a measurement is about: one phase (``@steady``), or all that is judged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from release_gates.probes.load.plan import BLOCK_S, Phase
from release_gates.probes.load.settings import UNJUDGED

ASIDE = ("spike", "recover")
"""Phases that have limits of their own (``order_entry.p99@spike``); names without a phase leave them out."""


class Scope(NamedTuple):
    """What a measurement's name ends with, and its blocks."""

    suffix: str
    blocks: tuple[int, ...]


def spans(phases: Sequence[Phase]) -> dict[str, range]:
    """Return the blocks of each phase."""
    found, first = {}, 0
    for phase in phases:
        last = first + round(phase.seconds / BLOCK_S)
        found[phase.tag] = range(first, last)
        first = last
    return found


def judged(phases: Sequence[Phase]) -> tuple[str, ...]:
    """Return the tags of the phases that are judged."""
    return tuple(phase.tag for phase in phases if phase.tag not in UNJUDGED)


def scopes(phases: Sequence[Phase]) -> tuple[Scope, ...]:
    """Return every judged phase, and last all of them but those that stand aside, without a suffix."""
    tags, found = judged(phases), spans(phases)
    whole = tuple(tag for tag in tags if tag not in ASIDE) or tags
    every = tuple(block for tag in whole for block in found[tag])
    return (*(Scope(f"@{tag}", tuple(found[tag])) for tag in tags), Scope("", every))
