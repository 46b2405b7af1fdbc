"""What any API server shows: kmock in ``make test``, a cluster of your own in ``make test-live``.

Each test has a namespace of its own, which it removes. What kmock cannot show is skipped and says so.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from plugin.tests.probes.kubernetes import test_pod_security as pod_security
from plugin.tests.probes.kubernetes.spaces import Refused, Space, new_space
from plugin.tests.probes.kubernetes.test_rules import REFERENCE
from release_gates.errors import MeasurementError
from release_gates.probes.kubernetes import api as reading
from release_gates.probes.kubernetes.pod import decode
from release_gates.probes.kubernetes.pod_security import NEWEST, Level, violations
from release_gates.probes.kubernetes.settings import LiveCluster
from release_gates.testing import GateProject

POD: dict[str, Any] = {
    "metadata": {"labels": {"app": "app"}},
    "spec": {
        "serviceAccountName": "app",
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 65532,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [
            {
                "name": "app",
                "image": "registry.k8s.io/pause:3.10",
                "resources": {"requests": {"cpu": "0.01"}, "limits": {"memory": "16Mi"}},
                "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
            }
        ],
    },
}
BATCH = {**POD, "spec": {**POD["spec"], "restartPolicy": "Never"}}
SELECTOR = {"matchLabels": {"app": "app"}}
ENFORCE = "pod-security.kubernetes.io/enforce"
RBAC = "rbac.authorization.k8s.io"


def declared(version: str, kind: str, name: str, **body: Any) -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name}, **body}


SETTINGS = declared("v1", "ConfigMap", "app", data={"mode": "open"})
RIGHTS = declared(
    f"{RBAC}/v1", "Role", "app", rules=[{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]
)
OBJECTS = [
    SETTINGS,
    RIGHTS,
    declared("v1", "ServiceAccount", "app", automountServiceAccountToken=False),
    declared("v1", "Service", "app", spec={"selector": {"app": "app"}, "ports": [{"port": 80}]}),
    declared(
        "networking.k8s.io/v1",
        "NetworkPolicy",
        "deny",
        spec={"podSelector": {}, "policyTypes": ["Ingress", "Egress"]},
    ),
    declared(
        f"{RBAC}/v1",
        "RoleBinding",
        "app",
        roleRef={"apiGroup": RBAC, "kind": "Role", "name": "app"},
        subjects=[{"kind": "ServiceAccount", "name": "app"}],
    ),
    declared("policy/v1", "PodDisruptionBudget", "app", spec={"maxUnavailable": 1, "selector": SELECTOR}),
    declared(
        "autoscaling/v2",
        "HorizontalPodAutoscaler",
        "app",
        spec={
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "app"},
            "minReplicas": 2,
            "maxReplicas": 3,
        },
    ),
    # No pod starts: whatever the cluster's nodes are, none is asked.
    declared("apps/v1", "Deployment", "app", spec={"replicas": 0, "selector": SELECTOR, "template": POD}),
    declared(
        "apps/v1",
        "StatefulSet",
        "app",
        spec={"replicas": 0, "serviceName": "app", "selector": SELECTOR, "template": POD},
    ),
    declared("batch/v1", "Job", "app", spec={"suspend": True, "template": BATCH}),
    declared(
        "batch/v1",
        "CronJob",
        "app",
        spec={"suspend": True, "schedule": "0 0 1 1 *", "jobTemplate": {"spec": {"template": BATCH}}},
    ),
]


def titles(space: Space) -> set[str]:
    with space.reader() as reader:
        found = [one.value for one in reader.read()]
    return {
        f"{one['kind']}/{one['metadata']['name']}" for one in found if _namespace(one) in {None, space.name}
    }


def _namespace(one: dict[str, Any]) -> str | None:
    said: str | None = one["metadata"].get("namespace")
    return said


def in_space(space: Space, *objects: dict[str, Any]) -> list[dict[str, Any]]:
    """Return objects with the namespace in them, also of those whom a binding is for."""
    made = copy.deepcopy(list(objects))
    for one in made:
        one["metadata"]["namespace"] = space.name
        for subject in one.get("subjects", ()):
            subject["namespace"] = space.name
    return made


def test_everything_of_a_namespace_is_read_with_its_kind(space: Space) -> None:
    space.put(*in_space(space, *OBJECTS))
    wanted = {f"{one['kind']}/{one['metadata']['name']}" for one in OBJECTS}
    assert wanted | {f"Namespace/{space.name}"} <= titles(space)


def test_a_list_of_many_pages_is_read_whole(space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "PAGE", 2)
    names = {f"map-{number}" for number in range(7)}
    space.put(*in_space(space, *(declared("v1", "ConfigMap", name) for name in sorted(names))))
    assert {f"ConfigMap/{name}" for name in names} <= titles(space)


def test_a_namespace_has_nothing_of_another(space: Space, live_kubeconfig: Path) -> None:
    space.put(*in_space(space, SETTINGS))
    with new_space(live_kubeconfig) as other:
        other.put(*in_space(other, declared("v1", "ConfigMap", "strange")))
        assert "ConfigMap/strange" not in titles(space)


def test_a_namespace_that_is_not_there_is_an_error(space: Space) -> None:
    space.name += "-not"
    with (
        space.reader() as reader,
        pytest.raises(MeasurementError, match=r"status 404.*kubernetes-api-answer"),
    ):
        list(reader.read())
    space.name = space.name.removesuffix("-not")


def drift(project: GateProject, space: Space) -> set[tuple[str, str]]:
    """Return rule and kind of what `audit cluster --manifests` says of the difference."""
    version = f"1.{min(space.minor, NEWEST)}"
    done = project.cli(
        *("--json", "audit", "cluster", "--namespace", space.name, "--kubeconfig", str(space.path)),
        *("--manifests", "deploy", "--version", version),
    )
    said = json.loads(done.output)
    assert done.status == 1, done.output
    assert not [one for one in said["undecided"] if one["rule"] in {"LV06", "LV07", "LV08"}]
    return {
        (one["rule"], one["what"].split()[1].split("/")[0])
        for one in said["findings"]
        if one["rule"] in {"LV06", "LV07", "LV08"}
    }


def test_manifests_are_compared_with_what_runs(
    space: Space, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    objects, project = in_space(space, *OBJECTS), GateProject(tmp_path)
    monkeypatch.chdir(tmp_path)
    project.write("deploy/all.yaml", yaml.safe_dump_all(objects))
    space.put(*objects)
    assert drift(project, space) == set()  # whatever a server fills in
    space.change(SETTINGS, {"data": {"mode": "closed"}})
    space.drop(RIGHTS)
    space.put(
        *in_space(space, declared("batch/v1", "Job", "hand", spec={"suspend": True, "template": BATCH}))
    )
    assert drift(project, space) == {("LV06", "Role"), ("LV07", "ConfigMap"), ("LV08", "Job")}


def with_user(space: Space, folder: Path, user: dict[str, str]) -> Path:
    """Write a kubeconfig for the same server and somebody else."""
    cluster: dict[str, Any] = {"server": space.settings.host}
    if space.settings.ssl_ca_cert:
        cluster["certificate-authority"] = space.settings.ssl_ca_cert
    if not space.settings.verify_ssl:
        cluster["insecure-skip-tls-verify"] = True
    said = {
        "current-context": "x",
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
    }
    path = folder / "somebody.json"
    path.write_text(json.dumps(said))
    return path


def test_nobody_is_refused(space: Space, tmp_path: Path) -> None:
    space.skip_kmock("it asks nobody who they are")
    live = LiveCluster(namespaces=[space.name], kubeconfig=str(with_user(space, tmp_path, {})))
    reader = reading.Reader(live, sleep=lambda _: None)
    with pytest.raises(MeasurementError, match="kubernetes-api-refused"):
        list(reader.read())
    reader.close()


def test_the_role_that_we_ship_is_enough_and_no_more_is_given(space: Space, tmp_path: Path) -> None:
    space.skip_kmock("it knows no rights")
    shipped = (REFERENCE / "operators.yaml").read_text().replace("trading", space.name)
    objects = [
        one
        for one in yaml.safe_load_all(shipped)
        if one["kind"] in {"Role", "RoleBinding", "ServiceAccount", "ClusterRole", "ClusterRoleBinding"}
        and one["metadata"]["name"] == "release-gate"
    ]
    of_cluster = [one for one in objects if one["kind"].startswith("Cluster")]
    for one in of_cluster:
        one["metadata"]["name"] = space.name
        if "roleRef" in one:
            one["roleRef"]["name"] = space.name
    try:
        space.put(*objects)
        issued = space.ask(
            "POST",
            f"/api/v1/namespaces/{space.name}/serviceaccounts/release-gate/token",
            {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}},
        )
        path = with_user(space, tmp_path, {"token": issued["status"]["token"]})
        gate = Space(path, space.name)
        assert f"Namespace/{space.name}" in titles(gate)
        with pytest.raises(Refused, match="403"):
            gate.put(*in_space(space, SETTINGS))
        space.drop(next(one for one in objects if one["kind"] == "RoleBinding"))
        with pytest.raises(MeasurementError, match=r"/pods: .*status 403"):
            titles(gate)
        gate.close()
    finally:
        for one in of_cluster:
            space.drop(one)


@pytest.mark.parametrize("level", [Level.BASELINE, Level.RESTRICTED])
def test_pod_security_is_what_the_server_decides(level: Level, space: Space, live_kubeconfig: Path) -> None:
    space.skip_kmock("it admits every pod")
    for minor in (0, 18, 24, 31, 34, 35, NEWEST):
        if minor <= space.minor:
            enforce = {ENFORCE: str(level), f"{ENFORCE}-version": f"v1.{minor}"}
            with new_space(live_kubeconfig, **enforce) as judged:
                judged.put(*in_space(judged, declared("v1", "ServiceAccount", "app")))
                decided = {name: (said, ours) for name, said, ours in decisions(judged, level, minor)}
            assert {name: both for name, both in decided.items() if both[0] is not both[1]} == {}
            assert len(decided) > 100


def decisions(space: Space, level: Level, minor: int) -> Iterator[tuple[str, bool, bool]]:
    """Yield each case with what the server and what we decide; no pod begins with an ephemeral container."""
    for name, raw, _ in pod_security.all_cases():
        pod = copy.deepcopy(raw)
        del pod["spec"]["ephemeralContainers"]
        pod["spec"]["serviceAccountName"] = "app"
        for container in (*pod["spec"]["initContainers"], *pod["spec"]["containers"]):
            container |= {"name": container["name"].lower(), "image": "registry.k8s.io/pause:3.10"}
        said = admits(space, {"apiVersion": "v1", "kind": "Pod", **pod})
        if said is not None and not name.startswith("ephemeralContainers"):
            yield name, said, not violations(decode(pod), level, minor)


def admits(space: Space, pod: dict[str, Any]) -> bool | None:
    """Ask whether a pod would be admitted, None where it is no pod for other reasons."""
    try:
        space.ask("POST", f"/api/v1/namespaces/{space.name}/pods?dryRun=All", pod)
    except Refused as error:
        return False if "violates PodSecurity" in str(error) else None
    return True
