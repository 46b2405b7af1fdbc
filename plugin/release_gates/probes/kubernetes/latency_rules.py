"""Rules for workloads whose profile is ``low_latency`` (LL01 to LL11): exclusive CPUs and memory of one node.

What only the kubelet's configuration tells is read from a ``KubeletConfiguration``, of a cluster from the
kubelets of the nodes on which the workload's pods run; what only a running
thread tells is undecided here, and policy says that another gate decides it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

from release_gates.judge.kubelet import (
    CPU_MANAGER,
    MEMORY_MANAGER,
    OPTIONS,
    RESERVED,
    TOPOLOGY_MANAGER,
    KubeletSettings,
    Unmet,
    unmet_settings,
)
from release_gates.probes.kubernetes.faults import clip
from release_gates.probes.kubernetes.findings import Finding, Undecided
from release_gates.probes.kubernetes.nodes import low_latency_nodes
from release_gates.probes.kubernetes.objects import Deployed, Object, Workload, items, mapping
from release_gates.probes.kubernetes.pod import Container, Resources
from release_gates.probes.kubernetes.quantities import cpus, quantity
from release_gates.probes.kubernetes.settings import KubernetesSettings, WorkloadProfile

NONE = Resources()
OF_KUBELET = ("LL03", "LL04", "LL05", "LL06", "LL07")
RULE_OF = {
    **{CPU_MANAGER: "LL03", TOPOLOGY_MANAGER: "LL04", MEMORY_MANAGER: "LL06", RESERVED: "LL07"},
    **dict.fromkeys(OPTIONS, "LL05"),
}
OF_THREADS = {
    "LL08": "the CPUs of a thread are in /proc of its node",
    "LL09": "throttling is in cpu.stat of its node",
    "LL11": "CpusetCpus and CpusetMems are the container engine's",
}
GIVEN = dict[str, str | int | float]


def latency_findings(deployed: Deployed, settings: KubernetesSettings) -> Iterator[Finding | Undecided]:
    """Yield what keeps a low-latency workload from CPUs of its own, and what cannot be decided here."""
    kubelets = tuple(deployed.of_kind("KubeletConfiguration"))
    nodes = low_latency_nodes(deployed, settings) if deployed.live else None
    for workload in deployed.workloads:
        profile = settings.profile(workload.title, workload.kind)
        if not profile.low_latency or deployed.made(workload.object):
            continue
        texts = (
            *_quality(workload),
            *_whole_cpus(workload),
            *_huge_pages(workload),
            *_taint(workload, profile),
        )
        yield from (Finding(rule, workload.title, text) for rule, text in texts)
        yield from (Undecided(rule, workload.title, why) for rule, why in OF_THREADS.items())
        mine, unread = _kubelets(workload, kubelets, nodes)
        yield from (Undecided(rule, workload.title, why) for why in unread for rule in OF_KUBELET)
        for kubelet in mine:
            yield from _kubelet(kubelet, profile)


def _kubelets(
    workload: Workload, kubelets: Sequence[Object], nodes: Mapping[str, frozenset[str]] | None
) -> tuple[Sequence[Object], Sequence[str]]:
    """Return the kubelets that decide about a workload, and why others could not be asked.

    ``nodes`` are those of each low-latency workload of a cluster, None for manifests alone. A kubelet's
    configuration among the manifests decides about every workload; that of a node about those that run there.
    """
    if nodes is None:
        return kubelets, () if kubelets else ("no KubeletConfiguration was read",)
    own, every = nodes.get(workload.title, frozenset()), frozenset[str]().union(*nodes.values())
    mine = [one for one in kubelets if one.name in own or one.name not in every]
    lacking = sorted(own - {one.name for one in mine})
    unread = [f"the configuration of node {clip(name, 80)} was not read" for name in lacking]
    return mine, unread if own else ("none of its pods runs on a node, so no kubelet could be asked",)


def _quality(workload: Workload) -> Iterator[tuple[str, str]]:
    """A pod is Guaranteed if its own resources, or those of each container, have limits equal to requests."""
    spec = workload.pod.spec
    parts = (
        [("the pod", spec.resources)]
        if spec.resources is not None
        else [
            (f"container {one.name}", one.resources)
            for one in (*(spec.init_containers or ()), *(spec.containers or ()))
        ]
    )
    for where, resources in parts:
        limits = (resources or NONE).limits or {}
        requests = {**limits, **((resources or NONE).requests or {})}
        for name in ("cpu", "memory"):
            if _number(limits, name) <= 0 or _number(limits, name) != _number(requests, name):
                yield (
                    "LL01",
                    f"{where}: request and limit of {name} are not equal, so the pod is not Guaranteed",
                )


def _whole_cpus(workload: Workload) -> Iterator[tuple[str, str]]:
    for container in workload.pod.spec.containers or ():
        count = _number(_limits(container), "cpu")
        if count <= 0 or count != count.to_integral_value():
            yield (
                "LL02",
                f"container {container.name}: {count:f} CPUs are no whole ones, so it gets none for itself",
            )


def _huge_pages(workload: Workload) -> Iterator[tuple[str, str]]:
    for container in workload.pod.spec.containers or ():
        limits = _limits(container)
        requests = {**limits, **((container.resources or NONE).requests or {})}
        for name in sorted({*limits, *requests}):
            if name.startswith("hugepages-") and _number(limits, name) != _number(requests, name):
                yield "LL06", f"container {container.name}: request and limit of {name} are not equal"


def _taint(workload: Workload, profile: WorkloadProfile) -> Iterator[tuple[str, str]]:
    keys = {toleration.get("key") for toleration in workload.pod.spec.tolerations or ()}
    if not profile.dedicated_taint:
        yield "LL10", "its profile names no dedicated_taint, so any pod may be its neighbour"
    elif profile.dedicated_taint not in keys:
        yield "LL10", f"it does not tolerate the taint {profile.dedicated_taint} of the dedicated nodes"
    if not workload.pod.spec.node_selector and not _required_nodes(workload):
        yield "LL10", "no nodeSelector and no required nodeAffinity keeps it on the dedicated nodes"


def _required_nodes(workload: Workload) -> bool:
    affinity = mapping(mapping(workload.pod.spec.affinity).get("nodeAffinity"))
    required = mapping(affinity.get("requiredDuringSchedulingIgnoredDuringExecution"))
    terms = [mapping(one) for one in items(required.get("nodeSelectorTerms"))]
    return bool(terms) and all(any(term.values()) for term in terms)


def _kubelet(kubelet: Object, profile: WorkloadProfile) -> Iterator[Finding]:
    """Judge a kubelet's configuration; a list of CPUs that cannot be read is a finding of its own."""
    said, own, title = kubelet.body, cpus(profile.isolated_cpus), kubelet.title
    reserved, text = _reserved(said.get(RESERVED))
    settings = KubeletSettings(
        cpu_manager=said.get(CPU_MANAGER),
        cpu_options={
            key: str(value).lower() for key, value in mapping(said.get("cpuManagerPolicyOptions")).items()
        },
        topology_manager=said.get(TOPOLOGY_MANAGER),
        memory_manager=said.get(MEMORY_MANAGER),
        reserved=reserved,
    )
    for one in unmet_settings(settings, own):
        if one.setting != RESERVED or not text:
            yield Finding(RULE_OF[one.setting], title, _sentence(one))
    if text:
        yield Finding("LL07", title, text)
    elif reserved and not own:
        yield Finding("LL07", title, f"the profile names no isolated_cpus to compare {RESERVED} with")


def _reserved(said: object) -> tuple[frozenset[int], str]:
    """Return the CPUs of a list, or why it cannot be read."""
    try:
        return cpus(said) if isinstance(said, str) else frozenset(), ""
    except ValueError as error:
        return frozenset(), clip(error)


def _sentence(one: Unmet) -> str:
    if one.setting == RESERVED:
        shared = sorted(one.shared)
        return (
            f"CPUs {shared} are reserved for the system and isolated" if shared else f"{RESERVED} is not set"
        )
    if one.setting in OPTIONS:
        return f"cpuManagerPolicyOptions has no {one.setting}"
    return f"{one.setting} is {clip(one.said, 40)}, not {one.wanted}"


def _limits(container: Container) -> GIVEN:
    return (container.resources or NONE).limits or {}


def _number(given: GIVEN, name: str) -> Decimal:
    """Return a quantity, -1 where there is none or none that can be read."""
    try:
        return quantity(given[name]) if name in given else Decimal(-1)
    except ValueError:
        return Decimal(-1)
