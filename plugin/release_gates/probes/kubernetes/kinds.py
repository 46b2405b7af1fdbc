"""Kinds of objects: which start pods, which control others, which belong to no namespace."""

from __future__ import annotations

TEMPLATES = {
    "Pod": (),
    "PodTemplate": ("template",),
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
}
"""Where the pod is in an object; of all others at ``spec.template``."""

WORKLOADS = frozenset(
    {
        *{
            "Pod",
            "PodTemplate",
            "Deployment",
            "StatefulSet",
            "DaemonSet",
            "ReplicaSet",
            "ReplicationController",
        },
        *{"Job", "CronJob"},
    }
)
CONTROLLERS = WORKLOADS - {"Pod", "PodTemplate"}
CLUSTER_SCOPED = frozenset(
    {
        *{"Namespace", "Node", "PersistentVolume", "ClusterRole", "ClusterRoleBinding", "StorageClass"},
        *{"CustomResourceDefinition", "ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"},
        *{
            "PriorityClass",
            "RuntimeClass",
            "IngressClass",
            "CSIDriver",
            "CSINode",
            "APIService",
            "VolumeAttachment",
        },
        *{"ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding", "KubeletConfiguration"},
    }
)

GROUPS = {
    **dict.fromkeys(("Pod", "PodTemplate", "ReplicationController", "Service", "ServiceAccount"), ""),
    **dict.fromkeys(("ConfigMap", "Secret", "Namespace", "Node", "PersistentVolume", "Event"), ""),
    **dict.fromkeys(("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"), "apps"),
    **dict.fromkeys(("Job", "CronJob"), "batch"),
    **dict.fromkeys(("NetworkPolicy", "Ingress"), "networking.k8s.io"),
    **dict.fromkeys(
        ("Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"), "rbac.authorization.k8s.io"
    ),
    "PodDisruptionBudget": "policy",
    "HorizontalPodAutoscaler": "autoscaling",
    "KubeletConfiguration": "kubelet.config.k8s.io",
}
"""The API group of each kind that rules read."""


def known_as(kind: str, group: str) -> str:
    """Return a kind as rules name it; one of another group that bears such a name has its group in it."""
    return kind if GROUPS.get(kind, group) == group else f"{kind}.{group or 'core'}"
