"""Rules for the state of a cluster (LV01 to LV05): rolled out, running, with its image, without warnings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from release_gates.probes.kubernetes.faults import clip
from release_gates.probes.kubernetes.findings import Finding
from release_gates.probes.kubernetes.images import split_image
from release_gates.probes.kubernetes.objects import Deployed, Object, items, mapping
from release_gates.probes.kubernetes.quantities import seconds
from release_gates.probes.kubernetes.settings import LiveCluster

ROLLED = ("Deployment", "StatefulSet")
FINE = frozenset({"ContainerCreating", "PodInitializing"})


def live_findings(deployed: Deployed, cluster: LiveCluster, now: datetime) -> Iterator[Finding]:
    """Yield what is not as it was asked for, at a moment (with time zone)."""
    for one in deployed.of_kind(*ROLLED):
        yield from (Finding("LV01", one.title, text) for text in _rollout(one))
    for one in deployed.of_kind("ReplicaSet", "ReplicationController"):
        if not deployed.made(one):
            yield from (Finding("LV01", one.title, text) for text in _replicas(one))
    for one in deployed.of_kind("Job"):
        yield from (Finding("LV01", one.title, text) for text in _job(one))
    for one in deployed.of_kind("DaemonSet"):
        yield from (Finding("LV01", one.title, text) for text in _daemons(one))
    for pod in deployed.of_kind("Pod"):
        if mapping(pod.body.get("status")).get("phase") != "Succeeded":
            yield from _pod(pod, cluster, now)
    for budget in deployed.of_kind("PodDisruptionBudget"):
        yield from _budget(budget)
    for scaler in deployed.of_kind("HorizontalPodAutoscaler"):
        yield from (Finding("LV05", scaler.title, text) for text in _scaler(scaler))
    yield from _warnings(deployed, cluster, now)


def _budget(budget: Object) -> Iterator[Finding]:
    status = mapping(budget.body.get("status"))
    yield from (Finding("LV01", budget.title, text) for text in _observed(budget))
    if status.get("expectedPods") and not status.get("disruptionsAllowed"):
        healthy, wanted = clip(status.get("currentHealthy"), 20), clip(status.get("desiredHealthy"), 20)
        yield Finding(
            "AV04", budget.title, f"at this moment it lets no pod go: {healthy} of {wanted} are healthy"
        )


def _scaler(scaler: Object) -> Iterator[str]:
    """Yield why an autoscaler does not scale; https://kubernetes.io/docs lists its three conditions."""
    status = mapping(scaler.body.get("status"))
    said = {mapping(one).get("type"): mapping(one) for one in items(status.get("conditions"))}
    for kind in ("AbleToScale", "ScalingActive"):
        one = said.get(kind, {})
        if one.get("status") != "True":
            why = clip(one.get("reason") or "it does not say why", 60)
            yield f"{kind} is {clip(one.get('status'), 20)}: {why}"
    limited = said.get("ScalingLimited", {})
    if limited.get("status") == "True" and limited.get("reason") == "TooManyReplicas":
        yield f"it wants more than its maxReplicas of {clip(scaler.spec.get('maxReplicas'), 20)}"


def _warnings(deployed: Deployed, cluster: LiveCluster, now: datetime) -> Iterator[Finding]:
    for event in deployed.of_kind("Event"):
        body = event.body
        if body.get("type") == "Normal" or body.get("reason") in cluster.events_allowed:
            continue
        seen = _last_seen(body)
        if seen is None or (now - seen).total_seconds() <= seconds(cluster.events_within):
            about = mapping(body.get("involvedObject") or body.get("regarding"))
            title = f"{clip(about.get('kind'), 60)}/{event.namespace}/{clip(about.get('name'), 80)}"
            said = clip(body.get("message") or body.get("note") or "", 160)
            yield Finding("LV04", title, f"{clip(body.get('reason'), 60)}: {said}")


def _last_seen(event: Mapping[str, object]) -> datetime | None:
    """Return when an event was seen last, None where it does not say."""
    series = mapping(event.get("series")).get("lastObservedTime")
    for said in (series, event.get("lastTimestamp"), event.get("eventTime"), event.get("firstTimestamp")):
        if said:
            try:
                moment = datetime.fromisoformat(str(said))
            except ValueError:
                return None
            return moment if moment.tzinfo else None
    return None


def _rollout(one: Object) -> Iterator[str]:
    yield from _replicas(one, "updatedReplicas")


def _replicas(one: Object, *more: str) -> Iterator[str]:
    status, wanted = mapping(one.body.get("status")), one.spec.get("replicas", 1)
    yield from _observed(one)
    for key in (*more, "readyReplicas", "availableReplicas", "replicas"):
        have = status.get(key, 0)
        if have != wanted:
            yield f"{key} is {clip(have, 20)}, asked for are {clip(wanted, 20)}"


def _job(one: Object) -> Iterator[str]:
    for said in items(mapping(one.body.get("status")).get("conditions")):
        condition = mapping(said)
        if condition.get("type") in {"Failed", "FailureTarget"} and condition.get("status") == "True":
            yield f"it failed: {clip(condition.get('reason') or 'it does not say why', 60)}"


def _daemons(one: Object) -> Iterator[str]:
    status = mapping(one.body.get("status"))
    wanted = status.get("desiredNumberScheduled", 0)
    yield from _observed(one)
    if not wanted:
        yield "no node is asked to run it"
    for key in ("updatedNumberScheduled", "numberReady", "numberAvailable"):
        if status.get(key, 0) != wanted:
            yield f"{key} is {clip(status.get(key, 0), 20)}, asked for are {clip(wanted, 20)}"


def _observed(one: Object) -> Iterator[str]:
    generation = mapping(one.body.get("metadata")).get("generation")
    observed = mapping(one.body.get("status")).get("observedGeneration")
    if generation is None or observed != generation:
        yield f"generation {clip(generation, 20)} is not observed yet ({clip(observed, 20)} is)"


def _pod(pod: Object, cluster: LiveCluster, now: datetime) -> Iterator[Finding]:
    status = mapping(pod.body.get("status"))
    digests = {
        mapping(one).get("name"): split_image(str(mapping(one).get("image")))[2]
        for one in (*items(pod.spec.get("containers")), *items(pod.spec.get("initContainers")))
    }
    for said in (*items(status.get("initContainerStatuses")), *items(status.get("containerStatuses"))):
        one = mapping(said)
        where = f"container {clip(one.get('name'), 60)}"
        restarts = one.get("restartCount", 0)
        if not isinstance(restarts, int) or restarts > cluster.restarts:
            yield Finding("LV02", pod.title, f"{where} was started again {clip(restarts, 20)} times")
        reason = mapping(mapping(one.get("state")).get("waiting")).get("reason")
        if reason is not None and reason not in FINE:
            yield Finding("LV02", pod.title, f"{where} waits: {clip(reason, 60)}")
        wanted, image = digests.get(one.get("name"), ""), str(one.get("imageID") or "")
        if wanted and image and not image.endswith(wanted):
            yield Finding("LV03", pod.title, f"{where} runs {clip(image)}, asked for is {wanted}")
    yield from _not_ready(pod, cluster, now)


def _not_ready(pod: Object, cluster: LiveCluster, now: datetime) -> Iterator[Finding]:
    conditions = [mapping(one) for one in items(mapping(pod.body.get("status")).get("conditions"))]
    ready = next((one for one in conditions if one.get("type") == "Ready"), {})
    if ready.get("status") == "True":
        return
    try:
        since = datetime.fromisoformat(str(ready.get("lastTransitionTime")))
    except ValueError:
        yield Finding("LV02", pod.title, "it is not ready, and does not say since when")
        return
    if since.tzinfo is None or (now - since).total_seconds() > seconds(cluster.not_ready_for):
        yield Finding("LV02", pod.title, f"it is not ready since {since.isoformat()}")
