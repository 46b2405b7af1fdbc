"""Rules for rights (RB01 to RB08), on roles as they are declared and on what bindings give."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from release_gates.probes.kubernetes.faults import clip
from release_gates.probes.kubernetes.findings import Finding
from release_gates.probes.kubernetes.objects import Deployed, Object
from release_gates.probes.kubernetes.rbac import GROUP, Rights, rights_of, role_behind, subjects

WRITE = ("create", "update", "patch", "delete", "deletecollection")
EVERYBODY = frozenset(
    {
        *{"system:anonymous", "system:unauthenticated", "system:authenticated", "system:masters"},
        "system:serviceaccounts",
    }
)
OF_EVERY_CLUSTER: dict[str, frozenset[str]] = {
    "cluster-admin": frozenset({"system:masters"}),
    "system:basic-user": frozenset({"system:authenticated"}),
    "system:discovery": frozenset({"system:authenticated"}),
    "system:public-info-viewer": frozenset({"system:authenticated", "system:unauthenticated"}),
    "system:service-account-issuer-discovery": frozenset({"system:serviceaccounts"}),
}
"""Bindings that the API server itself makes, and for whom; whoever was added stays in them."""
INTO_PODS = ("pods/exec", "pods/attach", "pods/portforward", "pods/ephemeralcontainers", "nodes/proxy")
STARTS_PODS = (
    *(("", name) for name in ("pods", "replicationcontrollers")),
    *(("apps", name) for name in ("deployments", "statefulsets", "daemonsets", "replicasets")),
    *(("batch", name) for name in ("jobs", "cronjobs")),
)
WEBHOOKS = ("mutatingwebhookconfigurations", "validatingwebhookconfigurations")
IDENTITIES = (("", "users"), ("", "groups"), ("", "serviceaccounts"), ("authentication.k8s.io", "uids"))


def rbac_findings(deployed: Deployed) -> Iterator[Finding]:
    """Yield what roles and bindings give that a workload should not have.

    In a cluster, roles are judged behind the bindings that concern the namespaces that are judged.
    """
    if not deployed.live:
        for role in deployed.of_kind("Role", "ClusterRole"):
            if role.group == GROUP:
                yield from _of_rights(role, rights_of(deployed, role), "")
    for binding in deployed.of_kind("RoleBinding", "ClusterRoleBinding"):
        if binding.group == GROUP and (not deployed.live or _concerns(deployed, binding)):
            yield from _of_binding(deployed, binding)


def _of_binding(deployed: Deployed, binding: Object) -> Iterator[Finding]:
    role, rights = role_behind(deployed, binding)
    for kind, _, name in subjects(binding):
        if kind in {"User", "Group"} and name in EVERYBODY:
            yield Finding("RB07", binding.title, f"it is for {name}")
    if role == "ClusterRole cluster-admin":
        yield Finding("RB02", binding.title, "it gives cluster-admin")
    elif rights is None:
        yield Finding("RB01", binding.title, f"it gives the {clip(role, 80)}, which nobody declares")
    elif deployed.live or not _declared(deployed, role):
        yield from _of_rights(binding, rights, f"{role}: ")


def _declared(deployed: Deployed, role: str) -> bool:
    kind, _, name = role.partition(" ")
    return kind == "Role" or deployed.find(kind, "", name) is not None


def _concerns(deployed: Deployed, binding: Object) -> bool:
    if binding.kind == "RoleBinding":
        return binding.namespace in deployed.namespaces
    everybody = {name for _, _, name in subjects(binding) if name in EVERYBODY}
    if everybody - OF_EVERY_CLUSTER.get(binding.name, frozenset()):
        return True
    return any(_is_of(deployed.namespaces, *one) for one in subjects(binding))


def _is_of(namespaces: Collection[str], kind: str, where: str, name: str) -> bool:
    """Tell whether a subject is a service account of these namespaces, by whichever of its three names."""
    if kind == "ServiceAccount":
        return where in namespaces
    prefix, _, rest = name.partition(":serviceaccount")
    space = rest.removeprefix("s").removeprefix(":").partition(":")[0]
    return prefix == "system" and space in namespaces


def _of_rights(one: Object, rights: tuple[Rights, ...], prefix: str) -> Iterator[Finding]:
    found = {(rule, text) for right in rights for rule, text in _broken(right)}
    yield from (Finding(rule, one.title, prefix + text) for rule, text in sorted(found))


def _broken(right: Rights) -> Iterator[tuple[str, str]]:
    for name, said in (("verbs", right.verbs), ("resources", right.resources), ("apiGroups", right.groups)):
        if "*" in said:
            yield "RB01", f"* in {name}"
    if "*" in right.urls:
        yield "RB01", "* in nonResourceURLs"
    if any("/" in name and "*" in name for name in right.resources):
        yield "RB01", "* in a subresource"
    if right.allow("", "secrets", "get", "list", "watch"):
        yield "RB03", "it reads secrets"
    for resource in INTO_PODS:
        if right.allow("", resource, "create", "get", "update", "patch"):
            yield "RB04", f"it reaches into {resource}"
    yield from _escalating(right)
    if any(right.allow("admissionregistration.k8s.io", name, *WRITE) for name in WEBHOOKS):
        yield "RB06", "it writes webhook configurations"
    approves = right.allow("certificates.k8s.io", "certificatesigningrequests/approval", "update", "patch")
    if approves or right.allow("certificates.k8s.io", "signers", "approve", "sign"):
        yield "RB06", "it approves certificates"
    for group, resource in STARTS_PODS:
        if right.allow(group, resource, "create"):
            yield "RB08", f"it creates {resource}"


def _escalating(right: Rights) -> Iterator[tuple[str, str]]:
    if any(right.allow(GROUP, kind, "escalate", "bind") for kind in ("roles", "clusterroles")):
        yield "RB05", "it gives itself rights (escalate or bind)"
    if any(right.allow(group, name, "impersonate") for group, name in IDENTITIES):
        yield "RB05", "it acts as somebody else (impersonate)"
    if right.allow("", "serviceaccounts/token", "create"):
        yield "RB05", "it makes tokens of service accounts"
