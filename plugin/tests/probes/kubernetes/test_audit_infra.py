"""``audit`` of manifests, a cluster and a plan: table, JSON, SARIF and exit status."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from fixtures.kubernetes_api import KubernetesApi, kubeconfig
from fixtures.trading_system.deploy.plan import FOLDER, plan_artifacts
from fixtures.trading_system.deploy.render import manifest_artifacts
from release_gates.testing import GateProject


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> GateProject:
    monkeypatch.chdir(tmp_path)
    return GateProject(tmp_path)


def test_manifests_that_are_wrong_say_so_and_write_sarif(tmp_path: Path, project: GateProject) -> None:
    manifest_artifacts(tmp_path, "ab" * 32, "k8s_privileged")
    done = project.cli("audit", "manifests", "kubernetes.yaml", "--version", "1.34", "--sarif", "out.sarif")
    assert done.status == 1
    assert done.output.startswith("critical  PSS-privileged StatefulSet/trading/trading-engine: ")
    assert "start pods" in done.output.splitlines()[-1]
    (sarif,) = json.loads(Path("out.sarif").read_text())["runs"]
    assert "PSS-privileged" in {one["ruleId"] for one in sarif["results"]}
    told = json.loads(project.cli("--json", "audit", "manifests", "kubernetes.yaml").output)
    assert told["findings"][0]["rule"] == "PSS-privileged"


@pytest.mark.parametrize(
    ("text", "status"),
    [("apiVersion: v1\nkind: Strange\nmetadata: {name: a}\n", 2), ("", 2), ("a: [", 2)],
)
def test_manifests_that_cannot_be_judged(text: str, status: int, project: GateProject) -> None:
    Path("x.yaml").write_text(text)
    assert project.cli("audit", "manifests", "x.yaml").status == status
    assert project.cli("audit", "manifests", "absent.yaml").status == 2
    assert project.cli("audit", "manifests", "x.yaml", "--version", "9").status == 2


def test_a_cluster_is_read_by_its_kubeconfig(
    tmp_path: Path, project: GateProject, api: KubernetesApi
) -> None:
    pod = {"name": "a", "namespace": "trading"}
    api.put({"apiVersion": "v1", "kind": "Pod", "metadata": pod, "spec": {"containers": [{"name": "c"}]}})
    kubeconfig(tmp_path / "config", api.port)
    done = project.cli("audit", "cluster", "--namespace", "trading", "--kubeconfig", "config")
    assert done.status == 1
    assert "NP02 Namespace/trading" in done.output
    assert project.cli("audit", "cluster", "--namespace", "trading", "--kubeconfig", "absent").status == 2
    assert project.cli("audit", "cluster").status == 2


def test_a_plan_by_what_it_would_do(tmp_path: Path, project: GateProject) -> None:
    shutil.copytree(FOLDER, "infra", copy_function=shutil.copy2)
    for defect, status, text in (
        (None, 0, "plan.json: nothing found, 0 undecided; 14 resources"),
        ("tf_plain_journal", 1, "TF06 (high) it is not encrypted at rest"),
        ("tf_encryption_unknown", 10, "it is known after apply"),
        ("tf_stale", 10, "before its sources were changed"),
        ("tf_other_format", 2, "format_version"),
    ):
        plan_artifacts(tmp_path, defect)
        done = project.cli("audit", "plan", "plan.json", "--sources", "infra")
        assert (done.status, text in done.output) == (status, True), done.output
