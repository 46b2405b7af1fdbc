"""What observing showed, as people read it: per environment and gate, the most frequent reasons first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from release_gates.model.observation import Observations, ObservedEntry, ObservedGate, ObservedReason
from release_gates.model.verdict import CandidateName
from release_gates.report.text import rule, wrapped

MOST_REASONS = 5
"""So many reasons of one gate are told; JSON has all."""

MOST_NAMED = 3
"""So many candidates stand by name in a sentence before "and N more"."""


def observed_lines(found: Observations, *, environment: str | None, width: int = 80) -> Iterator[str]:
    """Return the report; where nothing was observed, one sentence."""
    if not found.entries:
        yield from wrapped(_nothing(found.since, environment), width)
    for number, entry in enumerate(found.entries):
        if number:
            yield ""
        yield from _entry_lines(entry, width)


def closing(entry: ObservedEntry) -> str:
    """Return what enforcing would have done, in a sentence."""
    if not entry.candidates:
        return "No observed run has a verdict yet."
    of = f"{len(entry.held)} of {_count(entry.candidates, 'candidate')}"
    names = f": {_names(entry.held)}" if entry.held else ""
    return f"Enforcing today would have held {of}{names}."


def _nothing(since: datetime | None, environment: str | None) -> str:
    entry = f" for the entry to {environment}" if environment else ""
    began = f" since {since:%Y-%m-%d %H:%M} UTC" if since else ""
    return (
        f"The ledger has no run{entry}{began} that was only observed: nothing to tell. "
        'mode = "observe" in gates/ makes one of the next.'
    )


def _entry_lines(entry: ObservedEntry, width: int) -> Iterator[str]:
    yield rule(f"observed: entry to {entry.environment}", width)
    yield from wrapped(
        f"{_count(entry.runs, 'run')} of {_count(entry.candidates, 'candidate')}, {_span(entry)}: "
        f"{_would(entry)}.",
        width,
    )
    if entry.unfinished:
        yield from wrapped(
            f"{_count(entry.unfinished, 'observed run')} without a verdict: in progress, or killed.", width
        )
    for gate in entry.gates:
        yield ""
        yield from _gate_lines(gate, width)
    yield ""
    yield from wrapped(closing(entry), width)


def _gate_lines(gate: ObservedGate, width: int) -> Iterator[str]:
    name = gate.gate or "(the whole run)"
    yield from wrapped(f"{name}: observed in {_count(gate.runs, 'run')}, {_would(gate)}", width)
    for reason in gate.reasons[:MOST_REASONS]:
        yield from _reason_lines(reason, width)
    if len(gate.reasons) > MOST_REASONS:
        yield f"  and {len(gate.reasons) - MOST_REASONS} more reasons (--json)"


def _reason_lines(reason: ObservedReason, width: int) -> Iterator[str]:
    yield from wrapped(f"{reason.runs} x {reason.outcome} {reason.shape}", width, indent="  ")
    yield from wrapped(f"{_span(reason)}; {_names(reason.candidates)}", width, indent="      ")


def _would(part: ObservedEntry | ObservedGate) -> str:
    held = part.broken + part.not_proven
    if not held:
        return "would have held none"
    return f"would have held {held} ({part.broken} broken, {part.not_proven} not proven)"


def _span(part: ObservedEntry | ObservedReason) -> str:
    first, last = f"{part.first:%Y-%m-%d %H:%M}", f"{part.last:%Y-%m-%d %H:%M}"
    return f"{first} UTC" if first == last else f"{first} to {last} UTC"


def _names(candidates: Sequence[CandidateName]) -> str:
    named = [f"{each.name} {each.version} ({each.digest[:12]})" for each in candidates[:MOST_NAMED]]
    more = len(candidates) - len(named)
    return ", ".join(named) + (f" and {more} more" if more else "")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
