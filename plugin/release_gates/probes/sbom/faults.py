"""Sentences for what can be wrong with an SBOM: file, place, value, remedy."""

from __future__ import annotations

from release_gates.errors import MeasurementError, ProbeUnavailable


def unreadable(file: str, place: str, problem: str) -> MeasurementError:
    """Return the error for a file that is torn, or no SBOM by the rules of its format."""
    hint = "Let the tool write CycloneDX or SPDX 2.3 in JSON again; never edit it."
    return MeasurementError(f"{file}: {place}: {problem}.", slug="sbom-unreadable", hint=hint)


def empty(file: str) -> MeasurementError:
    """Return the error for an SBOM without a component."""
    hint = "Run the tool where the candidate is built, with its dependencies installed."
    return MeasurementError(f"{file}: names no component at all.", slug="sbom-empty", hint=hint)


def other_subject(file: str, problem: str) -> MeasurementError:
    """Return the error for an SBOM about something else than the candidate."""
    hint = (
        "Write the SBOM after the build, with the SHA-256 of what was built where it says what it is about."
    )
    return MeasurementError(f"{file}: {problem}.", slug="sbom-other-subject", hint=hint)


def unknown_licence(file: str, components: str) -> MeasurementError:
    """Return the error for components of which nobody knows the licence."""
    hint = "Read the licence in the component's own files, and state it in policy: [gate.NAME.sbom.stated]."
    return MeasurementError(f"{file}: no known licence: {components}.", slug="licence-unknown", hint=hint)


def missing_package(file: str) -> ProbeUnavailable:
    """Return the error for a package that reading an SBOM needs."""
    return ProbeUnavailable(
        f"{file}: reading an SBOM needs cyclonedx-python-lib with its schemas, and license-expression.",
        slug="sbom-package-missing",
        hint="Run: pip install 'pytest-release-gates[sbom]'",
    )
