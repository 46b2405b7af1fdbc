"""Sentences for what can be wrong with manifests, their sources and a cluster's answers."""

from __future__ import annotations

from release_gates.errors import MeasurementError

SHOWN = 5
"""How many items a message lists before it says how many more there are."""


def unreadable(place: str, problem: str, hint: str = "") -> MeasurementError:
    """Return the error for a manifest that is no YAML or JSON, or too large to be one."""
    remedy = (
        hint or "Render the manifests again (`kubectl kustomize`, `helm template`) and keep them as they are."
    )
    return MeasurementError(f"{place}: {problem}.", slug="kubernetes-manifest-unreadable", hint=remedy)


def malformed(place: str, problem: str) -> MeasurementError:
    """Return the error for a document that no API server would take, so that rules cannot judge it."""
    return MeasurementError(
        f"{place}: {problem}.",
        slug="kubernetes-manifest-malformed",
        hint="`kubectl apply --dry-run=server` says the same; mend the manifest.",
    )


def unknown_kind(place: str, what: str, problem: str) -> MeasurementError:
    """Return the error for an object that no rule and no schema knows, so that nobody judged it."""
    return MeasurementError(
        f"{place}: {what} {problem}, so nothing could judge it.",
        slug="kubernetes-kind-unknown",
        hint=f'If it starts no pod and grants no right, accept it by name: kinds = ["{what}"].',
    )


def nothing(place: str) -> MeasurementError:
    """Return the error for sources without a single object or pod."""
    return MeasurementError(
        f"{place}: there is nothing to judge, and 0 findings in 0 objects is no pass.",
        slug="kubernetes-nothing",
        hint="Name the files, folders, artifact or namespaces that hold the workloads.",
    )


def unused(what: str, problem: str) -> MeasurementError:
    """Return the error for a sentence of policy that is about nothing that is deployed."""
    return MeasurementError(
        f"{what} in policy {problem}.",
        slug="kubernetes-unused-policy",
        hint="What is about nothing protects nothing; correct its name or take it out.",
    )


def clip(text: object, most: int = 120) -> str:
    """Return a foreign text on one line, at most so many characters long."""
    line = " ".join(str(text).split())
    return line if len(line) <= most else f"{line[: most - 1]}…"
