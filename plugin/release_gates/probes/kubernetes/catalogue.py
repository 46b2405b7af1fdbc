"""Every rule with its severity and what to do; Pod Security checks have upstream's ids behind ``PSS-``."""

from __future__ import annotations

from release_gates.model.severity import Severity
from release_gates.probes.kubernetes.pod_security import CHECKS

C, H, M, L = Severity

POD_SECURITY = {
    "privileged": C,
    **dict.fromkeys(
        ("hostNamespaces", "hostPathVolumes", "capabilities_baseline", "capabilities_restricted"), H
    ),
    **dict.fromkeys(("allowPrivilegeEscalation", "runAsNonRoot", "runAsUser"), H),
}
"""Severities of Pod Security checks; all others are medium."""

RULES: dict[str, tuple[Severity, str]] = {
    **{
        f"PSS-{check.id}": (POD_SECURITY.get(check.id, M), "see the Pod Security Standards")
        for check in CHECKS
    },
    "PW01": (H, "set securityContext.readOnlyRootFilesystem: true and mount what has to be written"),
    "PW02": (H, "set resources.requests.memory and resources.limits.memory"),
    "PW03": (M, "set resources.requests.cpu; whether a limit too is a matter of the workload's profile"),
    "PW04": (M, "name the image by digest, from a registry that policy allows"),
    "PW05": (M, "give it a service account of its own, with automountServiceAccountToken: false"),
    "PW06": (H, "mount secrets as files from a Secret or a CSI secret store"),
    "PW07": (C, "never mount the socket of a container runtime"),
    "PW08": (L, "run as a user and group from 10000 on"),
    "PW09": (M, "write what the API of the target version has"),
    "PW10": (M, "put it into a namespace of its own that has the label pod-security.kubernetes.io/enforce"),
    "PW11": (H, "take secrets from the CSI driver or Vault, as the workload's profile asks"),
    "PW12": (C, "deploy the image whose digest the candidate has"),
    "NP01": (H, "select the pod by a NetworkPolicy for both directions"),
    "NP02": (H, "add a NetworkPolicy with podSelector {} and no rules for Ingress and Egress"),
    "NP03": (M, "name the peers"),
    "NP04": (M, "let selectors and ports match what is deployed"),
    "NP05": (M, "expose it inside the cluster only, or approve the service in policy"),
    "NP06": (H, "give the Ingress a TLS secret and full host names"),
    "RB01": (C, "name verbs, resources and API groups"),
    "RB02": (C, "bind a role with the few rights that are needed"),
    "RB03": (H, "mount the secret instead of reading it by the API"),
    "RB04": (H, "leave exec, attach, port-forward and nodes/proxy to people with a break-glass role"),
    "RB05": (C, "never give escalate, bind or impersonate to a workload"),
    "RB06": (H, "leave webhooks and certificate approval to the cluster's owners"),
    "RB07": (C, "bind service accounts or named groups"),
    "RB08": (M, "let a controller create pods, not the workload"),
    "AV01": (H, "give it a readiness and a liveness probe that differ, on a port that it has"),
    "AV02": (M, "give it a startupProbe that covers the warm-up"),
    "AV03": (H, "run two replicas or more, and add a PodDisruptionBudget that selects them"),
    "AV04": (H, "let the budget permit one disruption"),
    "AV05": (H, "set maxUnavailable: 0 and maxSurge: 1"),
    "AV06": (M, "let the autoscaler have minReplicas >= 2, a target that exists, and replicas to itself"),
    "AV07": (M, "spread replicas by podAntiAffinity or topologySpreadConstraints"),
    "AV08": (M, "give the StatefulSet a headless service"),
    "AV09": (H, "let terminationGracePeriodSeconds exceed the drain time, and stop by a preStop hook"),
    "AV10": (C, "run the single writer with one replica, without autoscaler and without surge"),
    "LL01": (C, "let requests equal limits for cpu and memory in every container"),
    "LL02": (C, "ask for whole CPUs"),
    "LL03": (C, "set the kubelet's cpuManagerPolicy: static"),
    "LL04": (H, "set the kubelet's topologyManagerPolicy: single-numa-node"),
    "LL05": (M, "set the kubelet's cpuManagerPolicyOptions full-pcpus-only and strict-cpu-reservation"),
    "LL06": (H, "set the kubelet's memoryManagerPolicy: Static, and hugepages with equal request and limit"),
    "LL07": (H, "keep the kubelet's reservedSystemCPUs apart from the isolated CPUs"),
    "LL08": (C, "see which CPUs and memory nodes the engine's threads really have"),
    "LL09": (H, "see cpu.stat: nr_throttled has to be 0"),
    "LL10": (
        M,
        "tolerate the taint of the dedicated nodes, and name them by nodeSelector or required nodeAffinity",
    ),
    "LL11": (H, "set CpusetCpus and CpusetMems of one node"),
    "LV01": (H, "wait for the rollout, or find out why it does not complete"),
    "LV02": (H, "read the container's previous log"),
    "LV03": (H, "deploy the candidate's digest"),
    "LV04": (M, "see `kubectl describe`; a reason that is harmless here goes into `events_allowed`"),
    "LV05": (H, "see the conditions of the autoscaler, and whether its metrics arrive"),
    "LV06": (H, "deploy it, or take it out of the manifests"),
    "LV07": (H, "deploy the manifests again, or put into them what was changed by hand"),
    "LV08": (H, "declare it in the manifests, or remove it from the namespace"),
}
"""Rule -> severity and remedy."""
