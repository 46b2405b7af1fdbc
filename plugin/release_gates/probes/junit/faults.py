"""Sentences for what can be wrong with a JUnit file: file, place, value, remedy."""

from __future__ import annotations

from release_gates.errors import MeasurementError

REMEDY = "Let the test tool write it again; never edit or cut it."


def shown(text: str) -> str:
    """Return ``text`` quoted, on one line, at most 80 characters long."""
    return repr(text if len(text) <= 80 else f"{text[:77]}...")


def unreadable(file: str, place: str, problem: str, hint: str = REMEDY) -> MeasurementError:
    """Return the error for what is no JUnit XML, or says something that this reader does not know."""
    where = f"{file}: {place}" if place else file
    return MeasurementError(f"{where}: {problem}.", slug="junit-unreadable", hint=hint)


def contradiction(file: str, place: str, name: str, *, declared: int, counted: int) -> MeasurementError:
    """Return the error for a header that declares another number than the test cases show."""
    return MeasurementError(
        f"{file}: {place}: {name}={declared}, but its test cases show {counted}: it is truncated or edited.",
        slug="junit-contradiction",
        hint=REMEDY,
    )


def empty(file: str) -> MeasurementError:
    """Return the error for a file without a test case."""
    return MeasurementError(
        f"{file}: holds no test case, and no test is no pass.",
        slug="junit-empty",
        hint="Look at what the test tool was told to run.",
    )


def absent(file: str, problem: str) -> MeasurementError:
    """Return the error for expected tests without a result."""
    return MeasurementError(
        f"{file}: {problem}.",
        slug="junit-absent",
        hint="Let the build run every test of its sources, without a filter.",
    )


def foreign(file: str, key: str, commit: str, wanted: str) -> MeasurementError:
    """Return the error for results of another commit than the candidate's."""
    return MeasurementError(
        f"{file}: its property {key} is {shown(commit)}; the candidate was built from {wanted}.",
        slug="junit-foreign-commit",
        hint="Run those tests on the candidate's commit and import the new file.",
    )
