"""Rules for workloads whose profile is ``low_latency`` (LL01 to LL11): exclusive CPUs and memory of one node.

What only the kubelet's configuration tells is read from a ``KubeletConfiguration``; what only a running
thread tells is undecided here, and policy says that another gate decides it.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from release_gates.probes.kubernetes.faults import clip
from release_gates.probes.kubernetes.findings import Finding, Undecided
from release_gates.probes.kubernetes.objects import Deployed, Object, Workload, mapping
from release_gates.probes.kubernetes.pod import Container, Resources
from release_gates.probes.kubernetes.quantities import cpus, quantity
from release_gates.probes.kubernetes.settings import KubernetesSettings, WorkloadProfile

NONE = Resources()
OF_KUBELET = ("LL03", "LL04", "LL05", "LL06", "LL07")
OF_THREADS = {
    "LL08": "the CPUs of a thread are in /proc of its node",
    "LL09": "throttling is in cpu.stat of its node",
    "LL11": "CpusetCpus and CpusetMems are the container engine's",
}
GIVEN = dict[str, str | int | float]


def latency_findings(deployed: Deployed, settings: KubernetesSettings) -> Iterator[Finding | Undecided]:
    """Yield what keeps a low-latency workload from CPUs of its own, and what cannot be decided here."""
    kubelets = list(deployed.of_kind("KubeletConfiguration"))
    for workload in deployed.workloads:
        profile = settings.profile(workload.title, workload.kind)
        if not profile.low_latency or workload.object.owned:
            continue
        texts = (
            *_quality(workload),
            *_whole_cpus(workload),
            *_huge_pages(workload),
            *_taint(workload, profile),
        )
        yield from (Finding(rule, workload.title, text) for rule, text in texts)
        yield from (Undecided(rule, workload.title, why) for rule, why in OF_THREADS.items())
        if not kubelets:
            why = "no KubeletConfiguration was read"
            yield from (Undecided(rule, workload.title, why) for rule in OF_KUBELET)
        for kubelet in kubelets:
            yield from _kubelet(kubelet, profile)


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


def _kubelet(kubelet: Object, profile: WorkloadProfile) -> Iterator[Finding]:
    said, options = kubelet.body, mapping(kubelet.body.get("cpuManagerPolicyOptions"))
    for rule, key, wanted in (
        ("LL03", "cpuManagerPolicy", "static"),
        ("LL04", "topologyManagerPolicy", "single-numa-node"),
        ("LL06", "memoryManagerPolicy", "Static"),
    ):
        if said.get(key) != wanted:
            yield Finding(rule, kubelet.title, f"{key} is {clip(said.get(key), 40)}, not {wanted}")
    for key in ("full-pcpus-only", "strict-cpu-reservation"):
        if str(options.get(key)).lower() != "true":
            yield Finding("LL05", kubelet.title, f"cpuManagerPolicyOptions has no {key}")
    yield from _reserved(kubelet, profile)


def _reserved(kubelet: Object, profile: WorkloadProfile) -> Iterator[Finding]:
    said = kubelet.body.get("reservedSystemCPUs")
    try:
        reserved = cpus(said) if isinstance(said, str) else frozenset()
    except ValueError as error:
        yield Finding("LL07", kubelet.title, clip(error))
        return
    shared = reserved & cpus(profile.isolated_cpus)
    if not reserved:
        yield Finding("LL07", kubelet.title, "reservedSystemCPUs is not set")
    elif not profile.isolated_cpus:
        yield Finding(
            "LL07", kubelet.title, "the profile names no isolated_cpus to compare reservedSystemCPUs with"
        )
    elif shared:
        yield Finding(
            "LL07", kubelet.title, f"CPUs {sorted(shared)} are reserved for the system and isolated"
        )


def _limits(container: Container) -> GIVEN:
    return (container.resources or NONE).limits or {}


def _number(given: GIVEN, name: str) -> Decimal:
    """Return a quantity, -1 where there is none or none that can be read."""
    try:
        return quantity(given[name]) if name in given else Decimal(-1)
    except ValueError:
        return Decimal(-1)
