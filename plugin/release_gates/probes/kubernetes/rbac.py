"""Who may do what: rules of roles, aggregated ClusterRoles taken together, roles behind bindings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from release_gates.probes.kubernetes.objects import Deployed, Object, items, mapping
from release_gates.probes.kubernetes.selectors import matches

GROUP = "rbac.authorization.k8s.io"


@dataclass(frozen=True, slots=True)
class Rights:
    """One rule of a role: these verbs on these resources of these groups, or on these URLs."""

    verbs: frozenset[str]
    groups: frozenset[str]
    resources: frozenset[str]
    urls: frozenset[str]

    def allow(self, group: str, resource: str, *verbs: str) -> bool:
        """Tell whether one of the verbs is allowed on a resource (``pods/exec``), wildcards included."""
        parent, _, sub = resource.partition("/")
        names = {resource, "*", f"{parent}/*", f"*/{sub}"} if sub else {resource, "*"}
        return bool({group, "*"} & self.groups and names & self.resources and {*verbs, "*"} & self.verbs)


def _rights_to(verbs: str, groups: str, resources: str) -> Rights:
    """Return rights from names with spaces between; the core group is written as ``core``."""
    named = frozenset("" if one == "core" else one for one in groups.split())
    return Rights(frozenset(verbs.split()), named, frozenset(resources.split()), frozenset())


ALL_VERBS = "get list watch create update patch delete"
EDIT = (
    _rights_to(
        ALL_VERBS, "core", "secrets pods pods/exec pods/attach pods/portforward replicationcontrollers"
    ),
    _rights_to(ALL_VERBS, "apps batch", "deployments statefulsets daemonsets replicasets jobs cronjobs"),
    _rights_to("impersonate", "core", "serviceaccounts"),
    _rights_to("create", "core", "serviceaccounts/token"),
)
BUILT_IN = {
    "admin": (*EDIT, _rights_to(ALL_VERBS, GROUP, "roles rolebindings")),
    "edit": EDIT,
    "view": (),
}
"""What the roles that every cluster has allow, as far as rules ask for it; ``cluster-admin`` has a rule."""


def rights_of(deployed: Deployed, role: Object) -> tuple[Rights, ...]:
    """Return the rules of a role; an aggregated ClusterRole has those of all that it selects, and no own."""
    return tuple(_rights(deployed, role, frozenset()))


def role_behind(deployed: Deployed, binding: Object) -> tuple[str, tuple[Rights, ...] | None]:
    """Return kind and name of the role that a binding gives, and its rights; None if nobody declares it."""
    reference = mapping(binding.body.get("roleRef"))
    kind, name = str(reference.get("kind")), str(reference.get("name"))
    role = deployed.find(kind, binding.namespace if kind == "Role" else "", name)
    if role is not None and role.group == GROUP:
        return f"{kind} {name}", rights_of(deployed, role)
    return f"{kind} {name}", BUILT_IN.get(name) if kind == "ClusterRole" else None


def subjects(binding: Object) -> Iterator[tuple[str, str, str]]:
    """Yield kind, namespace and name of whom a binding is for."""
    for one in items(binding.body.get("subjects")):
        said = mapping(one)
        yield str(said.get("kind")), str(said.get("namespace") or ""), str(said.get("name"))


def _rights(deployed: Deployed, role: Object, seen: frozenset[str]) -> Iterator[Rights]:
    aggregation = mapping(role.body.get("aggregationRule"))
    if not (role.kind == "ClusterRole" and aggregation):
        yield from (_one(mapping(rule)) for rule in items(role.body.get("rules")))
        return
    if deployed.live:  # the controller has written the sum into it
        yield from (_one(mapping(rule)) for rule in items(role.body.get("rules")))
    for other in deployed.of_kind("ClusterRole"):
        selectors = items(aggregation.get("clusterRoleSelectors"))
        if other.name not in seen | {role.name} and any(matches(one, other.labels) for one in selectors):
            yield from _rights(deployed, other, seen | {role.name})


def _one(rule: dict[str, object]) -> Rights:
    def names(key: str) -> frozenset[str]:
        return frozenset(str(one) for one in items(rule.get(key)))

    return Rights(names("verbs"), names("apiGroups"), names("resources"), names("nonResourceURLs"))
