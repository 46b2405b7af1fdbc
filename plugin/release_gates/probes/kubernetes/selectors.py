"""Label selectors as Kubernetes matches them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from release_gates.probes.kubernetes.objects import Deployed, Workload, items, mapping, texts


def matches(selector: object, labels: Mapping[str, str]) -> bool:
    """Tell whether a selector takes these labels. An empty one takes everything, none (null) nothing.

    An operator that does not exist takes nothing.
    """
    if not isinstance(selector, dict):
        return False
    said = mapping(selector.get("matchLabels"))
    if any(labels.get(key) != value for key, value in said.items()):
        return False
    return all(_holds(mapping(one), labels) for one in items(selector.get("matchExpressions")))


def is_empty(selector: object) -> bool:
    """Tell whether a selector is there and takes everything."""
    return isinstance(selector, dict) and not any(selector.values())


def selected(deployed: Deployed, namespace: str, selector: object) -> Iterator[Workload]:
    """Yield the workloads of a namespace whose pods a selector takes."""
    return (one for one in deployed.in_namespace(namespace) if matches(selector, one.labels))


def plain(labels: object) -> dict[str, object]:
    """Return the selector of a Service or controller of old (bare labels) as one with ``matchLabels``."""
    return {"matchLabels": texts(labels)}


def _holds(expression: Mapping[str, object], labels: Mapping[str, str]) -> bool:
    key, values = expression.get("key"), items(expression.get("values"))
    value = labels.get(key) if isinstance(key, str) else None
    match expression.get("operator"):
        case "In":
            return value is not None and value in values
        case "NotIn":
            return value is None or value not in values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
    return False
