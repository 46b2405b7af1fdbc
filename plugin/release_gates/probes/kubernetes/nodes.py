"""On which nodes of a cluster the pods of low-latency workloads run, so that these kubelets are asked."""

from __future__ import annotations

from collections.abc import Mapping

from release_gates.probes.kubernetes.objects import Deployed, Object, mapping
from release_gates.probes.kubernetes.settings import KubernetesSettings

DEEPEST = 8
ENDED = frozenset({"Succeeded", "Failed"})


def low_latency_nodes(deployed: Deployed, settings: KubernetesSettings) -> Mapping[str, frozenset[str]]:
    """Return the nodes of each low-latency workload by its title, none where no pod of it has a node."""
    found: dict[str, set[str]] = {
        one.title: set()
        for one in deployed.workloads
        if not deployed.made(one.object) and settings.profile(one.title, one.kind).low_latency
    }
    for pod in deployed.of_kind("Pod"):
        node = pod.spec.get("nodeName")
        title = _root(pod, deployed).title
        if title in found and isinstance(node, str) and node and not _ended(pod):
            found[title].add(node)
    return {title: frozenset(nodes) for title, nodes in found.items()}


def _ended(pod: Object) -> bool:
    return mapping(pod.body.get("status")).get("phase") in ENDED


def _root(one: Object, deployed: Deployed) -> Object:
    """Return the object that nobody owns and that made another, by its controllers."""
    for _ in range(DEEPEST):
        above = deployed.maker(one)
        if above is None:
            return one
        one = above
    return one
