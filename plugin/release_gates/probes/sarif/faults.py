"""Sentences for what can be wrong with a SARIF file: file, place, value, remedy."""

from __future__ import annotations

from release_gates.errors import MeasurementError


def unreadable(file: str, place: str, problem: str) -> MeasurementError:
    """Return the error for a file that is torn, malformed, or not SARIF 2.1.0."""
    hint = "Let the tool write SARIF 2.1.0 again; never edit or cut the file."
    return _fault(file, place, problem, "sarif-unreadable", hint)


def not_run(file: str, place: str, problem: str) -> MeasurementError:
    """Return the error for a file that does not show that an analysis took place."""
    hint = "Run the tool to its end and let it write all results into this one file."
    return _fault(file, place, problem, "sarif-not-run", hint)


def failed(file: str, place: str, problem: str) -> MeasurementError:
    """Return the error for a tool that says itself that it did not finish."""
    hint = "What it did not look at may hold anything: mend the tool's set-up and run it again."
    return _fault(file, place, problem, "sarif-run-failed", hint)


def contradiction(file: str, place: str, problem: str) -> MeasurementError:
    """Return the error for two statements of the file that cannot both be true."""
    hint = "Let the tool write the file again, and never edit it; if the tool is wrong, report it there."
    return _fault(file, place, problem, "sarif-contradiction", hint)


def other_source(file: str, place: str, problem: str) -> MeasurementError:
    """Return the error for an analysis of something else than the candidate."""
    hint = "Run the tool in the checkout that the candidate was built from, and import its file there."
    return _fault(file, place, problem, "sarif-other-source", hint)


def undecided(file: str, problem: str) -> MeasurementError:
    """Return the error for findings of which policy cannot tell what they do."""
    return MeasurementError(
        f"{file}: {problem}.",
        slug="findings-undecided",
        hint="Mend them, or record them by `release-gates import sarif … --accept-known`.",
    )


def _fault(file: str, place: str, problem: str, slug: str, hint: str) -> MeasurementError:
    return MeasurementError(f"{file}: {place}: {problem}.", slug=slug, hint=hint)
