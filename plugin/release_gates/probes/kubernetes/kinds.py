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
