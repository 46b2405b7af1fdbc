"""Every rule on the reference manifests: they are fine, and each change of one place trips what it should."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fixtures.trading_system.deploy.render import rendered
from release_gates.errors import MeasurementError
from release_gates.probes.kubernetes.catalogue import RULES
from release_gates.probes.kubernetes.documents import Document, read_documents
from release_gates.probes.kubernetes.judging import Judgement, judge
from release_gates.probes.kubernetes.objects import deployed
from release_gates.probes.kubernetes.settings import KubernetesSettings

REFERENCE = Path(__file__).resolve().parents[4] / "fixtures/trading_system/deploy/kubernetes"
NOW = datetime(2026, 11, 21, tzinfo=UTC)
DIGEST = "ab" * 32
IMAGE = "release-gates.local/trading-engine"
REMOVE = object()

KUBELET: dict[str, Any] = {
    "apiVersion": "kubelet.config.k8s.io/v1beta1",
    "kind": "KubeletConfiguration",
    "cpuManagerPolicy": "static",
    "cpuManagerPolicyOptions": {"full-pcpus-only": "true", "strict-cpu-reservation": "true"},
    "topologyManagerPolicy": "single-numa-node",
    "memoryManagerPolicy": "Static",
    "reservedSystemCPUs": "2-3",
}
POLICY: dict[str, Any] = {
    "version": "1.34",
    "registries": ["registry.trading.example", "release-gates.local"],
    "images": {IMAGE: "image"},
    "undecided": ["LL08", "LL09", "LL11"],
    "workload": {
        "StatefulSet/trading/trading-engine": {
            "role": "single-writer",
            "low_latency": True,
            "dedicated_taint": "trading.example/dedicated",
            "isolated_cpus": "0-1",
            "drain": "10 s",
            "warm_up": "60 s",
            "runs": IMAGE,
        },
        "Deployment/trading/order-gateway": {"secrets": "csi", "drain": "15 s"},
    },
}


def reference() -> list[dict[str, Any]]:
    documents = read_documents(rendered(DIGEST).encode(), "deploy.yaml")
    return [*(one.value for one in documents), KUBELET]


GOOD = reference()


def settings(**changed: Any) -> KubernetesSettings:
    return msgspec.convert({**POLICY, **changed}, KubernetesSettings)


def judged(objects: list[dict[str, Any]], policy: KubernetesSettings | None = None) -> Judgement:
    documents = [Document(f"test.yaml:{number}", one) for number, one in enumerate(objects)]
    chosen = policy or settings()
    return judge(deployed(documents, namespace="default"), chosen, dict.fromkeys(chosen.images, DIGEST), NOW)


def changed(title: str, path: str, value: Any) -> list[dict[str, Any]]:
    """Return the reference with one place of one object changed; a new object where the path is empty."""
    objects = copy.deepcopy(GOOD)
    kind, name = title.split("/")
    target: Any = next(
        one for one in objects if one["kind"] == kind and one.get("metadata", {}).get("name", "") == name
    )
    if not path:
        objects.remove(target)
        return objects
    *parents, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    for parent in parents:
        target = target.setdefault(parent, {}) if isinstance(target, dict) else target[parent]
    if value is REMOVE:
        del target[last]
    elif isinstance(target, list) and last == len(target):
        target.append(value)
    else:
        target[last] = value
    return objects


ENGINE, GATEWAY = "StatefulSet/trading-engine", "Deployment/order-gateway"
SPEC = "spec.template.spec."
ONE = SPEC + "containers.0."
SC = ONE + "securityContext."
KUBE = "KubeletConfiguration/"
RULE = "Role/on-call"


def only(verbs: list[str], groups: list[str], resources: list[str]) -> list[dict[str, Any]]:
    return [{"verbs": verbs, "apiGroups": groups, "resources": resources}]


def negative(operator: str, key: str, values: list[str] | None = None) -> dict[str, Any]:
    expression = {"key": key, "operator": operator, **({"values": values} if values else {})}
    return {"matchExpressions": [expression]}


PROBE = {"httpGet": {"path": "/ready", "port": "admin"}, "periodSeconds": 5, "failureThreshold": 2}
PROXY = next(one for one in GOOD if one["kind"] == "Deployment")["spec"]["template"]["spec"]["containers"][0]
BOTH = {"readinessProbe": {**PROBE, "failureThreshold": 9}, "livenessProbe": {**PROBE, "failureThreshold": 9}}
VARIANTS: list[tuple[str, str, str, Any]] = [
    # rule(s), object, place, value
    ("PSS-privileged", GATEWAY, SC + "privileged", True),
    ("PSS-hostNamespaces", ENGINE, SPEC + "hostNetwork", True),
    ("PSS-hostNamespaces", GATEWAY, SPEC + "hostPID", True),
    ("PSS-allowPrivilegeEscalation", ENGINE, SC + "allowPrivilegeEscalation", REMOVE),
    ("PSS-capabilities_restricted", ENGINE, SC + "capabilities.add", ["SYS_NICE"]),
    ("PSS-capabilities_restricted", GATEWAY, SC + "capabilities.drop", ["NET_RAW"]),
    ("PSS-runAsNonRoot", ENGINE, SPEC + "securityContext.runAsNonRoot", REMOVE),
    ("PSS-runAsUser PW08", GATEWAY, SPEC + "securityContext.runAsUser", 0),
    ("PSS-seccompProfile_restricted", GATEWAY, SPEC + "securityContext.seccompProfile", REMOVE),
    ("PSS-restrictedVolumes", GATEWAY, SPEC + "volumes.2", {"name": "x", "hostPath": {"path": "/srv"}}),
    (
        "PSS-restrictedVolumes",
        GATEWAY,
        SPEC + "volumes.2",
        {"name": "x", "nfs": {"server": "a", "path": "/b"}},
    ),
    (
        "PSS-restrictedVolumes PW07",
        GATEWAY,
        SPEC + "volumes.2",
        {"name": "x", "hostPath": {"path": "/var/run/docker.sock"}},
    ),
    (
        "PSS-restrictedVolumes PW07",
        GATEWAY,
        SPEC + "volumes.2",
        {"name": "x", "hostPath": {"path": "//run/../var/run/"}},
    ),
    ("PSS-hostPorts", GATEWAY, ONE + "ports.0.hostPort", 443),
    ("PSS-sysctls", ENGINE, SPEC + "securityContext.sysctls", [{"name": "kernel.msgmax", "value": "1"}]),
    ("PSS-appArmorProfile", ENGINE, SC + "appArmorProfile", {"type": "Unconfined"}),
    ("PSS-hostProbesAndHostLifecycle", GATEWAY, ONE + "livenessProbe.httpGet.host", "10.0.0.1"),
    ("PSS-procMount", ENGINE, SC + "procMount", "Unmasked"),
    ("PSS-seLinuxOptions", GATEWAY, SPEC + "securityContext.seLinuxOptions", {"type": "spc_t"}),
    ("PSS-windowsHostProcess", GATEWAY, SC + "windowsOptions", {"hostProcess": True}),
    ("PW01", ENGINE, SC + "readOnlyRootFilesystem", REMOVE),
    ("PW01", GATEWAY, SC + "readOnlyRootFilesystem", False),
    ("PW02", GATEWAY, ONE + "resources.limits.memory", REMOVE),
    ("PW02 PW03", GATEWAY, ONE + "resources", {}),
    ("PW03", GATEWAY, ONE + "resources", {"requests": {"memory": "1Gi"}, "limits": {"memory": "1Gi"}}),
    ("PW04", GATEWAY, ONE + "image", "registry.trading.example/platform/edge-proxy:1.31.2"),
    ("PW04", GATEWAY, ONE + "image", "registry.trading.example/platform/edge-proxy"),
    ("PW04", GATEWAY, ONE + "image", f"registry.trading.example.evil/x@sha256:{DIGEST}"),
    ("PW04", GATEWAY, ONE + "image", "registry.trading.example/x@sha256:abc"),
    ("PW04", GATEWAY, ONE + "image", f"registry.trading.example/x:latest@sha256:{DIGEST}"),
    ("PW05", ENGINE, SPEC + "automountServiceAccountToken", True),
    ("PW05", ENGINE, SPEC + "serviceAccountName", "default"),
    ("PW05", GATEWAY, SPEC + "serviceAccountName", "nobody"),
    ("PW06", GATEWAY, ONE + "env", [{"name": "DB_PASSWORD", "value": "hunter2"}]),
    ("PW06", GATEWAY, ONE + "env", [{"name": "X", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]),
    ("PW06", GATEWAY, ONE + "envFrom", [{"secretRef": {"name": "s"}}]),
    ("PW06", GATEWAY, ONE + "args", ["--upstream=https://me:hunter2@db"]),
    ("PW06", "ConfigMap/order-gateway", "data.api_token", "abcdef"),
    ("PW06", GATEWAY, ONE + "command", ["/proxy", "--upstream=https://me:hunter2@db"]),
    (
        "PW06",
        ENGINE,
        ONE + "lifecycle.preStop",
        {"exec": {"command": ["/stop", "https://me:hunter2@journal"]}},
    ),
    ("PW08", ENGINE, SPEC + "securityContext.runAsGroup", 1000),
    ("PW08", ENGINE, SPEC + "securityContext.runAsUser", REMOVE),
    ("PW08", ENGINE, SPEC + "securityContext.fsGroup", 0),
    ("PW09", GATEWAY, "spec.replica", 3),
    ("PW09", GATEWAY, ONE + "env", [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]),
    ("PW09", GATEWAY, SPEC + "volumes.0.emptyDir", {}),
    ("PW09", "PodDisruptionBudget/order-gateway", "apiVersion", "policy/v1beta1"),
    ("PW10", "Namespace/trading", "metadata.labels", {}),
    ("PW10", "Namespace/trading", "", None),
    ("PW10", "Namespace/trading", "metadata.labels", {"pod-security.kubernetes.io/enforce": "privileged"}),
    ("PW11", GATEWAY, SPEC + "volumes.1", {"name": "certificate", "secret": {"secretName": "tls"}}),
    ("PW12", ENGINE, ONE + "image", f"{IMAGE}@sha256:{'cd' * 32}"),
    ("PW12", ENGINE, ONE + "image", f"registry.trading.example/other@sha256:{DIGEST}"),
    ("PW12 PW04", ENGINE, ONE + "image", f"{IMAGE}:1.1.0"),
    ("NP02", "NetworkPolicy/default-deny", "spec.policyTypes", ["Ingress"]),
    ("NP02", "NetworkPolicy/default-deny", "", None),
    ("NP02", "NetworkPolicy/default-deny", "spec.policyTypes", ["Egress"]),
    ("NP02 NP03", "NetworkPolicy/default-deny", "spec.egress", [{}]),
    ("NP03", "NetworkPolicy/trading-engine", "spec.ingress.0.from", []),
    ("NP03", "NetworkPolicy/trading-engine", "spec.ingress.0.from.0", {"ipBlock": {"cidr": "0.0.0.0/0"}}),
    ("NP03", "NetworkPolicy/trading-engine", "spec.ingress.0.from.0", {"ipBlock": {"cidr": "128.0.0.0/1"}}),
    ("NP03", "NetworkPolicy/trading-engine", "spec.ingress.0.from.0", {"ipBlock": {"cidr": "::/0"}}),
    ("NP03", "NetworkPolicy/trading-engine", "spec.ingress.0.from.0", {"namespaceSelector": {}}),
    (
        "NP03",
        "NetworkPolicy/trading-engine",
        "spec.ingress.0.from.1",
        {"namespaceSelector": negative("NotIn", "team", ["x"])},
    ),
    (
        "NP03",
        "NetworkPolicy/trading-engine",
        "spec.ingress.0.from.1",
        {"namespaceSelector": negative("Exists", "kubernetes.io/metadata.name"), "podSelector": {}},
    ),
    (
        "NP03",
        "NetworkPolicy/trading-engine",
        "spec.ingress.0.from.1",
        {"namespaceSelector": {}, "podSelector": negative("DoesNotExist", "app")},
    ),
    ("NP04", "NetworkPolicy/trading-engine", "spec.podSelector.matchLabels.app", "trading-engin"),
    ("NP04", "NetworkPolicy/trading-engine", "spec.ingress.0.from.0.podSelector.matchLabels.app", "gatway"),
    ("NP04", "Service/order-gateway", "spec.ports.0.targetPort", "http"),
    ("NP04", "Service/order-gateway", "spec.ports.0.targetPort", 443),
    ("NP04", "Ingress/order-gateway", "spec.rules.0.http.paths.0.backend.service.name", "nobody"),
    ("NP04", "Ingress/order-gateway", "spec.rules.0.http.paths.0.backend.service.port", {"number": 80}),
    ("NP05", "Service/order-gateway", "spec.type", "LoadBalancer"),
    ("NP05", "Service/order-gateway", "spec.type", "NodePort"),
    ("NP05", "Service/order-gateway", "spec.externalIPs", ["10.1.1.1"]),
    ("NP06", "Ingress/order-gateway", "spec.tls", REMOVE),
    ("NP06", "Ingress/order-gateway", "spec.tls.0.hosts.0", "other.trading.example"),
    ("NP06", "Ingress/order-gateway", "spec.rules.0.host", "*.trading.example"),
    ("NP06", "Ingress/order-gateway", "spec.rules.0.host", REMOVE),
    (
        "NP06",
        "Ingress/order-gateway",
        "spec.defaultBackend",
        {"service": {"name": "order-gateway", "port": {"name": "https"}}},
    ),
    ("RB01", RULE, "rules", only(["*"], [""], ["configmaps"])),
    ("RB01", RULE, "rules", only(["get"], ["apps"], ["*"])),
    ("RB01", RULE, "rules", only(["get"], ["*"], ["configmaps"])),
    ("RB02", "ClusterRoleBinding/release-gate", "roleRef.name", "cluster-admin"),
    ("RB01", "RoleBinding/on-call", "roleRef.name", "nobody-declares-it"),
    ("RB03", RULE, "rules", only(["list"], [""], ["secrets"])),
    ("RB04", RULE, "rules", only(["create"], [""], ["pods/exec"])),
    ("RB04", RULE, "rules", only(["get"], [""], ["nodes/proxy"])),
    ("RB04", RULE, "rules", only(["create"], [""], ["pods/attach"])),
    ("RB05", RULE, "rules", only(["bind"], ["rbac.authorization.k8s.io"], ["clusterroles"])),
    ("RB05", RULE, "rules", only(["escalate"], ["rbac.authorization.k8s.io"], ["roles"])),
    ("RB05", RULE, "rules", only(["impersonate"], [""], ["users"])),
    ("RB05", RULE, "rules", only(["create"], [""], ["serviceaccounts/token"])),
    (
        "RB06",
        RULE,
        "rules",
        only(["patch"], ["admissionregistration.k8s.io"], ["mutatingwebhookconfigurations"]),
    ),
    (
        "RB06",
        RULE,
        "rules",
        only(["update"], ["certificates.k8s.io"], ["certificatesigningrequests/approval"]),
    ),
    ("RB07", "RoleBinding/on-call", "subjects.0.name", "system:authenticated"),
    ("RB07", "RoleBinding/on-call", "subjects.0", {"kind": "User", "name": "system:anonymous"}),
    ("RB08", RULE, "rules", only(["create"], [""], ["pods"])),
    ("RB08", RULE, "rules", only(["create"], ["batch"], ["jobs"])),
    ("AV01", GATEWAY, ONE + "readinessProbe", REMOVE),
    ("AV01", ENGINE, ONE + "livenessProbe", REMOVE),
    ("AV01", GATEWAY, SPEC + "containers.0", {**PROXY, **BOTH}),
    ("AV01", GATEWAY, ONE + "livenessProbe.httpGet.port", 1234),
    ("AV01", GATEWAY, ONE + "livenessProbe", {"periodSeconds": 10}),
    ("AV02", ENGINE, ONE + "startupProbe", REMOVE),
    ("AV02", ENGINE, ONE + "startupProbe.failureThreshold", 30),
    ("AV03", "PodDisruptionBudget/order-gateway", "", None),
    ("AV03 AV04", "PodDisruptionBudget/order-gateway", "spec.selector.matchLabels.app", "gatway"),
    ("AV04", "PodDisruptionBudget/order-gateway", "spec.maxUnavailable", 0),
    ("AV04", "PodDisruptionBudget/order-gateway", "spec.maxUnavailable", "0%"),
    (
        "AV04",
        "PodDisruptionBudget/order-gateway",
        "spec",
        {"minAvailable": 3, "selector": {"matchLabels": {"app": "order-gateway"}}},
    ),
    (
        "AV04",
        "PodDisruptionBudget/order-gateway",
        "spec",
        {"minAvailable": "100%", "selector": {"matchLabels": {"app": "order-gateway"}}},
    ),
    (
        "AV04",
        "PodDisruptionBudget/order-gateway",
        "spec",
        {"minAvailable": "67%", "selector": {"matchLabels": {"app": "order-gateway"}}},
    ),
    ("AV05", GATEWAY, "spec.strategy.rollingUpdate.maxUnavailable", 1),
    ("AV05", GATEWAY, "spec.strategy", REMOVE),
    ("AV05", GATEWAY, "spec.strategy.rollingUpdate.maxSurge", 0),
    ("AV05", GATEWAY, "spec.strategy", {"type": "Recreate"}),
    ("AV06 AV03", "HorizontalPodAutoscaler/order-gateway", "spec.scaleTargetRef.name", "nobody"),
    ("AV06", "HorizontalPodAutoscaler/order-gateway", "spec.minReplicas", REMOVE),
    ("AV06", GATEWAY, "spec.replicas", 3),
    ("AV07", GATEWAY, SPEC + "topologySpreadConstraints", REMOVE),
    ("AV07", GATEWAY, SPEC + "topologySpreadConstraints.0.labelSelector.matchLabels.app", "other"),
    ("AV08", ENGINE, "spec.serviceName", REMOVE),
    ("AV08", ENGINE, "spec.serviceName", "nobody"),
    ("AV08", "Service/trading-engine", "spec.clusterIP", REMOVE),
    ("AV09", ENGINE, SPEC + "terminationGracePeriodSeconds", 10),
    ("AV09", GATEWAY, ONE + "lifecycle", REMOVE),
    ("AV10", ENGINE, "spec.replicas", 2),
    ("AV10", ENGINE, "spec.replicas", 0),
    (
        "AV10 AV06 AV03",
        "HorizontalPodAutoscaler/order-gateway",
        "spec.scaleTargetRef",
        {"kind": "StatefulSet", "name": "trading-engine"},
    ),
    ("LL01", ENGINE, ONE + "resources.requests.memory", "4Gi"),
    ("LL01 LL02", ENGINE, ONE + "resources.limits.cpu", "2500m"),
    ("LL02", ENGINE, ONE + "resources", {"limits": {"cpu": "2500m", "memory": "8Gi"}}),
    ("LL03", KUBE, "cpuManagerPolicy", "none"),
    ("LL03", KUBE, "cpuManagerPolicy", REMOVE),
    ("LL04", KUBE, "topologyManagerPolicy", "best-effort"),
    ("LL05", KUBE, "cpuManagerPolicyOptions", {"full-pcpus-only": "true"}),
    ("LL06", KUBE, "memoryManagerPolicy", "None"),
    ("LL06", ENGINE, ONE + "resources.requests.hugepages-2Mi", "1Gi"),
    ("LL07", KUBE, "reservedSystemCPUs", "1-3"),
    ("LL07", KUBE, "reservedSystemCPUs", REMOVE),
    ("LL10", ENGINE, SPEC + "tolerations", []),
    ("LL10", ENGINE, SPEC + "nodeSelector", REMOVE),
]


OTHERWISE: list[tuple[str, dict[str, str], str, str, Any]] = [
    # rule, what policy says otherwise, object, place, value: checks that restricted replaces by stricter ones
    ("PSS-capabilities_baseline", {"level": "baseline"}, ENGINE, SC + "capabilities.add", ["NET_RAW"]),
    (
        "PSS-hostPathVolumes",
        {"level": "baseline"},
        GATEWAY,
        SPEC + "volumes.2",
        {"name": "x", "hostPath": {"path": "/srv"}},
    ),
    (
        "PSS-seccompProfile_baseline",
        {"level": "baseline"},
        ENGINE,
        SPEC + "securityContext.seccompProfile.type",
        "Unconfined",
    ),
    (
        "PW07",
        {"level": "privileged"},
        GATEWAY,
        SPEC + "volumes.2",
        {"name": "x", "hostPath": {"path": "/run/docker.sock"}},
    ),
    ("PSS-procMount_restricted", {"pod_security_version": "1.35"}, ENGINE, SC + "procMount", "Unmasked"),
]
BY_TWO = {"PSS-runAsUser"}
"""The user 0 is one below 10000 too (PW08)."""
NOT_BY_ONE_PLACE = {"NP01", "LL08", "LL09", "LL11"}
"""Two policies have to go; or what only a thread shows, which is undecided here."""


def test_the_reference_is_fine() -> None:
    judgement = judged(GOOD)
    assert judgement.findings == ()
    assert judgement.undecided == ()
    assert (judgement.pods, judgement.exempted) == (2, ())


def variants() -> Iterator[Any]:
    for number, (rules, title, path, value) in enumerate(VARIANTS):
        yield pytest.param(rules, title, path, value, id=f"{number}-{rules.replace(' ', '+')}")


@pytest.mark.parametrize(("rules", "title", "path", "value"), list(variants()))
def test_one_change_trips_exactly_its_rules(rules: str, title: str, path: str, value: Any) -> None:
    objects = changed(title, path, value)
    found = judged(objects).findings
    assert {one.rule for one in found} == set(rules.split()), "\n".join(map(str, found))


@pytest.mark.parametrize(
    ("rule", "policy", "title", "path", "value"), OTHERWISE, ids=[one[0] for one in OTHERWISE]
)
def test_one_change_under_another_policy_trips_exactly_its_rule(
    rule: str, policy: dict[str, str], title: str, path: str, value: Any
) -> None:
    assert judged(GOOD, settings(**policy)).findings == ()
    found = judged(changed(title, path, value), settings(**policy)).findings
    assert {one.rule for one in found} == {rule}, "\n".join(map(str, found))


def test_every_rule_has_a_change_that_trips_it_alone() -> None:
    """Those of a cluster's state are in ``test_drift.py``."""
    alone = {rules for rules, *_ in (*VARIANTS, *OTHERWISE) if " " not in rules}
    assert len([rules for rules, *_ in VARIANTS if " " not in rules]) > 100
    assert alone == {rule for rule in RULES if not rule.startswith("LV")} - NOT_BY_ONE_PLACE - BY_TWO


def test_a_namespace_that_is_named_is_no_open_door() -> None:
    for selector in (
        {"matchLabels": {"team": "x"}, **negative("DoesNotExist", "y")},
        negative("In", "team", ["x"]),
        negative("Exists", "team"),
    ):
        objects = changed(
            "NetworkPolicy/trading-engine", "spec.ingress.0.from.1", {"namespaceSelector": selector}
        )
        assert judged(objects).findings == ()


def test_a_service_of_one_replica_is_no_service_and_a_single_writer_is() -> None:
    objects = [one for one in GOOD if one["kind"] not in {"HorizontalPodAutoscaler", "PodDisruptionBudget"}]
    found = [str(one) for one in judged(objects).findings]
    assert [one[: one.index(";")] for one in found] == [
        "AV03 Deployment/trading/order-gateway: replicas is 1, so nothing serves while its pod is away"
    ]


@pytest.mark.parametrize(("kind", "path"), [("hostPath", "/run/containerd"), ("local", "/var/run/crio.sock")])
def test_a_volume_of_the_cluster_that_is_a_runtimes_socket(kind: str, path: str) -> None:
    volume = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": "v"},
        "spec": {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], kind: {"path": path}},
    }
    assert [one.rule for one in judged(with_objects(volume)).findings] == ["PW07"]
    volume["spec"] |= {kind: {"path": "/srv/data"}}
    assert judged(with_objects(volume)).findings == ()


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("docker.io/desk/engine", "desk/engine"),
        ("desk/engine", "index.docker.io/desk/engine"),
        ("engine", "docker.io/library/engine"),
        ("registry-1.docker.io/library/engine", "engine"),
    ],
)
def test_an_image_is_the_same_however_its_name_is_written(name: str, known: str) -> None:
    objects = changed(ENGINE, ONE + "image", f"{name}@sha256:{'cd' * 32}")
    name_of, engine = "StatefulSet/trading/trading-engine", POLICY["workload"]
    workload = {**engine, name_of: {**engine[name_of], "runs": known}}
    registries = ["docker.io", "registry.trading.example"]
    policy = settings(images={known: "image"}, registries=registries, workload=workload)
    assert [one.rule for one in judged(objects, policy).findings] == ["PW12"]
    right = changed(ENGINE, ONE + "image", f"{name}@sha256:{DIGEST}")
    assert judged(right, policy).findings == ()
    workload[name_of] |= {"runs": f"r.example/{known}"}
    other = settings(images={f"r.example/{known}": "image"}, registries=registries, workload=workload)
    assert {one.text for one in judged(right, other).findings if one.rule == "PW12"} == {
        "no pod runs the candidate's image",
        f"none of its containers runs r.example/{known}, which policy asks for",
    }


def cluster_binding(name: str, of: str, subject: dict[str, str]) -> dict[str, Any]:
    made = binding(name, of)
    return {**made, "kind": "ClusterRoleBinding", "metadata": {"name": name}, "subjects": [subject]}


@pytest.mark.parametrize(
    ("name", "subject", "concerns"),
    [
        ("b", {"kind": "ServiceAccount", "name": "x", "namespace": "trading"}, True),
        ("b", {"kind": "ServiceAccount", "name": "x", "namespace": "other"}, False),
        ("b", {"kind": "Group", "name": "system:serviceaccounts:trading"}, True),
        ("b", {"kind": "Group", "name": "system:serviceaccounts:other"}, False),
        ("b", {"kind": "Group", "name": "system:serviceaccounts"}, True),
        ("b", {"kind": "User", "name": "system:serviceaccount:trading:x"}, True),
        ("b", {"kind": "User", "name": "system:serviceaccount:other:x"}, False),
        ("b", {"kind": "User", "name": "jane"}, False),
        ("system:mine", {"kind": "Group", "name": "system:authenticated"}, True),
        ("cluster-admin", {"kind": "Group", "name": "system:masters"}, False),
        ("cluster-admin", {"kind": "Group", "name": "system:authenticated"}, True),
        ("cluster-admin", {"kind": "User", "name": "system:serviceaccount:trading:x"}, True),
    ],
)
def test_rights_in_a_cluster_reach_a_service_account_by_each_of_its_names(
    name: str, subject: dict[str, str], concerns: bool
) -> None:
    objects = with_objects(cluster_binding(name, "cluster-admin", subject))
    documents = [Document("x", one) for one in objects]
    found = judge(deployed(documents, namespace="x", live=True), settings(), {IMAGE: DIGEST}, NOW).findings
    assert ("RB02" in {one.rule for one in found}) is concerns


def with_objects(*extra: dict[str, Any]) -> list[dict[str, Any]]:
    return [*copy.deepcopy(GOOD), *extra]


def role(name: str, rules: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    metadata = {"name": name, "labels": more.pop("labels", {})}
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": metadata,
        "rules": rules,
        **more,
    }


def binding(name: str, of: str) -> dict[str, Any]:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": name, "namespace": "trading"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": of},
        "subjects": [{"kind": "ServiceAccount", "name": "trading-engine", "namespace": "trading"}],
    }


def test_an_aggregated_role_has_the_rules_of_what_it_selects_and_not_its_own() -> None:
    middle = {"clusterRoleSelectors": [{"matchLabels": {"into": "middle"}}]}
    top = {
        "clusterRoleSelectors": [{"matchExpressions": [{"key": "into", "operator": "In", "values": ["top"]}]}]
    }
    objects = with_objects(
        role("top", [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}], aggregationRule=top),
        role("middle", [], labels={"into": "top"}, aggregationRule=middle),
        role("leaf", only(["get"], [""], ["secrets"]), labels={"into": "middle"}),
        binding("b", "top"),
    )
    found = {(one.rule, one.object) for one in judged(objects).findings}
    assert found == {("RB03", f"ClusterRole/{name}") for name in ("top", "middle", "leaf")}


def test_roles_that_aggregate_each_other_end() -> None:
    one = {"clusterRoleSelectors": [{"matchLabels": {"a": "b"}}]}
    objects = with_objects(
        role("x", [], labels={"a": "b"}, aggregationRule=one),
        role("y", [], labels={"a": "b"}, aggregationRule=one),
    )
    assert judged(objects).findings == ()


@pytest.mark.parametrize(
    ("name", "rules"),
    [
        ("view", set()),
        ("edit", {"RB03", "RB04", "RB05", "RB08"}),
        ("admin", {"RB03", "RB04", "RB05", "RB08"}),
    ],
)
def test_a_role_that_every_cluster_has_is_judged_behind_a_rolebinding(name: str, rules: set[str]) -> None:
    assert {one.rule for one in judged(with_objects(binding("b", name))).findings} == rules


def test_a_policy_without_policytypes_isolates_ingress_and_egress_if_it_has_rules() -> None:
    objects = changed("NetworkPolicy/default-deny", "spec", {"podSelector": {}})
    texts = {str(one) for one in judged(objects).findings}
    assert texts == {"NP02 Namespace/trading: it has no default-deny policy for Egress"} | {
        text for text in texts if text.startswith("NP01") and text.endswith("for Egress")
    }


@pytest.mark.parametrize(("left", "missing"), [("Ingress", "Egress"), ("Egress", "Ingress")])
def test_a_pod_that_no_policy_selects_in_one_direction(left: str, missing: str) -> None:
    objects = changed("NetworkPolicy/default-deny", "spec.policyTypes", [left])
    policy = next(
        one
        for one in objects
        if one["kind"] == "NetworkPolicy" and one["metadata"]["name"] == "trading-engine"
    )
    policy["spec"] |= {"policyTypes": [left]}
    found = [str(one) for one in judged(objects).findings if one.rule == "NP01"]
    assert found == [
        f"NP01 StatefulSet/trading/trading-engine: no NetworkPolicy selects its pods for {missing}"
    ]


def test_all_kinds_of_workloads_and_containers_are_judged() -> None:
    bad = {"name": "x", "image": "x", "securityContext": {"privileged": True}}
    for kind in ("initContainers", "containers", "ephemeralContainers"):
        spec = {"containers": [{"name": "c", "image": "c"}], **{kind: [bad]}}
        template = {"metadata": {"labels": {"app": "x"}}, "spec": spec}
        for api, name, body in (
            ("v1", "Pod", template),
            ("v1", "PodTemplate", {"template": template}),
            ("apps/v1", "Deployment", {"spec": {"template": template}}),
            ("apps/v1", "StatefulSet", {"spec": {"template": template}}),
            ("apps/v1", "DaemonSet", {"spec": {"template": template}}),
            ("apps/v1", "ReplicaSet", {"spec": {"template": template}}),
            ("v1", "ReplicationController", {"spec": {"template": template}}),
            ("batch/v1", "Job", {"spec": {"template": template}}),
            ("batch/v1", "CronJob", {"spec": {"jobTemplate": {"spec": {"template": template}}}}),
        ):
            metadata = {**body.get("metadata", {}), "name": "bad", "namespace": "trading"}  # type: ignore[dict-item]
            objects = with_objects({"apiVersion": api, "kind": name, **body, "metadata": metadata})
            rules = {one.rule for one in judged(objects).findings if one.object == f"{name}/trading/bad"}
            assert {"PSS-privileged", "PW01", "PW04"} <= rules, (name, kind)


def owned(kind: str, name: str, uid: str, **spec: Any) -> dict[str, Any]:
    owner = {"apiVersion": "apps/v1", "kind": kind, "name": name, "uid": uid, "controller": True}
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {"name": "old", "namespace": "trading", "uid": "r", "ownerReferences": [owner]},
        "spec": {
            "selector": {},
            "template": {
                "metadata": {},
                "spec": {"containers": [{"name": "c", "image": f"{IMAGE}@sha256:{'ef' * 32}"}]},
            },
            **spec,
        },
    }


GATEWAY_UID = changed(GATEWAY, "metadata.uid", "1")


@pytest.mark.parametrize(
    ("one", "live", "rules"),
    [
        (owned("Deployment", "order-gateway", "1", replicas=0), True, set()),
        (owned("Deployment", "order-gateway", "1", replicas=2), True, {"PW12"}),
        # who is not there, is another, or controls nothing made nothing
        (owned("Deployment", "order-gateway", "2", replicas=0), True, {"PW12", "AV03"}),
        (owned("Deployment", "nobody", "1", replicas=0), True, {"PW12", "AV03"}),
        (owned("ConfigMap", "order-gateway", "1", replicas=0), True, {"PW12", "AV03"}),
        # a manifest that says who made it is not believed
        (owned("Deployment", "order-gateway", "1", replicas=0), False, {"PW12", "AV03"}),
    ],
)
def test_what_a_controller_made_is_judged_by_the_controller(
    one: dict[str, Any], live: bool, rules: set[str]
) -> None:
    documents = [Document("x", each) for each in (*copy.deepcopy(GATEWAY_UID), one)]
    found = judge(deployed(documents, namespace="x", live=live), settings(), {IMAGE: DIGEST}, NOW).findings
    assert {each.rule for each in found if each.object.startswith("ReplicaSet")} & {"PW12", "AV03"} == rules


def test_a_claimed_owner_is_no_way_around_the_rules_for_the_engine() -> None:
    owner = {"apiVersion": "v1", "kind": "Node", "name": "n", "uid": "1", "controller": True}
    objects = changed(ENGINE, "metadata.ownerReferences", [owner])
    engine = next(one for one in objects if one["kind"] == "StatefulSet")
    engine["spec"] |= {"replicas": 2}
    engine["spec"]["template"]["spec"]["tolerations"] = []
    assert {one.rule for one in judged(objects).findings} == {"AV10", "LL10"}


def test_a_custom_kind_is_an_error_until_policy_accepts_it_and_its_pods_are_judged() -> None:
    rollout = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "metadata": {"name": "r", "namespace": "trading"},
        "spec": {
            "template": {"spec": {"containers": [{"name": "c", "securityContext": {"privileged": True}}]}}
        },
    }
    with pytest.raises(
        MeasurementError, match=r"Rollout\.argoproj\.io/v1alpha1 is no kind of Kubernetes 1\.34"
    ):
        judged(with_objects(rollout))
    found = judged(with_objects(rollout), settings(kinds=["Rollout.argoproj.io/v1alpha1"])).findings
    assert "PSS-privileged" in {one.rule for one in found}


def foreign(api_version: str, title: str) -> list[dict[str, Any]]:
    """Return the reference with one object under the API of somebody else."""
    return changed(title, "apiVersion", api_version)


@pytest.mark.parametrize(
    ("title", "api_version", "rules"),
    [
        ("NetworkPolicy/default-deny", "crd.projectcalico.org/v1", {"NP02"}),
        ("PodDisruptionBudget/order-gateway", "example.org/v1", {"AV03"}),
        ("HorizontalPodAutoscaler/order-gateway", "example.org/v1", {"AV03"}),
        ("ServiceAccount/trading-engine", "example.org/v1", {"PW05"}),
        ("Service/trading-engine", "serving.knative.dev/v1", {"AV08"}),
        ("Namespace/trading", "example.org/v1", {"PW10"}),
    ],
)
def test_a_kind_of_somebody_else_stands_in_for_none_of_kubernetes(
    title: str, api_version: str, rules: set[str]
) -> None:
    accepted = settings(kinds=[f"{title.split('/', maxsplit=1)[0]}.{api_version}"])
    found = judged(foreign(api_version, title), accepted).findings
    assert {one.rule for one in found} == rules, "\n".join(map(str, found))


def test_a_workload_of_somebody_else_has_its_pods_judged_and_no_schema_of_ours() -> None:
    volcano = {
        "apiVersion": "batch.volcano.sh/v1alpha1",
        "kind": "Job",
        "metadata": {"name": "j", "namespace": "trading"},
        "spec": {"tasks": [{"template": {"spec": {"containers": [{"name": "c"}]}}}]},
    }
    accepted = settings(kinds=["Job.batch.volcano.sh/v1alpha1"])
    assert judged(with_objects(volcano), accepted).findings == ()
    template = {
        "template": {"spec": {"containers": [{"name": "c", "securityContext": {"privileged": True}}]}}
    }
    found = judged(with_objects({**volcano, "spec": template}), accepted).findings
    assert "PSS-privileged Job.batch.volcano.sh/trading/j: container c: privileged is true" in map(str, found)


def test_an_autoscaler_of_another_api_scales_nothing() -> None:
    for api_version in ("example.org/v1", REMOVE):
        objects = changed(
            "HorizontalPodAutoscaler/order-gateway", "spec.scaleTargetRef.apiVersion", api_version
        )
        assert {one.rule for one in judged(objects).findings} == {"AV06"}


def test_a_secret_that_is_written_down() -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "trading"}}
    for data, rules in (
        ({"stringData": {"a": "b"}}, ["PW06"]),
        ({"data": {"a": "Yg=="}}, ["PW06"]),
        ({"data": {}, "type": "kubernetes.io/service-account-token"}, []),
        ({"data": {"a": ""}}, []),
    ):
        assert [one.rule for one in judged(with_objects({**secret, **data})).findings] == rules


@pytest.mark.parametrize(
    "kind", ["../../../etc/passwd", "Deployment ", "deployment", "Deploiment", "all", "_definitions"]
)
def test_no_strange_kind_passes(kind: str) -> None:
    objects = with_objects({"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": "x"}})
    with pytest.raises(MeasurementError, match="kubernetes-kind-unknown"):
        judged(objects)


def test_low_latency_without_a_kubelet_is_undecided() -> None:
    objects = [one for one in GOOD if one["kind"] != "KubeletConfiguration"]
    assert {one.rule for one in judged(objects).undecided} == {"LL03", "LL04", "LL05", "LL06", "LL07"}
    assert {one.rule for one in judged(GOOD, settings(undecided=[])).undecided} == {"LL08", "LL09", "LL11"}


def exemption(**changed: Any) -> dict[str, Any]:
    said = {"rule": "PW01", "object": "StatefulSet/trading/*", "because": "it writes", "owner": "me"}
    return {**said, "until": date(2026, 11, 21), **changed}


def test_an_exemption_covers_its_rule_and_object_to_the_end_of_its_last_day() -> None:
    objects = changed(ENGINE, SC + "readOnlyRootFilesystem", False)
    judgement = judged(objects, settings(exempt=[exemption()]))
    assert (judgement.findings, [one.rule for one in judgement.exempted]) == ((), ["PW01"])
    over = judged(objects, settings(exempt=[exemption(until=date(2026, 11, 20))]))
    assert [one.rule for one in over.findings] == ["PW01"]


def test_an_exemption_or_profile_that_covers_nothing_is_an_error() -> None:
    with pytest.raises(MeasurementError, match="covers no finding"):
        judged(GOOD, settings(exempt=[exemption()]))
    with pytest.raises(MeasurementError, match="is about none of"):
        judged(GOOD, settings(workload={**POLICY["workload"], "Deployment/trading/gatway": {}}))


def test_nothing_is_no_pass() -> None:
    for objects in ([], [GOOD[0]]):
        with pytest.raises(MeasurementError, match="0 findings in 0 objects is no pass"):
            judged(objects)


def test_an_image_of_the_candidate_that_no_pod_runs() -> None:
    found = judged(GOOD, settings(images={**POLICY["images"], "registry.trading.example/x": "y"})).findings
    assert [str(one) for one in found] == [
        "PW12 Image/registry.trading.example/x: no pod runs the candidate's image"
    ]


def test_a_decoy_that_runs_the_image_does_not_make_up_for_the_engine() -> None:
    objects = changed(ENGINE, ONE + "image", f"registry.trading.example/other@sha256:{'cd' * 32}")
    job = copy.deepcopy(next(one for one in GOOD if one["kind"] == "StatefulSet"))
    decoy = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "decoy", "namespace": "trading"},
        "spec": {"template": job["spec"]["template"]},
    }
    decoy["spec"]["template"]["spec"] |= {"restartPolicy": "Never"}
    first = {**job["spec"]["template"]["spec"]["containers"][0], "name": "first"}
    for key in ("readinessProbe", "livenessProbe", "startupProbe", "lifecycle"):
        first.pop(key)
    engine = next(one for one in objects if one["kind"] == "StatefulSet")
    engine["spec"]["template"]["spec"]["initContainers"] = [first]
    assert [str(one) for one in judged([*objects, decoy]).findings] == [
        f"PW12 StatefulSet/trading/trading-engine: none of its containers runs {IMAGE}, which policy asks for"
    ]


def test_the_same_object_twice_is_an_error() -> None:
    with pytest.raises(MeasurementError, match="Namespace/trading is declared twice"):
        judged(
            [*GOOD, GOOD[2]]
            if GOOD[2]["kind"] == "Namespace"
            else [*GOOD, *(one for one in GOOD if one["kind"] == "Namespace")]
        )


@pytest.mark.parametrize(
    "text",
    [
        "kind: Pod\nmetadata: {name: a}",
        "apiVersion: v1\nkind: [Pod]\nmetadata: {name: a}",
        "apiVersion: v1\nkind: Pod",
        "apiVersion: v1\nkind: Pod\nmetadata: {name: 1}\nspec: {containers: [{}]}",
        "apiVersion: v1\nkind: Pod\nmetadata: {name: a}",
        "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: []}",
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec: {template: {}}",
        "apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: a}\nspec: {template: {spec: {containers: [{}]}}}",
        "apiVersion: v1\nkind: List\nitems: [1]",
    ],
)
def test_a_document_that_no_server_takes_is_an_error(text: str) -> None:
    with pytest.raises(MeasurementError, match="kubernetes-manifest-malformed"):
        deployed(read_documents(text.encode(), "a.yaml"), namespace="x")


def test_lists_are_taken_apart() -> None:
    text = """
    {"apiVersion": "v1", "kind": "List", "items": [
      {"apiVersion": "v1", "kind": "PodList", "items": [{"metadata": {"name": "a"}, "spec": {"containers": [{"name": "c"}]}}]},
      {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "s", "namespace": "n1"}}]}
    """
    found = deployed(read_documents(text.encode(), "a.json"), namespace="n2")
    assert {one.title for one in found.objects} == {"Pod/n2/a", "ServiceAccount/n1/s"}


@pytest.mark.parametrize(
    "bad",
    [
        {"version": "1.99"},
        {"pod_security_version": "2"},
        {"undecided": ["XX01"]},
        {"severity": {"XX01": "low"}},
        {"workload": {"*": {"drain": "soon"}}},
        {"workload": {"*": {"isolated_cpus": "3-1"}}},
        {"workload": {"*": {"runs": "registry.example/none-of-images"}}},
        {"exempt": [exemption(rule="PW99")]},
        {"exempt": [exemption(because=" ")]},
        {"exempt": [exemption(object="*")]},
        {"cluster": {"namespaces": []}},
        {"cluster": {"namespaces": ["a"], "in_cluster": True, "context": "x"}},
    ],
)
def test_policy_that_makes_no_sense_is_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        settings(**bad)
