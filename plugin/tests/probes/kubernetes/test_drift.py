"""What manifests declare against what a cluster has: each change of one place is exactly its finding."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fixtures.kubernetes_api import KubernetesApi, kubeconfig, kubernetes_api
from plugin.tests.probes.kubernetes import test_api as api
from plugin.tests.probes.kubernetes import test_rules as rules
from release_gates.errors import MeasurementError
from release_gates.probes.kubernetes.api import NAMESPACED, OF_CLUSTER, Reader
from release_gates.probes.kubernetes.assessment import GateKubernetes
from release_gates.probes.kubernetes.catalogue import RULES
from release_gates.probes.kubernetes.comparing import differences
from release_gates.probes.kubernetes.documents import Document
from release_gates.probes.kubernetes.drift import Sides, drift_findings
from release_gates.probes.kubernetes.judging import Judgement, judge
from release_gates.probes.kubernetes.nodes import low_latency_nodes
from release_gates.probes.kubernetes.objects import deployed
from release_gates.probes.kubernetes.settings import LiveCluster

READ = (*NAMESPACED, *OF_CLUSTER)
CLUSTER = {"namespaces": ["trading"]}
Change = Callable[[list[dict[str, Any]]], object]
STATUS: dict[str, dict[str, Any]] = {
    "StatefulSet": {
        "observedGeneration": 4,
        **dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), 1),
    },
    "Deployment": {
        "observedGeneration": 4,
        **dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), 3),
    },
    "PodDisruptionBudget": {
        "observedGeneration": 4,
        **dict.fromkeys(("expectedPods", "currentHealthy"), 3),
        "desiredHealthy": 2,
        "disruptionsAllowed": 1,
    },
    "HorizontalPodAutoscaler": {"conditions": api.FINE, "currentReplicas": 3, "desiredReplicas": 3},
}


def served() -> list[dict[str, Any]]:
    """Return the reference as an API server has it: identity, defaults, status, quantities in its own form."""
    objects = [copy.deepcopy(one) for one in rules.GOOD if one["kind"] != "KubeletConfiguration"]
    for one in objects:
        one["metadata"] |= {"uid": one["metadata"]["name"], "resourceVersion": "7", "generation": 4}
        one["metadata"].setdefault("annotations", {})["kubectl.kubernetes.io/last-applied-configuration"] = (
            "{}"
        )
        if one["kind"] in STATUS:
            one["status"] = copy.deepcopy(STATUS[one["kind"]])
        if one["kind"] == "Deployment":
            one["spec"] |= {"replicas": 3, "progressDeadlineSeconds": 600}
        if one["kind"] in {"Deployment", "StatefulSet"}:
            pod = one["spec"]["template"]["spec"]
            pod |= {"dnsPolicy": "ClusterFirst", "schedulerName": "default-scheduler"}
            for container in pod["containers"]:
                container |= {"imagePullPolicy": "IfNotPresent", "terminationMessagePath": "/dev/log"}
                container["ports"] = [{"protocol": "TCP", **port} for port in reversed(container["ports"])]
        if one["kind"] == "StatefulSet":
            for part in pod["containers"][0]["resources"].values():
                part |= {"cpu": "2000m", "memory": str(8 << 30)}
    return [*objects, engine_pod()]


def engine_pod() -> dict[str, Any]:
    owner = {"kind": "StatefulSet", "name": "trading-engine", "uid": "trading-engine", "controller": True}
    template = copy.deepcopy(found(rules.GOOD, rules.ENGINE)["spec"]["template"])
    metadata = {**template["metadata"], "name": "trading-engine-0", "namespace": "trading"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {**metadata, "ownerReferences": [{"apiVersion": "apps/v1", **owner}]},
        "spec": {**template["spec"], "nodeName": "n1"},
        "status": {
            **{key: api.POD["status"][key] for key in ("phase", "conditions")},
            "containerStatuses": [
                {
                    **{"name": "engine", "ready": True, "restartCount": 0, "state": {"running": {}}},
                    **{"image": "x", "imageID": f"x@sha256:{rules.DIGEST}"},
                }
            ],
        },
    }


def kubelet(name: str = "n1", **changed: Any) -> dict[str, Any]:
    return {**rules.KUBELET, "metadata": {"name": name}, **changed}


def found(objects: list[dict[str, Any]], title: str) -> dict[str, Any]:
    kind, name = title.split("/")
    return next(one for one in objects if (one["kind"], one["metadata"]["name"]) == (kind, name))


def sides(live: list[dict[str, Any]], declared: list[dict[str, Any]] | None = None) -> Sides:
    asked, has = (
        deployed(
            [Document(f"{name}:{at}", one) for at, one in enumerate(objects)], namespace="trading", live=on
        )
        for name, objects, on in (
            ("deploy.yaml", rules.GOOD if declared is None else declared, False),
            ("api", live, True),
        )
    )
    return Sides(asked, has, READ, ["trading"])


def judged(live: list[dict[str, Any]], declared: list[dict[str, Any]] | None = None) -> Judgement:
    both, policy = sides([*live, kubelet()], declared), rules.settings(cluster=CLUSTER)
    return judge(both.joined(), policy, dict.fromkeys(policy.images, rules.DIGEST), rules.NOW, None, both)


def container(objects: list[dict[str, Any]], title: str) -> dict[str, Any]:
    one: dict[str, Any] = found(objects, title)["spec"]["template"]["spec"]["containers"][0]
    return one


def job(**metadata: Any) -> dict[str, Any]:
    template = copy.deepcopy(found(rules.GOOD, rules.ENGINE)["spec"]["template"])
    template["spec"] |= {"restartPolicy": "Never"}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "by-hand", "namespace": "trading", **metadata},
        "spec": {"template": template},
    }


def test_what_runs_as_declared_is_fine() -> None:
    judgement = judged(served())
    assert (judgement.findings, judgement.undecided) == ((), ())


def container_status(live: list[dict[str, Any]]) -> dict[str, Any]:
    one: dict[str, Any] = found(live, "Pod/trading-engine-0")["status"]["containerStatuses"][0]
    return one


WARNING = {**api.WARNING, "apiVersion": "v1", "kind": "Event", "lastTimestamp": rules.NOW.isoformat()}
DEFECTS: list[tuple[str, Change, str]] = [
    (
        "LV01",
        lambda live: found(live, rules.ENGINE)["status"].__setitem__("readyReplicas", 0),
        "readyReplicas is 0, asked for are 1",
    ),
    (
        "LV02",
        lambda live: container_status(live).__setitem__("restartCount", 1),
        "container engine was started again 1 times",
    ),
    (
        "LV03",
        lambda live: container_status(live).__setitem__("imageID", f"x@sha256:{'cd' * 32}"),
        "container engine runs x@sha256:cdcd",
    ),
    ("LV04", lambda live: live.append(WARNING), "BackOff: Back-off restarting"),
    (
        "LV05",
        lambda live: found(live, "HorizontalPodAutoscaler/order-gateway")["status"].__setitem__(
            "conditions", [api.FINE[0], {"type": "ScalingActive", "status": "False"}]
        ),
        "ScalingActive is False",
    ),
    (
        "LV06",
        lambda live: live.remove(found(live, "ConfigMap/order-gateway")),
        "it is declared at deploy.yaml:",
    ),
    (
        "LV07",
        lambda live: container(live, rules.ENGINE)["args"].__setitem__(3, "9999"),
        "spec.template.spec.containers[engine].args[3] is '9999', declared is '--port'",
    ),
    ("LV08", lambda live: live.append(job()), "Job/trading/by-hand: no manifest declares it"),
]


@pytest.mark.parametrize(("rule", "change", "text"), DEFECTS, ids=[one[0] for one in DEFECTS])
def test_each_defect_is_exactly_its_rule(rule: str, change: Change, text: str) -> None:
    live = served()
    change(live)
    (one,) = judged(live).findings
    assert one.rule == rule
    assert text in str(one)


def test_every_rule_for_a_cluster_has_a_defect() -> None:
    assert [rule for rule, *_ in DEFECTS] == [rule for rule in RULES if rule.startswith("LV")]


def of_drift(live: list[dict[str, Any]], declared: list[dict[str, Any]] | None = None) -> list[str]:
    return [str(one) for one in drift_findings(sides(live, declared))]


@pytest.mark.parametrize(
    ("owner", "stranger"),
    [
        ({"kind": "StatefulSet", "name": "trading-engine", "uid": "trading-engine"}, False),
        ({"kind": "StatefulSet", "name": "trading-engine", "uid": "another"}, True),
        ({"kind": "StatefulSet", "name": "nobody", "uid": "x"}, True),
        ({"kind": "ConfigMap", "name": "order-gateway", "uid": "order-gateway"}, True),
        ({"kind": "Job", "name": "by-hand", "uid": None}, True),
        (
            {
                "apiVersion": "x.org/v1",
                "kind": "StatefulSet",
                "name": "trading-engine",
                "uid": "trading-engine",
            },
            True,
        ),
    ],
)
def test_a_claimed_owner_has_to_be_a_controller_that_is_there(owner: dict[str, Any], stranger: bool) -> None:
    version = "v1" if owner["kind"] == "ConfigMap" else "apps/v1"
    owned = job(ownerReferences=[{"apiVersion": version, **owner, "controller": True}])
    assert [text[:26] for text in of_drift([*served(), owned])] == ["LV08 Job/trading/by-hand: "] * stranger


def test_what_nobody_read_is_undecided_and_no_pass() -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "trading"}}
    away = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s", "namespace": "other"}}
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "other"}}
    older = copy.deepcopy(found(rules.GOOD, "HorizontalPodAutoscaler/order-gateway"))
    older["apiVersion"] = "autoscaling/v1"
    declared = [one for one in rules.GOOD if one["kind"] != older["kind"]]
    told = judged(served(), [*declared, secret, away, space, older]).undecided
    assert [(one.rule, one.object.split("/")[0], one.why) for one in told] == [
        ("LV06", "Secret", "objects of its kind are not read"),
        ("LV06", "Service", "policy does not have the namespace other read"),
        ("LV06", "Namespace", "policy does not have this namespace read"),
        (
            "LV07",
            "HorizontalPodAutoscaler",
            "it is declared as autoscaling/v1 and was read as autoscaling/v2, so fields differ",
        ),
    ]


def test_every_kind_that_is_read_can_be_missing() -> None:
    everything = of_drift([])
    assert {text.split()[0] for text in everything} == {"LV06"}
    assert len(everything) == len(rules.GOOD) - 1
    assert not any("not read" in text for text in everything)


def different(declared: dict[str, Any], live: dict[str, Any]) -> list[str]:
    return [str(one) for one in differences(declared, live)]


def pod(**spec: Any) -> dict[str, Any]:
    return {"kind": "Deployment", "spec": {"template": {"spec": spec}}}


def named(*names: str, **more: Any) -> list[dict[str, Any]]:
    return [{"name": name, **more} for name in names]


@pytest.mark.parametrize(
    ("declared", "live"),
    [
        ({"status": {"a": 1}}, {"status": {"a": 2}}),
        (pod(hostNetwork=False, nodeSelector={}, tolerations=[]), pod()),
        (pod(a=None), pod(a=1)),
        (pod(containers=named("a", "b")), pod(containers=named("b", "a", image="x"))),
        (pod(limits={"cpu": 2, "memory": "1Gi"}), pod(limits={"cpu": "2000m", "memory": "1073741824"})),
        (pod(env=[{"name": "a", "value": ""}]), pod(env=named("a"))),
        ({"rules": [{"verbs": ["get", "list"]}]}, {"rules": [{"verbs": ["list", "get"]}]}),
        ({"rules": [{"a": 1}, {"a": 2}]}, {"rules": [{"a": 2, "b": 3}, {"a": 1}]}),
        (
            {"kind": "Pod", "spec": {"volumes": named("a")}},
            {"kind": "Pod", "spec": {"volumes": named("a", "kube-api-access-x7")}},
        ),
        ({"metadata": {"uid": "1", "creationTimestamp": None}}, {"metadata": {"uid": "2"}}),
    ],
)
def test_the_same_in_other_words_is_no_difference(declared: dict[str, Any], live: dict[str, Any]) -> None:
    assert different(declared, live) == []


@pytest.mark.parametrize(
    ("declared", "live", "text"),
    [
        (pod(hostNetwork=True), pod(), "hostNetwork is absent, declared is True"),
        (pod(automountServiceAccountToken=False), pod(), "automountServiceAccountToken is absent"),
        (pod(a=1), pod(a=True), "a is True, declared is 1"),
        (pod(a="1"), pod(a=1), "a is 1, declared is '1'"),
        (pod(limits={"cpu": 2}), pod(limits={"cpu": "2001m"}), "limits.cpu is '2001m', declared is 2"),
        (pod(limits={"cpu": 2}), pod(limits={"cpu": "many"}), "limits.cpu is 'many'"),
        (
            pod(containers=named("a")),
            pod(containers=named("a", "b")),
            "containers[b] is set, declared is abs",
        ),
        (pod(containers=named("a")), pod(containers=[]), "containers[a] is absent"),
        (pod(containers=named("a")), pod(containers={}), "containers is an object of 0 fields"),
        (pod(env=named("a", "b")), pod(env=named("b", "a")), "env is b, a, declared is in the order a, b"),
        (pod(args=["a", "b"]), pod(args=["b", "b"]), "args[0] is 'b', declared is 'a'"),
        (pod(volumes=named("a")), pod(volumes=named("a", "kube-api-access-x")), "volumes[kube-api-access-x]"),
        ({"rules": [{"a": 1}, {"a": 1}]}, {"rules": [{"a": 1}, {"a": 2}]}, "rules[1].a is 2"),
        ({"rules": []}, {"rules": [{"a": 2}]}, "rules is [1 items], declared is [0 items]"),
        ({"rules": [{"verbs": ["get"]}]}, {"rules": [{"verbs": ["*"]}]}, "verbs is [*], declared is [get]"),
        ({"data": {"value": ""}}, {"data": {}}, "data.value is absent, declared is ''"),
        ({"metadata": {"labels": {"a": ""}}}, {"metadata": {}}, "metadata.labels is absent"),
        ({"spec": {"podSelector": {}}}, {"spec": {}}, "spec.podSelector is absent"),
        ({"data": {"db_password": str(1)}}, {"data": {"db_password": str(2)}}, "db_password is (not shown)"),
    ],
)
def test_what_means_something_else_is_told(declared: dict[str, Any], live: dict[str, Any], text: str) -> None:
    (one,) = different(declared, live)
    assert text in one


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4)
NAMES = st.sampled_from(
    ["env", "ports", "rules", "verbs", "limits", "name", "value", "metadata", "data", "x"]
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=12,
)
OBJECTS = st.dictionaries(NAMES, VALUES, max_size=4)


@settings(max_examples=100, deadline=None)
@given(OBJECTS, OBJECTS)
def test_nothing_that_is_served_breaks_the_comparison(declared: dict[str, Any], live: dict[str, Any]) -> None:
    assert all(one.path for one in differences(declared, live))
    text = json.loads(json.dumps(declared).replace("NaN", "0"))
    assert different(text, copy.deepcopy(text)) == []


class Gate:
    """A gate with manifests in a folder and a cluster behind a kubeconfig."""

    candidate: Any

    def __init__(self, folder: Path, port: int, **changed: Any) -> None:
        self.rootdir = folder
        self.candidate = self
        live = {**CLUSTER, "kubeconfig": str(kubeconfig(folder / "config", port))}
        self.policy = rules.settings(cluster=live, **{"manifests": ["deploy.json"], **changed})
        self.measured: dict[str, float] = {}

    def artifact_digest(self, name: str) -> str:
        return rules.DIGEST

    def settings(self, kind: object) -> Any:
        return self.policy

    def measure(self, name: str, value: float, unit: str, *, samples: int | None = None) -> None:
        self.measured[name] = value


@contextmanager
def serving(objects: list[dict[str, Any]], status: int = 200, said: object = None) -> Iterator[KubernetesApi]:
    """Serve a namespace and the kubelet of its node, which says something else if it is told to."""
    with kubernetes_api() as server:
        server.put(*objects)
        body = {"kubeletconfig": rules.KUBELET} if said is None else said
        server.always("configz", (status, {}, json.dumps(body).encode()))
        yield server


def test_a_real_read_of_a_cluster_is_compared_with_the_manifests(tmp_path: Path) -> None:
    (tmp_path / "deploy.json").write_text(
        json.dumps({"apiVersion": "v1", "kind": "List", "items": rules.GOOD})
    )
    with serving(served()) as cluster:
        GateKubernetes(Gate(tmp_path, cluster.port)).check("LV")
        settings = found(served(), "ConfigMap/order-gateway")
        added = {**settings, "data": {**settings["data"], "added": "by hand"}}  # not set by the manifest
        cluster.put(added)
        GateKubernetes(Gate(tmp_path, cluster.port)).check("LV")
        cluster.put({**settings, "data": dict.fromkeys(settings["data"], "by hand")})
        gate = Gate(tmp_path, cluster.port)
        probe = GateKubernetes(gate)
        with pytest.raises(AssertionError, match=r"LV07 ConfigMap/trading/order-gateway: data\."):
            probe.check("LV")
        probe.measure()
        assert gate.measured.pop("kubernetes.live") == len([*served(), kubelet()])
        assert sum(gate.measured.values()) == gate.measured["kubernetes.high"] == 1


def test_manifests_that_are_empty_are_no_agreement(tmp_path: Path) -> None:
    (tmp_path / "deploy.json").write_text('{"apiVersion": "v1", "kind": "List", "items": []}')
    with serving(served()) as cluster, pytest.raises(MeasurementError, match="cannot be compared"):
        GateKubernetes(Gate(tmp_path, cluster.port)).check("PSS")


# -- the kubelets of the nodes on which low-latency pods run -------------------------------------------


def write_manifests(folder: Path) -> None:
    """Write everything that is declared, but no kubelet's configuration."""
    declared = [one for one in rules.GOOD if one["kind"] != "KubeletConfiguration"]
    (folder / "deploy.json").write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": declared}))


CONFIGZ = "/api/v1/nodes/n1/proxy/configz"


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"cpuManagerPolicy": "none"}, "LL03 KubeletConfiguration/n1: cpuManagerPolicy is none, not static"),
        ({"topologyManagerPolicy": "best-effort"}, "LL04 KubeletConfiguration/n1: topologyManagerPolicy is"),
        ({"memoryManagerPolicy": "None"}, "LL06 KubeletConfiguration/n1: memoryManagerPolicy is None"),
        ({"reservedSystemCPUs": "0-3"}, r"LL07 KubeletConfiguration/n1: CPUs \[0, 1\] are reserved"),
        ({"reservedSystemCPUs": ""}, "LL07 KubeletConfiguration/n1: reservedSystemCPUs is not set"),
        ({}, ""),
    ],
)
def test_the_kubelet_of_the_engine_is_asked_and_judged(
    changed: dict[str, Any], text: str, tmp_path: Path
) -> None:
    write_manifests(tmp_path)
    with serving(served(), said={"kubeletconfig": {**rules.KUBELET, **changed}}) as cluster:
        probe = GateKubernetes(Gate(tmp_path, cluster.port))
        if text:
            with pytest.raises(AssertionError, match=text) as caught:
                probe.check()
            assert len(str(caught.value).splitlines()) == 1
        else:
            probe.check()
        assert cluster.asked.count(CONFIGZ) == 1


@pytest.mark.parametrize(
    ("status", "body", "text"),
    [
        (403, {}, r"configz: .*status 403.*\s.*`get` on `nodes/proxy`"),
        (401, {}, "`get` on `nodes/proxy`"),
        (404, {}, "status 404"),
        (200, {}, "it has no kubeletconfig"),
        (200, {"kubeletconfig": {}}, "it has no kubeletconfig"),
        (200, {"kubeletconfig": [1]}, "it has no kubeletconfig"),
        (200, [], "it is no object"),
    ],
)
def test_a_kubelet_that_does_not_tell_is_an_error(
    status: int, body: object, text: str, tmp_path: Path
) -> None:
    write_manifests(tmp_path)
    with serving(served(), status, body) as cluster:
        for family in ("LL", "PSS"):
            with pytest.raises(MeasurementError, match=text):
                GateKubernetes(Gate(tmp_path, cluster.port)).check(family)


def test_kubelets_are_not_asked_where_another_gate_answers(tmp_path: Path) -> None:
    write_manifests(tmp_path)
    left = [f"LL{number:02}" for number in (3, 4, 5, 6, 7, 8, 9, 11)]
    with serving(served(), 403) as cluster:
        GateKubernetes(Gate(tmp_path, cluster.port, undecided=left)).check()
        assert CONFIGZ not in cluster.asked


def undecided(live: list[dict[str, Any]]) -> set[tuple[str, str]]:
    both, policy = sides(live), rules.settings(cluster=CLUSTER)
    told = judge(both.joined(), policy, dict.fromkeys(policy.images, rules.DIGEST), rules.NOW, None, both)
    return {(one.rule, one.why) for one in told.undecided}


def test_a_kubelet_among_the_manifests_stands_in_for_no_node() -> None:
    five = {"LL03", "LL04", "LL05", "LL06", "LL07"}
    unread = "the configuration of node n1 was not read"
    assert undecided(served()) == {(rule, unread) for rule in five}
    assert undecided([*served(), kubelet("n2")]) == {(rule, unread) for rule in five}
    assert undecided([*served(), kubelet()]) == set()
    nowhere = "none of its pods runs on a node, so no kubelet could be asked"
    assert undecided(served()[:-1]) == {(rule, nowhere) for rule in five}


def test_the_nodes_of_a_deployment_are_those_of_its_replica_sets_living_pods() -> None:
    template = found(rules.GOOD, rules.GATEWAY)["spec"]["template"]

    def made(kind: str, name: str, owner: str, by: str, **body: Any) -> dict[str, Any]:
        owners = [{"apiVersion": "apps/v1", "kind": owner, "name": by, "uid": by, "controller": True}]
        metadata = {"name": name, "namespace": "trading", "uid": name, "ownerReferences": owners}
        version = "v1" if kind == "Pod" else "apps/v1"
        return {"apiVersion": version, "kind": kind, "metadata": metadata, **body}

    def on(name: str, node: str, by: str = "rs", phase: str = "Running") -> dict[str, Any]:
        spec = {**template["spec"], "nodeName": node}
        return made("Pod", name, "ReplicaSet", by, spec=spec, status={"phase": phase})

    spec = {"replicas": 2, "template": template}
    live = [
        *served(),
        made("ReplicaSet", "rs", "Deployment", "order-gateway", spec=spec),
        *(
            on("a", "n2"),
            on("b", "n3"),
            on("c", "n4", phase="Failed"),
            on("d", "n5", by="nobody"),
            on("e", ""),
        ),
    ]
    policy = rules.settings(workload={"Deployment/trading/order-gateway": {"low_latency": True}})
    nodes = low_latency_nodes(sides(live).live, policy)
    assert nodes == {"Deployment/trading/order-gateway": frozenset({"n2", "n3"})}


@pytest.mark.parametrize("name", ["../../secrets", "a/b", "n1?x=1", "", "N1", "a" * 300])
def test_a_node_whose_name_leads_elsewhere_is_not_asked(name: str, tmp_path: Path) -> None:
    with serving([]) as cluster:
        path = str(kubeconfig(tmp_path / "config", cluster.port))
        reader = Reader(LiveCluster(namespaces=["trading"], kubeconfig=path), sleep=lambda _: None)
        with pytest.raises(MeasurementError, match="no name of a node"):
            reader.kubelet(name)
        reader.close()
        assert cluster.asked == []
