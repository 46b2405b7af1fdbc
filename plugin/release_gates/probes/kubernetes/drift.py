"""Rules for manifests and a cluster together (LV06 to LV08): what is declared runs so, and nothing besides.

The manifests say what should be, the cluster what is. What cannot be compared is undecided, never a pass.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from release_gates.probes.kubernetes.comparing import differences
from release_gates.probes.kubernetes.findings import Finding, Undecided
from release_gates.probes.kubernetes.kinds import WORKLOADS, known_as
from release_gates.probes.kubernetes.objects import Deployed, Object, Workload

OWN_CONFIGURATION = "KubeletConfiguration"
"""Configuration of a node, no object of the API."""


@dataclass(frozen=True)
class Sides:
    """What manifests declare and what a cluster has; ``read`` are the resources that were listed, as paths
    without namespace (``apis/apps/v1/deployments``), ``namespaces`` those that were read.
    """

    declared: Deployed
    live: Deployed
    read: Collection[str]
    namespaces: Collection[str]

    @property
    def comparable(self) -> bool:
        """Whether manifests declare any object that a cluster could have."""
        return any(one.kind != OWN_CONFIGURATION for one in self.declared.objects)

    def joined(self) -> Deployed:
        """Return what is judged together: everything live, and what is declared only."""
        kept = {(one.kind, one.namespace, one.name) for one in self.live.objects}
        extra = tuple(one for one in self.declared.objects if (one.kind, one.namespace, one.name) not in kept)
        new = {id(one) for one in extra}
        workloads = (one for one in self.declared.workloads if id(one.object) in new)
        return Deployed((*self.live.objects, *extra), live=True, workloads=(*self.live.workloads, *workloads))


def drift_findings(sides: Sides) -> Iterator[Finding | Undecided]:
    """Yield what is declared and is not there or is otherwise, and workloads that nobody declared."""
    for one in sides.declared.objects:
        if one.kind != OWN_CONFIGURATION:
            yield from _declared(one, sides)
    for workload in sides.live.workloads:
        if not _known(workload.object, sides):
            yield Finding("LV08", workload.title, _stranger(workload))


def _declared(one: Object, sides: Sides) -> Iterator[Finding | Undecided]:
    live = sides.live.find(one.kind, one.namespace, one.name)
    if live is None:
        why = _unread(one, sides)
        yield (
            Undecided("LV06", one.title, why)
            if why
            else Finding("LV06", one.title, f"it is declared at {one.place}, and the cluster has none")
        )
    elif live.api_version != one.api_version:
        why = f"it is declared as {one.api_version} and was read as {live.api_version}, so fields differ"
        yield Undecided("LV07", one.title, why)
    else:
        yield from (Finding("LV07", one.title, str(found)) for found in differences(one.body, live.body))


def _unread(one: Object, sides: Sides) -> str:
    """Return why nobody can tell whether an object is there, empty if one can."""
    if one.kind == "Namespace" and one.api_version == "v1":
        return "" if one.name in sides.namespaces else "policy does not have this namespace read"
    if one.namespace and one.namespace not in sides.namespaces:
        return f"policy does not have the namespace {one.namespace} read"
    groups = {path.rpartition("/")[0].rpartition("/")[0] + "/" + _last(path) for path in sides.read}
    prefix = f"apis/{one.group}" if one.group else "api"
    return "" if f"{prefix}/{plural(one.api_kind)}" in groups else "objects of its kind are not read"


def _last(path: str) -> str:
    return path.rpartition("/")[2]


def plural(kind: str) -> str:
    """Return the name of a kind's resource in paths."""
    name = kind.lower()
    if name.endswith("y"):
        return f"{name[:-1]}ies"
    return f"{name}es" if name.endswith("s") else f"{name}s"


def _known(one: Object, sides: Sides) -> bool:
    """Tell whether an object is declared, or made by a controller that is there (or declared) itself."""
    if sides.declared.find(one.kind, one.namespace, one.name) is not None:
        return True
    owner = one.owner
    kind = known_as(str(owner.get("kind")), str(owner.get("apiVersion")).rpartition("/")[0])
    key = (kind, one.namespace, str(owner.get("name")))
    if sides.live.find(*key) is not None:
        return sides.live.made(one)
    declared = sides.declared.find(*key) if owner else None
    return declared is not None and declared.kind not in WORKLOADS  # of a kind that is not read


def _stranger(workload: Workload) -> str:
    owner = workload.object.owner
    if owner:
        return f"no manifest declares it, and its owner {owner.get('kind')} {owner.get('name')} is not there"
    return "no manifest declares it"
