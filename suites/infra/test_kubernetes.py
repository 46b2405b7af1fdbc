"""The candidate's manifests, everything of the namespace together: one test for each family of rules."""

import pytest

from release_gates.probes.kubernetes.assessment import GateKubernetes
from release_gates.session.gate import Gate

pytestmark = pytest.mark.gate("kubernetes")


def test_pods_keep_the_pod_security_standards(gate_kubernetes: GateKubernetes) -> None:
    """Kubernetes itself would admit every pod at the level that policy names."""
    gate_kubernetes.check("PSS")


def test_workloads_are_hardened_and_run_the_candidate(gate_kubernetes: GateKubernetes) -> None:
    """File systems, resources, images by the candidate's digest, tokens, secrets, schema."""
    gate_kubernetes.check("PW")


def test_networks_are_closed_but_for_what_is_named(gate_kubernetes: GateKubernetes) -> None:
    """Default deny, a policy for each pod and direction, nothing that dangles, TLS at the edge."""
    gate_kubernetes.check("NP")


def test_rights_are_few(gate_kubernetes: GateKubernetes) -> None:
    """Roles and bindings, aggregated ones taken together."""
    gate_kubernetes.check("RB")


def test_services_stay_available_and_the_engine_runs_once(gate_kubernetes: GateKubernetes) -> None:
    """Probes, budgets, rollouts and drains; the single writer never runs twice."""
    gate_kubernetes.check("AV")


def test_the_engine_has_cpus_of_its_own(gate_kubernetes: GateKubernetes) -> None:
    """Guaranteed quality of service, whole CPUs, and a kubelet that hands them out."""
    gate_kubernetes.check("LL")


def test_the_cluster_runs_what_is_declared(gate: Gate, gate_kubernetes: GateKubernetes) -> None:
    """Rollouts, restarts, images, warnings, and no difference to the manifests, where policy names a cluster.

    Who has one asks for "kubernetes.live" = ">= 1 count" too, so that nobody takes it out of policy unseen.
    """
    if gate_kubernetes.live:
        gate_kubernetes.check("LV")
    else:
        gate.not_applicable("kubernetes.state", "policy names no cluster: the reference system runs on none")


def test_findings_are_counted(gate_kubernetes: GateKubernetes) -> None:
    """How many findings of each severity there are, and how many are exempted."""
    gate_kubernetes.measure()
