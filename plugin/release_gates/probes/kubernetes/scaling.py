"""How many replicas there are: autoscalers, disruption budgets and percentages as Kubernetes rounds them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from release_gates.probes.kubernetes.objects import Deployed, Object, Workload, mapping
from release_gates.probes.kubernetes.selectors import matches

SCALED = frozenset({"Deployment", "StatefulSet", "ReplicaSet", "ReplicationController"})


def share(value: object, of: int) -> int | None:
    """Return a number or percentage of replicas, rounded up; None for what is neither."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    found = re.fullmatch(r"([0-9]{1,3})%", value) if isinstance(value, str) else None
    return None if found is None else -(-int(found[1]) * of // 100)


def autoscaler(deployed: Deployed, workload: Workload) -> Object | None:
    """Return the HorizontalPodAutoscaler of a workload."""
    for one in deployed.near("HorizontalPodAutoscaler", workload.namespace):
        target = mapping(one.spec.get("scaleTargetRef"))
        if (target.get("kind"), target.get("name")) == (workload.kind, workload.object.name):
            return one
    return None


def fewest(scaler: Object) -> int:
    """Return minReplicas of an autoscaler, 1 by default."""
    said = scaler.spec.get("minReplicas")
    return said if isinstance(said, int) and not isinstance(said, bool) else 1


def replicas(deployed: Deployed, workload: Workload) -> int:
    """Return the replicas that are there at least."""
    scaler = autoscaler(deployed, workload)
    return workload.replicas if scaler is None else fewest(scaler)


def budgets(deployed: Deployed, workload: Workload) -> Iterator[Object]:
    """Yield the disruption budgets that select a workload's pods."""
    for one in deployed.near("PodDisruptionBudget", workload.namespace):
        if matches(one.spec.get("selector"), workload.labels):
            yield one


def disruptions(budget: Object, count: int) -> int | None:
    """Return how many of so many healthy pods a budget lets go; None if it says nothing usable."""
    spec = budget.spec
    unavailable = share(spec.get("maxUnavailable"), count)
    available = share(spec.get("minAvailable"), count)
    if unavailable is not None:
        return min(unavailable, count)
    return None if available is None else max(count - available, 0)
