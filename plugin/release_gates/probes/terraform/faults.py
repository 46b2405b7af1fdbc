"""Sentences for what can be wrong with a plan, its sources and what policy says of them."""

from __future__ import annotations

from release_gates.errors import MeasurementError


def unreadable(file: str, place: str, problem: str) -> MeasurementError:
    """Return the error for a plan that is torn, no JSON, too large, or not of the form that is read."""
    hint = "Write it again by `terraform show -json PLAN`, and never edit or cut it."
    return _fault(file, place, problem, "terraform-plan-unreadable", hint)


def other_format(file: str, found: str, known: tuple[str, ...]) -> MeasurementError:
    """Return the error for a plan of a format that nobody here knows how to read."""
    problem = f"is {found}, and this reads {', '.join(known)} only"
    hint = "Make the plan by a Terraform or OpenTofu that writes one of them (1.1 to 1.14)."
    return _fault(file, "format_version", problem, "terraform-plan-format", hint)


def not_whole(file: str, place: str, problem: str) -> MeasurementError:
    """Return the error for a plan that says, or shows, that it is not about everything."""
    hint = "Plan everything (no -target, no error, nothing deferred), and show that plan."
    return _fault(file, place, problem, "terraform-plan-not-whole", hint)


def unreadable_source(file: str, problem: str) -> MeasurementError:
    """Return the error for a source, or a saved plan, that cannot be read."""
    hint = "`terraform validate` says more; a saved plan is what `terraform plan -out` wrote."
    return _fault(file, "source", problem, "terraform-source-unreadable", hint)


def unused(what: str, problem: str) -> MeasurementError:
    """Return the error for a sentence of policy that is about nothing in the plan."""
    return MeasurementError(
        f"{what} in policy {problem}.",
        slug="terraform-unused-policy",
        hint="Correct it or take it out, so that it does not cover the next change.",
    )


def _fault(file: str, place: str, problem: str, slug: str, hint: str) -> MeasurementError:
    return MeasurementError(f"{file}: {place}: {problem}.", slug=slug, hint=hint)
