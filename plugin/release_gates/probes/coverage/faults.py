"""Sentences for what can be wrong with a coverage report: file, place, value, remedy."""

from __future__ import annotations

from pathlib import Path

from release_gates.errors import MeasurementError

MAX_LINE = 10_000_000
"""Largest line number that is believed; a larger one is damage, not a source file."""

SHOWN = 5
"""How many names a message lists before it says how many more there are."""


def unreadable(file: Path, place: str, problem: str, hint: str = "") -> MeasurementError:
    """Return the error for a report that is torn, malformed or of an unknown format."""
    where = f"{file}: {place}" if place else f"{file}"
    remedy = hint or "Write the report again with the tool that measured; never edit or cut it."
    return MeasurementError(f"{where}: {problem}.", slug="coverage-report-unreadable", hint=remedy)


def contradiction(
    file: Path, place: str, name: str, *, declared: int, counted: int, hint: str = ""
) -> MeasurementError:
    """Return the error for a header that declares another number than the records show."""
    remedy = hint or "Records were lost, doubled or edited: write the report again."
    return MeasurementError(
        f"{file}: {place}: {name} declares {declared}, but {counted} are recorded.",
        slug="coverage-report-contradiction",
        hint=remedy,
    )


def empty(file: Path, problem: str) -> MeasurementError:
    """Return the error for a report without a single executable line."""
    return MeasurementError(
        f"{file}: {problem}: nothing was measured, and 0 of 0 is not 100 %.",
        slug="coverage-report-empty",
        hint="Run the tests against an instrumented build, then write the report; look at `exclude` too.",
    )


def shown(value: bytes | str) -> str:
    """Return ``value`` quoted, on one line, at most 80 characters long."""
    text = value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else value
    return repr(text if len(text) <= 80 else f"{text[:77]}...")


def listed(names: list[str]) -> str:
    """Return up to five of the names, and how many more there are."""
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")
