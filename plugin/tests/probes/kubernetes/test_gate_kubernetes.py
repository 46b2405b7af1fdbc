"""What the fixture does with policy: which sources it reads, what it measures, what it fails with."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fixtures.trading_system.deploy.render import DEFECTS, FILE, IMAGE, NOT_BUILT, manifest_artifacts
from release_gates.errors import CandidateError, MeasurementError
from release_gates.probes.kubernetes.assessment import GateKubernetes
from release_gates.probes.kubernetes.documents import Document
from release_gates.probes.kubernetes.judging import judge
from release_gates.probes.kubernetes.objects import deployed
from release_gates.probes.kubernetes.settings import KubernetesSettings
from release_gates.testing import GateProject

ROOT = Path(__file__).resolve().parents[4]
POLICY: dict[str, Any] = {
    "artifacts": [FILE],
    "manifests": ["fixtures/trading_system/host/kubelet.yaml"],
    "images": {IMAGE: "image"},
    "undecided": ["LL08", "LL09", "LL11"],
    "workload": {
        "StatefulSet/trading/trading-engine": {
            "role": "single-writer",
            "low_latency": True,
            "isolated_cpus": "0-1",
            "dedicated_taint": "trading.example/dedicated",
            "drain": "10 s",
            "warm_up": "60 s",
        }
    },
}
SENTENCES = {
    "k8s_privileged": ("PSS", "container engine: privileged is true"),
    "k8s_other_image": ("PW", f"is not the candidate's sha256:{NOT_BUILT}"),
    "k8s_open_network": ("NP", "a peer of Ingress is 0.0.0.0/0"),
    "k8s_on_call_is_root": ("RB", "it gives cluster-admin"),
    "k8s_two_writers": ("AV", "a single writer has 1"),
    "k8s_no_budget": ("AV", "no PodDisruptionBudget selects its 3 pods"),
    "k8s_shared_cpu": ("LL", "CPUs are no whole ones"),
}


class Candidate:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def artifact(self, name: str) -> Path:
        return self.folder / name

    def artifact_digest(self, name: str) -> str:
        if name != "image":
            raise CandidateError("no such artifact.", slug="unknown-artifact")
        return NOT_BUILT


class Gate:
    rootdir = ROOT

    def __init__(self, folder: Path, **changed: Any) -> None:
        self.candidate = Candidate(folder)
        self.policy = {**POLICY, **changed}
        self.measured: dict[str, tuple[float, int | None]] = {}

    def settings(self, kind: type[KubernetesSettings]) -> KubernetesSettings:
        return msgspec.convert(self.policy, kind)

    def measure(self, name: str, value: float, unit: str, *, samples: int | None = None) -> None:
        assert unit == "count"
        self.measured[name] = (value, samples)


def test_the_release_passes_every_family(tmp_path: Path) -> None:
    manifest_artifacts(tmp_path, NOT_BUILT)
    gate = Gate(tmp_path)
    probe = GateKubernetes(gate)
    probe.check()
    probe.measure()
    assert gate.measured == {
        f"kubernetes.{name}": (0, 22)
        for name in ("critical", "high", "medium", "low", "exempted", "undecided", "live")
    }


@pytest.mark.parametrize("defect", DEFECTS)
def test_each_planted_defect_costs_its_sentence_in_its_family_alone(defect: str, tmp_path: Path) -> None:
    manifest_artifacts(tmp_path, NOT_BUILT, defect)
    gate = Gate(tmp_path)
    probe = GateKubernetes(gate)
    family, sentence = SENTENCES[defect]
    with pytest.raises(AssertionError) as caught:
        probe.check(family)
    assert sentence in str(caught.value).splitlines()[0]
    probe.check(*({"PSS", "PW", "NP", "RB", "AV", "LL"} - {family}))
    probe.measure()
    assert sum(value for value, _ in gate.measured.values()) == 1


def test_policy_says_which_severities_block_and_what_a_rule_is_worth(tmp_path: Path) -> None:
    manifest_artifacts(tmp_path, NOT_BUILT, "k8s_open_network")  # medium
    GateKubernetes(Gate(tmp_path, block="high")).check("NP")
    gate = Gate(tmp_path, block="high", severity={"NP03": "critical"})
    probe = GateKubernetes(gate)
    with pytest.raises(AssertionError, match="NP03"):
        probe.check("NP")
    probe.measure()
    assert gate.measured["kubernetes.critical"] == (1, 22)


def test_what_is_undecided_is_an_error_and_no_pass(tmp_path: Path) -> None:
    manifest_artifacts(tmp_path, NOT_BUILT)
    gate = Gate(tmp_path, manifests=[])
    probe = GateKubernetes(gate)
    with pytest.raises(MeasurementError, match="5 rules could not be decided: LL03"):
        probe.check("LL")
    probe.check("PSS")
    probe.measure()
    assert gate.measured["kubernetes.undecided"] == (5, 21)


@pytest.mark.parametrize(
    ("family", "changed", "problem"),
    [
        ("LV", {}, "names no cluster"),
        ("LL", {"workload": {"StatefulSet/*": {"role": "single-writer"}}}, "no workload one of low latency"),
    ],
)
def test_a_family_that_has_nothing_to_judge_is_no_pass(
    tmp_path: Path, family: str, changed: dict[str, Any], problem: str
) -> None:
    manifest_artifacts(tmp_path, NOT_BUILT)
    probe = GateKubernetes(Gate(tmp_path, **changed))
    with pytest.raises(MeasurementError, match=problem):
        probe.check(family)
    with pytest.raises(MeasurementError, match=problem):
        probe.check("PSS", family)
    probe.check()  # whatever policy gives


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"artifacts": [], "manifests": []}, "the sources are empty"),
        ({"artifacts": []}, "the sources have no workload"),
        ({"manifests": ["no/such/folder"]}, "cannot be read"),
        ({"images": {"x": "absent"}}, "no such artifact"),
        ({"version": "1.20"}, "there are no schemas for Kubernetes 1.20"),
    ],
)
def test_a_source_that_is_not_there_is_an_error(tmp_path: Path, changed: dict[str, Any], error: str) -> None:
    manifest_artifacts(tmp_path, NOT_BUILT)
    with pytest.raises((MeasurementError, CandidateError), match=error):
        GateKubernetes(Gate(tmp_path, **changed)).check()


def test_a_family_that_does_not_exist_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="there is no family 'XX'"):
        GateKubernetes(Gate(tmp_path)).check("XX")


def test_a_newer_pod_security_version_decides_by_itself(tmp_path: Path) -> None:
    manifest_artifacts(tmp_path, NOT_BUILT)
    text = (tmp_path / FILE).read_text()
    (tmp_path / FILE).write_text(text.replace("port: admin}", "port: admin, host: 10.0.0.1}", 1))
    GateKubernetes(Gate(tmp_path, pod_security_version="1.33")).check("PSS")
    with pytest.raises(AssertionError, match="PSS-hostProbesAndHostLifecycle"):
        GateKubernetes(Gate(tmp_path, pod_security_version="1.34")).check("PSS")


def test_a_project_of_its_own_is_held(tmp_path: Path) -> None:
    project = GateProject(tmp_path)
    project.write("conftest.py", 'pytest_plugins = ["release_gates.probes.kubernetes.fixtures"]\n')
    project.write(
        "gates/staging.toml",
        'schema = 1\n[gate.kubernetes]\nowner = "me"\n[gate.kubernetes.kubernetes]\nmanifests = ["deploy"]\n'
        '[gate.kubernetes.limits]\n"kubernetes.critical" = "== 0 count"\n',
    )
    project.write(
        "suites/test_k.py",
        "import pytest\npytestmark = pytest.mark.gate('kubernetes')\n"
        "def test_k(gate_kubernetes):\n    gate_kubernetes.measure()\n    gate_kubernetes.check()\n",
    )
    project.write(
        "deploy/pod.yaml",
        "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n"
        "spec: {hostNetwork: true, containers: [{name: c, image: x, securityContext: {privileged: true}}]}\n",
    )
    project.expect(["suites/test_k.py::test_k"], gate="kubernetes")
    run = project.run()
    assert run.status == 1
    assert not run.promotes
    assert "PSS-privileged Pod/default/a: container c: privileged is true" in run.sentences
    assert "kubernetes.critical is 1 count" in run.sentences


def test_ten_thousand_pods_are_judged_in_seconds() -> None:
    """The target is 20,000 pods in 2 s of a free CPU; here only that it does not grow out of hand."""
    container = {
        "name": "c",
        "image": f"r.example/x@sha256:{NOT_BUILT}",
        "resources": {"limits": {"cpu": "1", "memory": "1Gi"}},
        "securityContext": {
            "runAsNonRoot": True,
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    documents = [
        Document(
            f"p{number}",
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {
                    "name": f"p{number}",
                    "namespace": f"n{number % 50}",
                    "labels": {"app": f"a{number % 7}"},
                },
                "spec": {"containers": [container]},
            },
        )
        for number in range(10_000)
    ]
    everything = deployed(documents, namespace="x")
    started = time.process_time()
    found = judge(everything, KubernetesSettings(version="1.37"), {}, datetime.now(UTC)).findings
    assert len(found) > 50_000
    assert time.process_time() - started < 30
