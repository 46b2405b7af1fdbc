"""The official client against kmock: whole lists or an error, whatever the server does.

No server but kmock lets itself be told to fail. What any server shows is in ``test_cluster.py``.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fixtures.kubernetes_api import KubernetesApi, kubeconfig
from fixtures.trading_system.deploy.render import rendered
from release_gates.errors import MeasurementError
from release_gates.probes.kubernetes.api import NAMESPACED, OF_CLUSTER, Reader
from release_gates.probes.kubernetes.documents import read_documents
from release_gates.probes.kubernetes.live_rules import live_findings
from release_gates.probes.kubernetes.objects import Deployed, deployed
from release_gates.probes.kubernetes.settings import LiveCluster

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
DIGEST = "ab" * 32

POD: dict[str, Any] = {
    "metadata": {
        "name": "engine-0",
        "namespace": "trading",
        "ownerReferences": [{"kind": "StatefulSet", "name": "engine", "controller": True}],
    },
    "spec": {"containers": [{"name": "engine", "image": f"r.example/e@sha256:{DIGEST}"}]},
    "status": {
        "phase": "Running",
        "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-11-21T11:00:00Z"}],
        "containerStatuses": [
            {
                "name": "engine",
                "restartCount": 0,
                "imageID": f"r.example/e@sha256:{DIGEST}",
                "state": {"running": {}},
            }
        ],
    },
}
STATEFUL_SET: dict[str, Any] = {
    "metadata": {"name": "engine", "namespace": "trading", "generation": 3},
    "spec": {"replicas": 1, "template": {"spec": {"containers": [{"name": "engine"}]}}},
    "status": {
        "observedGeneration": 3,
        "replicas": 1,
        "updatedReplicas": 1,
        "readyReplicas": 1,
        "availableReplicas": 1,
    },
}
ASKED = 1 + len(NAMESPACED) + len(OF_CLUSTER)


@pytest.fixture
def reader(api: KubernetesApi, tmp_path: Path) -> Iterator[Reader]:
    api.page = 2
    api.put({**named("Pod"), **POD}, {**named("StatefulSet"), **STATEFUL_SET})
    path = str(kubeconfig(tmp_path / "config", api.port, context="wrong"))
    live = LiveCluster(namespaces=["trading"], kubeconfig=path, context="test", timeout="1 s")
    opened = Reader(live, sleep=lambda seconds: None)
    yield opened
    opened.close()


def named(kind: str) -> dict[str, str]:
    return {"apiVersion": "v1" if kind == "Pod" else "apps/v1", "kind": kind}


def pods(api: KubernetesApi, count: int) -> None:
    """Have so many pods instead of the one."""
    api.take("Pod", "trading", "engine-0")
    for number in range(count):
        api.put({**named("Pod"), **POD, "metadata": {"name": f"p{number}", "namespace": "trading"}})


def read(reader: Reader) -> Deployed:
    return deployed(list(reader.read()), namespace="trading", live=True)


def test_everything_is_read_with_its_kind(reader: Reader, api: KubernetesApi) -> None:
    found = read(reader)
    assert {one.title for one in found.objects} == {
        "Namespace/trading",
        "Pod/trading/engine-0",
        "StatefulSet/trading/engine",
    }
    assert len(api.asked) == ASKED
    assert live_findings_of(found) == []


def test_pages_are_joined(reader: Reader, api: KubernetesApi) -> None:
    pods(api, 7)
    assert [one.name for one in read(reader).of_kind("Pod")] == [f"p{number}" for number in range(7)]


def test_a_page_that_expired_begins_the_list_again(reader: Reader, api: KubernetesApi) -> None:
    pods(api, 5)
    api.answer("pods", (410, {}, b"{}"), query={"continue": "2"})
    assert len(list(read(reader).of_kind("Pod"))) == 5


def test_a_list_that_never_ends_is_an_error(reader: Reader, api: KubernetesApi) -> None:
    pods(api, 5)
    api.always("pods", (410, {}, b"{}"), query={"continue": "2"})
    with pytest.raises(MeasurementError, match="changed 3 times"):
        read(reader)


def test_a_busy_server_is_asked_again(reader: Reader, api: KubernetesApi) -> None:
    waited: list[float] = []
    reader._sleep = waited.append
    api.answer("pods", (429, {"Retry-After": "3"}, b""), (500, {"Retry-After": "600"}, b""))
    assert len(list(read(reader).of_kind("Pod"))) == 1
    assert waited == [3.0, 5.0]  # what the server asks for, but no longer than that


@pytest.mark.parametrize(
    ("status", "slug"),
    [
        (401, "refused"),
        (403, "refused"),
        (404, "answer"),
        (410, "answer"),
        (429, "answer"),
        (500, "answer"),
        (503, "answer"),
        (204, "answer"),
        (302, "answer"),
    ],
)
def test_a_server_that_says_no(reader: Reader, api: KubernetesApi, status: int, slug: str) -> None:
    api.always("networkpolicies", (status, {}, b""))
    with pytest.raises(MeasurementError, match=rf"networkpolicies: .*kubernetes-api-{slug}"):
        read(reader)


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({}, b""),
        ({}, b"{"),
        ({}, b"[]"),
        ({}, b'{"kind": "Status"}'),
        ({}, b'{"kind": "PodList", "items": {}}'),
        ({}, b'{"kind": "PodList", "items": [1]}'),
        ({}, b'{"kind": "PodList", "items": [], "metadata": {"continue": 1}}'),
        ({"Content-Length": "1000"}, b'{"kind": "PodList", "items": []}'),
        ({}, b"[" * 100_000),
        ({}, b"\xff\xfe"),
    ],
)
def test_an_answer_that_is_no_whole_list(
    reader: Reader, api: KubernetesApi, headers: dict[str, str], body: bytes
) -> None:
    api.always("pods", (200, headers, body))
    with pytest.raises(MeasurementError, match="kubernetes-api-answer"):
        read(reader)


def test_a_server_that_does_not_answer_in_time(reader: Reader, api: KubernetesApi) -> None:
    api.hang("pods")
    started = time.monotonic()
    with pytest.raises(MeasurementError, match=r"Read timed out.*kubernetes-api-answer"):
        read(reader)
    assert time.monotonic() - started < 15


def test_a_connection_that_breaks_in_the_middle(reader: Reader, api: KubernetesApi) -> None:
    api.cut("pods", b'{"kind": "PodList", "items": []')
    with pytest.raises(MeasurementError, match=r"Connection broken.*kubernetes-api-answer"):
        read(reader)


def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    kubeconfig(tmp_path / "config", 1)
    reader = Reader(LiveCluster(namespaces=["a"], kubeconfig=str(tmp_path / "config")), sleep=lambda _: None)
    with pytest.raises(MeasurementError, match="kubernetes-api-answer"):
        list(reader.read())


@pytest.mark.parametrize("text", [None, "", "[]", "{", "clusters: 1", "{}"])
def test_a_kubeconfig_that_is_none(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "config").write_text(text)
    with pytest.raises(MeasurementError, match="kubernetes-no-cluster"):
        Reader(LiveCluster(namespaces=["a"], kubeconfig=str(tmp_path / "config")), sleep=lambda _: None)


@pytest.mark.parametrize(
    ("server", "sure"),
    [
        ({"server": "https://cluster.example:6443"}, True),
        ({"server": "https://cluster.example:6443", "insecure-skip-tls-verify": True}, False),
        ({"server": "http://cluster.example:8080"}, False),
        ({"server": "http://localhost:8001"}, True),
    ],
)
def test_a_server_that_need_not_prove_who_it_is_is_not_asked(
    server: dict[str, Any], sure: bool, tmp_path: Path
) -> None:
    said = json.loads(kubeconfig(tmp_path / "config", 1).read_text())
    said["clusters"][0]["cluster"] = server
    (tmp_path / "config").write_text(json.dumps(said))
    live = LiveCluster(namespaces=["a"], kubeconfig=str(tmp_path / "config"))
    if sure:
        Reader(live, sleep=lambda _: None).close()
    else:
        with pytest.raises(MeasurementError, match="anybody could answer for it"):
            Reader(live, sleep=lambda _: None)


# -- the state of a cluster -----------------------------------------------------------------------------------


def live_findings_of(found: Deployed) -> list[str]:
    return [str(one) for one in live_findings(found, LiveCluster(namespaces=["trading"]), NOW)]


def with_pod(**status: Any) -> Deployed:
    return live({**POD, "status": {**POD["status"], **status}})


def live(pod: dict[str, Any], kind: str = "Pod", version: str = "v1") -> Deployed:
    from release_gates.probes.kubernetes.documents import Document

    return deployed(
        [Document("x", {"apiVersion": version, "kind": kind, **pod})], namespace="trading", live=True
    )


def container(**changed: Any) -> list[dict[str, Any]]:
    return [{**POD["status"]["containerStatuses"][0], **changed}]


@pytest.mark.parametrize(
    ("status", "rule", "text"),
    [
        ({"containerStatuses": container(restartCount=1)}, "LV02", "was started again 1 times"),
        ({"containerStatuses": container(restartCount="1")}, "LV02", "was started again"),
        (
            {"containerStatuses": container(state={"waiting": {"reason": "CrashLoopBackOff"}})},
            "LV02",
            "waits: CrashLoopBackOff",
        ),
        (
            {"containerStatuses": container(state={"waiting": {"reason": "ImagePullBackOff"}})},
            "LV02",
            "waits: ImagePullBackOff",
        ),
        ({"containerStatuses": container(imageID=f"r.example/e@sha256:{'cd' * 32}")}, "LV03", "asked for is"),
        (
            {
                "conditions": [
                    {"type": "Ready", "status": "False", "lastTransitionTime": "2026-11-21T11:54:59Z"}
                ]
            },
            "LV02",
            "is not ready since",
        ),
        ({"conditions": []}, "LV02", "does not say since when"),
    ],
)
def test_a_pod_that_does_not_run_as_asked(status: dict[str, Any], rule: str, text: str) -> None:
    (found,) = live_findings_of(with_pod(**status))
    assert found.startswith(rule)
    assert text in found


def test_a_pod_that_starts_has_the_time_that_policy_gives() -> None:
    ready = [{"type": "Ready", "status": "False", "lastTransitionTime": "2026-11-21T11:55:01Z"}]
    assert live_findings_of(with_pod(conditions=ready)) == []


@pytest.mark.parametrize(
    "key", ["observedGeneration", "replicas", "updatedReplicas", "readyReplicas", "availableReplicas"]
)
@pytest.mark.parametrize("value", [0, 2, None])
def test_a_rollout_that_is_not_complete(key: str, value: int | None) -> None:
    status = {**STATEFUL_SET["status"], key: value}
    (found,) = live_findings_of(live({**STATEFUL_SET, "status": status}, "StatefulSet", "apps/v1"))
    assert found.startswith("LV01")


def test_a_rollout_without_any_status_is_not_complete() -> None:
    for status in ({}, None):
        found = live_findings_of(live({**STATEFUL_SET, "status": status}, "StatefulSet", "apps/v1"))
        assert len(found) == 5


def test_a_job_that_failed() -> None:
    job = {"metadata": {"name": "j"}, "spec": STATEFUL_SET["spec"]}
    failed = {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}
    for conditions, texts in (
        ([failed], ["LV01 Job/trading/j: it failed: BackoffLimitExceeded"]),
        ([{**failed, "status": "False"}, {"type": "Complete", "status": "True"}], []),
        ([], []),
    ):
        status = {"conditions": conditions}
        assert live_findings_of(live({**job, "status": status}, "Job", "batch/v1")) == texts


def test_a_daemon_set_that_no_node_runs() -> None:
    status = {"observedGeneration": 3, "desiredNumberScheduled": 0}
    (found,) = live_findings_of(live({**STATEFUL_SET, "status": status}, "DaemonSet", "apps/v1"))
    assert found == "LV01 DaemonSet/trading/engine: no node is asked to run it"


@pytest.mark.parametrize(("kind", "version"), [("ReplicaSet", "apps/v1"), ("ReplicationController", "v1")])
def test_replicas_without_a_deployment(kind: str, version: str) -> None:
    assert live_findings_of(live(STATEFUL_SET, kind, version)) == []
    status = {**STATEFUL_SET["status"], "readyReplicas": 0}
    (found,) = live_findings_of(live({**STATEFUL_SET, "status": status}, kind, version))
    assert found.startswith("LV01")


def test_a_budget_that_lets_nobody_go_now() -> None:
    status = {"observedGeneration": 2, "expectedPods": 3, "currentHealthy": 2, "desiredHealthy": 2}
    budget = {"metadata": {"name": "b", "generation": 2}, "spec": {}}

    def found(**said: Any) -> list[str]:
        return live_findings_of(
            live({**budget, "status": {**status, **said}}, "PodDisruptionBudget", "policy/v1")
        )

    assert found(disruptionsAllowed=1) == []
    (one,) = found(disruptionsAllowed=0)
    assert one == "AV04 PodDisruptionBudget/trading/b: at this moment it lets no pod go: 2 of 2 are healthy"
    (old,) = found(disruptionsAllowed=1, observedGeneration=1)
    assert old.startswith("LV01")


FINE = [{"type": "AbleToScale", "status": "True"}, {"type": "ScalingActive", "status": "True"}]


@pytest.mark.parametrize(
    ("conditions", "text"),
    [
        (FINE, ""),
        ([*FINE, {"type": "ScalingLimited", "status": "True", "reason": "TooFewReplicas"}], ""),
        (
            [*FINE, {"type": "ScalingLimited", "status": "True", "reason": "TooManyReplicas"}],
            "more than its maxReplicas of 6",
        ),
        (
            [FINE[0], {**FINE[1], "status": "False", "reason": "FailedGetResourceMetric"}],
            "ScalingActive is False: FailedGetResourceMetric",
        ),
        ([FINE[1]], "AbleToScale is None: it does not say why"),
    ],
)
def test_an_autoscaler_that_does_not_scale(conditions: list[dict[str, str]], text: str) -> None:
    scaler = {"metadata": {"name": "h"}, "spec": {"maxReplicas": 6}, "status": {"conditions": conditions}}
    found = live_findings_of(live(scaler, "HorizontalPodAutoscaler", "autoscaling/v2"))
    assert found == (
        [f"LV05 HorizontalPodAutoscaler/trading/h: {found[0].partition(': ')[2]}"] if text else []
    )
    assert text in "".join(found)


WARNING = {
    "metadata": {"name": "engine-0.1"},
    "type": "Warning",
    "reason": "BackOff",
    "message": "Back-off restarting failed container",
    "involvedObject": {"kind": "Pod", "name": "engine-0"},
    "lastTimestamp": "2026-11-21T11:50:00Z",
}


@pytest.mark.parametrize(
    ("changed", "count"),
    [
        ({}, 1),
        ({"type": "Normal"}, 0),
        ({"type": "Strange"}, 1),
        ({"reason": "FailedScheduling"}, 0),
        ({"lastTimestamp": "2026-11-21T11:44:00Z"}, 0),
        (
            {"lastTimestamp": "2026-11-21T11:44:00Z", "series": {"lastObservedTime": "2026-11-21T11:59:00Z"}},
            1,
        ),
        ({"lastTimestamp": None}, 1),
        ({"lastTimestamp": "yesterday"}, 1),
        ({"lastTimestamp": None, "eventTime": "2026-11-21T11:44:00.000000Z"}, 0),
    ],
)
def test_warnings_of_the_last_minutes_are_findings(changed: dict[str, Any], count: int) -> None:
    cluster = LiveCluster(namespaces=["trading"], events_allowed=["FailedScheduling"])
    found = list(live_findings(live({**WARNING, **changed}, "Event"), cluster, NOW))
    assert [str(one) for one in found] == [
        f"LV04 Pod/trading/engine-0: {one.text}" for one in found if "Back-off restarting" in one.text
    ]
    assert len(found) == count


def test_the_role_that_we_ship_lets_the_gate_read_what_it_reads() -> None:
    from release_gates.probes.kubernetes.rbac import rights_of

    found = deployed(read_documents(rendered(DIGEST).encode(), "deploy.yaml"), namespace="x")
    role, of_cluster = (
        found.find(kind, where, "release-gate") for kind, where in (("Role", "trading"), ("ClusterRole", ""))
    )
    assert role is not None
    assert of_cluster is not None
    for one, paths in ((role, NAMESPACED), (of_cluster, OF_CLUSTER)):
        for path in paths:
            group = path.split("/")[1] if path.startswith("apis/") else ""
            rights = rights_of(found, one)
            assert all(
                any(right.allow(group, path.rpartition("/")[2], verb) for right in rights)
                for verb in ("get", "list")
            ), path
            assert not any(right.verbs - {"get", "list", "watch"} for right in rights)


def test_live_settings_are_strict() -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"namespaces": ["a"], "kubeconfg": "x"}, LiveCluster)
