"""Sentences for what can be wrong with the facts of a machine: file, place, value, remedy."""

from __future__ import annotations

from release_gates.errors import MeasurementError

SHOWN = 5
"""So many findings stand in one sentence before "and N more"."""


def malformed(file: str, problem: str) -> MeasurementError:
    """Return the error for a file about a process or its machine that cannot be believed."""
    return MeasurementError(
        f"{file}: {problem}.",
        slug="machine-facts-unreadable",
        hint="Nothing is guessed from what is left: look at the file, and record it again.",
    )


def listed(sentences: tuple[str, ...]) -> str:
    """Return findings in one line."""
    more = len(sentences) - SHOWN
    return "; ".join(sentences[:SHOWN]) + (f"; and {more} more" if more > 0 else "")
