"""Rules for availability (AV01 to AV10): services must not stop, a single writer must never run twice."""

from __future__ import annotations

from collections.abc import Iterator

from release_gates.probes.kubernetes.faults import clip
from release_gates.probes.kubernetes.findings import Finding
from release_gates.probes.kubernetes.kinds import known_as
from release_gates.probes.kubernetes.objects import Deployed, Object, Workload, items, mapping
from release_gates.probes.kubernetes.pod import Container, Probe
from release_gates.probes.kubernetes.quantities import seconds
from release_gates.probes.kubernetes.scaling import (
    SCALED,
    autoscaler,
    budgets,
    disruptions,
    fewest,
    replicas,
    share,
)
from release_gates.probes.kubernetes.selectors import matches, plain, selected
from release_gates.probes.kubernetes.settings import KubernetesSettings, WorkloadProfile

GRACE_SECONDS = 30
Texts = Iterator[tuple[str, str]]


def availability_findings(deployed: Deployed, settings: KubernetesSettings) -> Iterator[Finding]:
    """Yield what makes workloads unavailable, or run twice."""
    for workload in deployed.workloads:
        profile = settings.profile(workload.title, workload.kind)
        if profile.role == "batch" or not workload.lives or deployed.made(workload.object):
            continue
        found = (*_probes(workload), *_warm_up(workload, profile), *_stop(deployed, workload, profile))
        if workload.kind == "StatefulSet":
            found = (*found, *_service(deployed, workload))
        role = _single_writer if profile.role == "single-writer" else _stateless
        yield from (Finding(rule, workload.title, text) for rule, text in (*found, *role(deployed, workload)))
    for budget in deployed.of_kind("PodDisruptionBudget"):
        yield from _budget(deployed, budget)
    for scaler in deployed.of_kind("HorizontalPodAutoscaler"):
        yield from _scaler(deployed, scaler)


def _probes(workload: Workload) -> Texts:
    for container in workload.pod.spec.containers or ():
        where = f"container {container.name}"
        probes = {"readinessProbe": container.readiness_probe, "livenessProbe": container.liveness_probe}
        for name, probe in probes.items():
            if probe is None or not probe.acts:
                yield "AV01", f"{where} has no {name}"
            elif not _right_port(container, probe):
                yield "AV01", f"{where}: {name} asks a port that it does not have"
        if container.readiness_probe is not None and container.readiness_probe == container.liveness_probe:
            yield "AV01", f"{where}: readinessProbe and livenessProbe are the same"


def _right_port(container: Container, probe: Probe) -> bool:
    known = {name for port in container.ports or () for name in (port.container_port, port.name)}
    ways = (probe.http_get, probe.tcp_socket, probe.grpc)
    return all(way is None or (way.port is not None and way.port in known) for way in ways)


def _patience(probe: Probe) -> float:
    """Seconds after the start until a probe that never succeeds has failed."""
    delay, period = probe.initial_delay_seconds or 0, probe.period_seconds or 10
    return delay + period * (probe.failure_threshold or 3)


def _warm_up(workload: Workload, profile: WorkloadProfile) -> Texts:
    needed = seconds(profile.warm_up)
    for container in workload.pod.spec.containers or ():
        covering = container.startup_probe or container.liveness_probe
        if covering is not None and _patience(covering) <= needed:
            name = "startupProbe" if container.startup_probe else "livenessProbe"
            yield (
                "AV02",
                f"container {container.name}: the {name} gives up before {profile.warm_up} of warm-up",
            )


def _stop(deployed: Deployed, workload: Workload, profile: WorkloadProfile) -> Texts:
    said = workload.pod.spec.termination_grace_period_seconds
    grace = GRACE_SECONDS if said is None else said
    if grace <= seconds(profile.drain):
        yield "AV09", f"terminationGracePeriodSeconds is {grace}, and the drain takes {profile.drain}"
    if _is_served(deployed, workload):
        for container in workload.pod.spec.containers or ():
            hook = container.lifecycle.pre_stop if container.lifecycle else None
            if container.ports and (hook is None or not hook.acts):
                yield (
                    "AV09",
                    f"container {container.name} has no preStop hook, so requests meet a closed port",
                )


def _is_served(deployed: Deployed, workload: Workload) -> bool:
    services = deployed.near("Service", workload.namespace)
    selectors = (one.spec.get("selector") for one in services)
    return any(mapping(one) and matches(plain(one), workload.labels) for one in selectors)


def _service(deployed: Deployed, workload: Workload) -> Texts:
    name = workload.object.spec.get("serviceName")
    service = deployed.find("Service", workload.namespace, name) if isinstance(name, str) else None
    if service is None:
        yield "AV08", f"its service {clip(name, 60)} does not exist" if name else "it names no service"
    elif service.spec.get("clusterIP") != "None":
        yield "AV08", f"its service {service.name} is not headless"


def _single_writer(deployed: Deployed, workload: Workload) -> Texts:
    if workload.kind not in {"StatefulSet", "Deployment", "Pod"}:
        yield "AV10", f"a {workload.kind} may run it more than once"
    elif workload.replicas != 1:
        yield "AV10", f"replicas is {workload.replicas}, and a single writer has 1"
    if autoscaler(deployed, workload) is not None:
        yield "AV10", "an autoscaler may run it more than once"
    surge, _ = _rolling(workload.object)
    if workload.kind == "Deployment" and surge != 0:
        yield "AV10", "a rollout starts the new pod while the old one runs (maxSurge)"


def _stateless(deployed: Deployed, workload: Workload) -> Texts:
    if workload.kind not in SCALED:
        return
    count = replicas(deployed, workload)
    if count == 0:
        yield "AV03", "replicas is 0, so nothing serves"
    if count == 1 and autoscaler(deployed, workload) is None:  # else AV06 says so
        yield (
            "AV03",
            "replicas is 1, so nothing serves while its pod is away; a single writer has its own role",
        )
    if workload.kind == "Deployment":
        yield from _rollout(workload.object)
    if count < 2:
        return
    if next(budgets(deployed, workload), None) is None:
        yield "AV03", f"no PodDisruptionBudget selects its {count} pods"
    if not _spread(workload):
        yield "AV07", f"nothing spreads its {count} pods over nodes"


def _rolling(one: Object) -> tuple[int | None, int | None]:
    """Return maxSurge and maxUnavailable of a Deployment for 4 replicas (unset: 25 %; recreate: 0 and 4)."""
    strategy = mapping(one.spec.get("strategy"))
    if strategy.get("type") == "Recreate":
        return 0, 4
    said = mapping(strategy.get("rollingUpdate"))
    surge, unavailable = (said.get(key) for key in ("maxSurge", "maxUnavailable"))
    return share("25%" if surge is None else surge, 4), share(
        "25%" if unavailable is None else unavailable, 4
    )


def _rollout(one: Object) -> Texts:
    surge, unavailable = _rolling(one)
    if unavailable != 0:
        yield "AV05", "a rollout stops pods before their successors are ready (maxUnavailable is not 0)"
    elif surge == 0 or surge is None:
        yield "AV05", "a rollout can start no pod (maxSurge is 0)"


def _spread(workload: Workload) -> bool:
    spec = workload.pod.spec
    anti = mapping(mapping(spec.affinity).get("podAntiAffinity"))
    required = items(anti.get("requiredDuringSchedulingIgnoredDuringExecution"))
    preferred = items(anti.get("preferredDuringSchedulingIgnoredDuringExecution"))
    terms = [*required, *(mapping(one).get("podAffinityTerm") for one in preferred)]
    terms.extend(spec.topology_spread_constraints or ())
    return any(matches(mapping(term).get("labelSelector"), workload.labels) for term in terms)


def _budget(deployed: Deployed, budget: Object) -> Iterator[Finding]:
    taken = selected(deployed, budget.namespace, budget.spec.get("selector"))
    behind = [one for one in taken if one.kind in SCALED and not deployed.made(one.object)]
    if not behind:
        yield Finding("AV04", budget.title, "it selects no pod")
        return
    count = sum(replicas(deployed, one) for one in behind)
    allowed = disruptions(budget, count)
    if allowed is None:
        yield Finding("AV04", budget.title, "it says neither minAvailable nor maxUnavailable")
    elif allowed == 0:
        yield Finding("AV04", budget.title, f"it lets none of {count} pods go, so no node can be drained")


def _scaler(deployed: Deployed, scaler: Object) -> Iterator[Finding]:
    target = mapping(scaler.spec.get("scaleTargetRef"))
    group = str(target.get("apiVersion") or "").rpartition("/")[0]
    kind, name = known_as(str(target.get("kind")), group), str(target.get("name"))
    if fewest(scaler) < 2:
        yield Finding("AV06", scaler.title, f"minReplicas is {fewest(scaler)}")
    found = deployed.find(kind, scaler.namespace, name)
    if found is None:
        yield Finding("AV06", scaler.title, f"its target {clip(kind, 40)} {clip(name, 60)} does not exist")
    elif not deployed.live and found.spec.get("replicas") is not None:
        yield Finding(
            "AV06", scaler.title, f"{found.title} sets replicas too, so each rollout undoes the scaling"
        )
