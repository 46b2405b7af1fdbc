"""Sentences for a checkov that did not do its work, and for what policy says of nothing."""

from __future__ import annotations

from release_gates.errors import MeasurementError


def failed(program: str, problem: str) -> MeasurementError:
    """Return the error for a checkov that did not start, crashed, complained, or took too long."""
    return MeasurementError(
        f"{program}: {problem}.",
        slug="checkov-failed",
        hint="Run it by hand; what comes with modules from elsewhere is scanned as a plan (terraform_plan).",
    )


def unreadable(place: str, problem: str) -> MeasurementError:
    """Return the error for a report that is torn, has another form, or contradicts itself."""
    return MeasurementError(
        f"{place}: {problem}.",
        slug="checkov-report",
        hint="Nothing is guessed from what is left: try the version that policy names.",
    )


def not_whole(place: str, problem: str) -> MeasurementError:
    """Return the error for a scan that did not look at everything that is there."""
    return MeasurementError(
        f"{place}: {problem}.",
        slug="checkov-not-whole",
        hint="What nobody looked at is no pass: mend the file, or scan the plan instead (terraform_plan).",
    )


def unused(what: str, problem: str) -> MeasurementError:
    """Return the error for a sentence of policy that is about no finding."""
    return MeasurementError(
        f"{what} in policy {problem}.",
        slug="checkov-unused-policy",
        hint="Correct it or take it out, so that it does not cover the next change.",
    )
