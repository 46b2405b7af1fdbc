"""What a manifest sets, against the same object of a cluster, compared by what the values mean.

Only fields that the manifest sets count: what the server fills in is its own. A list that the manifest sets
is set as a whole, so that one item more is a difference too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, NamedTuple

from release_gates.probes.kubernetes.faults import clip
from release_gates.probes.kubernetes.objects import items, mapping
from release_gates.probes.kubernetes.quantities import quantity
from release_gates.probes.kubernetes.workload_rules import SECRET_NAME, SECRET_VALUE

OF_SERVER = frozenset({"status", "apiVersion", "kind"})
METADATA = ("labels", "annotations", "finalizers")
NOTED = frozenset({"kubectl.kubernetes.io/last-applied-configuration", "deployment.kubernetes.io/revision"})
"""Annotations that kubectl and controllers write."""
FREE = frozenset(
    {
        *{"labels", "annotations", "data", "binaryData", "matchLabels", "nodeSelector"},
        *{"limits", "requests"},
    }
)
"""Maps whose keys are names; an empty one is none."""
OMITTED: dict[str, bool | int | str] = {
    **dict.fromkeys(("hostNetwork", "hostPID", "hostIPC", "tty", "stdin", "stdinOnce", "readOnly"), False),
    **dict.fromkeys(("paused", "publishNotReadyAddresses"), False),
    **dict.fromkeys(("minReadySeconds", "initialDelaySeconds"), 0),
    **dict.fromkeys(("value", "subPath", "apiGroup"), ""),
}
"""Fields whose zero value the API leaves out; of every other field an absent value is another one."""
KEYS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("containers", "initContainers", "ephemeralContainers", "volumes", "env"), ("name",)),
    **dict.fromkeys(("imagePullSecrets", "volumeDevices"), ("name",)),
    "volumeMounts": ("mountPath",),
    "hostAliases": ("ip",),
    "topologySpreadConstraints": ("topologyKey", "whenUnsatisfiable"),
    "ports": ("port", "protocol"),
}
"""Lists whose items have a key: their order says nothing, but for ORDERED."""
ORDERED = frozenset({"initContainers", "env", "envFrom", "command", "args"})
SETS = frozenset(
    {
        *{"verbs", "apiGroups", "resources", "resourceNames", "nonResourceURLs", "add", "drop"},
        *{"policyTypes", "finalizers", "accessModes", "hosts", "supplementalGroups", "except", "values"},
        *{"namespaces", "externalIPs"},
    }
)
MOST_PAIRED = 100
TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount"  # noqa: S105 - where it lies, not what it is
UNWELL = frozenset({"node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"})
ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class Difference:
    """One field that is not what the manifest says; both values as text."""

    path: str
    declared: str
    live: str

    def __str__(self) -> str:
        return f"{self.path} is {self.live}, declared is {self.declared}"


class _Place(NamedTuple):
    """Where a value is: the whole path, its field, and the field that holds it."""

    path: str
    field: str
    within: str

    def key(self, name: str) -> _Place:
        return _Place(f"{self.path}.{name}" if self.path else name, name, self.field)

    def item(self, name: object) -> _Place:
        return _Place(f"{self.path}[{clip(name, 60)}]", self.field, self.within)


def differences(declared: Mapping[str, Any], live: Mapping[str, Any]) -> Iterator[Difference]:
    """Yield each field that a manifest sets and that the live object has otherwise, with its path."""
    yield from _mapping(_asked(declared), _asked(live), _Place("", "", ""))


def _asked(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return an object without what is the server's: status, identity, and what it adds to a bare pod."""
    said = mapping(body.get("metadata"))
    metadata = {key: said[key] for key in METADATA if key in said}
    if "annotations" in metadata:
        notes = mapping(metadata["annotations"]).items()
        metadata["annotations"] = {key: value for key, value in notes if key not in NOTED}
    whole = {**{key: value for key, value in body.items() if key not in OF_SERVER}, "metadata": metadata}
    if body.get("kind") == "Pod":
        whole["spec"] = _pod(mapping(body.get("spec")))
    return whole


def _pod(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return a pod's spec without the token volume and the tolerations that admission adds."""
    left: dict[str, Any] = {**spec}
    for key in ("volumes", "tolerations"):
        if key in spec:
            left[key] = [one for one in items(spec[key]) if not _admitted(mapping(one))]
    for key in ("containers", "initContainers"):
        if key in spec:
            left[key] = [_without_token(one) for one in items(spec[key])]
    return left


def _admitted(one: Mapping[str, Any]) -> bool:
    return str(one.get("name", "")).startswith("kube-api-access-") or one.get("key") in UNWELL


def _without_token(container: Any) -> Any:
    if "volumeMounts" not in mapping(container):
        return container
    mounts = [one for one in items(container["volumeMounts"]) if mapping(one).get("mountPath") != TOKEN]
    return {**container, "volumeMounts": mounts}


def _mapping(declared: Mapping[str, Any], live: Mapping[str, Any], at: _Place) -> Iterator[Difference]:
    for key, value in declared.items():
        here = at.key(key)
        if value is None:
            continue  # the server drops it
        if live.get(key) is not None:
            yield from _values(value, live[key], here)
        elif not _is_nothing(value, here):
            yield Difference(here.path, _shown(value, here), ABSENT)


def _is_nothing(value: object, at: _Place) -> bool:
    """Tell whether the API leaves out such a value."""
    if at.within in FREE:
        return False
    if value == [] or (value == {} and at.field in {*FREE, "metadata"}):
        return True
    if isinstance(value, dict) and at.field == "metadata":
        return all(part in ({}, []) for part in value.values())
    zero = OMITTED.get(at.field)
    return zero is not None and type(value) is type(zero) and value == zero


def _values(declared: Any, live: Any, at: _Place) -> Iterator[Difference]:
    if isinstance(declared, dict) and isinstance(live, dict):
        yield from _mapping(declared, live, at)
    elif isinstance(declared, list) and isinstance(live, list):
        yield from _lists(declared, live, at)
    elif not _same(declared, live, at):
        yield Difference(at.path, _shown(declared, at), _shown(live, at))


def _same(declared: object, live: object, at: _Place) -> bool:
    if isinstance(declared, bool) or isinstance(live, bool):
        return declared is live
    if declared == live:
        return True
    if _is_quantity(at) and isinstance(declared, str | int | float) and isinstance(live, str | int | float):
        try:
            return quantity(declared) == quantity(live)
        except ValueError:
            pass
    return False


def _is_quantity(at: _Place) -> bool:
    return (
        at.within in {"limits", "requests"}
        or at.field in {"sizeLimit", "averageValue", "divisor"}
        or (at.field == "value" and at.within == "target")
    )


def _lists(declared: list[Any], live: list[Any], at: _Place) -> Iterator[Difference]:
    if at.field in SETS and all(isinstance(one, str | int) for one in (*declared, *live)):
        if set(declared) != set(live):
            yield Difference(at.path, _shown(sorted(declared), at), _shown(sorted(live), at))
        return
    asked, found = _keyed(declared, at.field), _keyed(live, at.field)
    if asked is None or found is None:
        yield from _unkeyed(declared, live, at)
        return
    for name, one in asked.items():
        if name in found:
            yield from _values(one, found[name], at.item(name))
        else:
            yield Difference(at.item(name).path, "set", ABSENT)
    yield from (Difference(at.item(name).path, ABSENT, "set") for name in found if name not in asked)
    if at.field in ORDERED and asked.keys() == found.keys() and [*asked] != [*found]:
        yield Difference(at.path, f"in the order {clip(', '.join(asked))}", clip(", ".join(found)))


def _keyed(values: list[Any], field: str) -> dict[str, Any] | None:
    """Return items by their key; None for a list without keys, or where a key is absent or comes twice."""
    if field not in KEYS:
        return None
    found: dict[str, Any] = {}
    for one in values:
        name = _key(mapping(one), KEYS[field])
        if not name or name in found:
            return None
        found[name] = one
    return found


def _key(one: Mapping[str, Any], names: Sequence[str]) -> str:
    said = {"protocol": "TCP", "port": one.get("containerPort"), **one}
    parts = [said.get(name) for name in names]
    return "/".join(map(str, parts)) if all(isinstance(part, str | int) for part in parts) else ""


def _unkeyed(declared: list[Any], live: list[Any], at: _Place) -> Iterator[Difference]:
    """Compare item by item; where objects differ so, any order in which each finds its own will do."""
    if len(declared) != len(live):
        yield Difference(at.path, _shown(declared, at), _shown(live, at))
        return
    pairs = enumerate(zip(declared, live, strict=True))
    in_place = list(chain(*(_values(one, other, at.item(number)) for number, (one, other) in pairs)))
    if in_place and not (at.field not in ORDERED and _paired(declared, live, at)):
        yield from in_place


def _paired(declared: list[Any], live: list[Any], at: _Place) -> bool:
    if not 1 < len(declared) <= MOST_PAIRED or not all(isinstance(one, dict) for one in (*declared, *live)):
        return False
    left = list(live)
    for one in declared:
        mine = next((other for other in left if not any(_values(one, other, at))), None)
        if mine is None:
            return False
        left = [other for other in left if other is not mine]
    return True


def _shown(value: object, at: _Place) -> str:
    """Return a value as text: short, and never one that looks like a secret."""
    if isinstance(value, dict):
        return f"an object of {len(value)} fields"
    if isinstance(value, list):
        plain = all(isinstance(one, str | int) for one in value)
        shown = clip(", ".join(map(str, value)), 80) if plain and value else f"{len(value)} items"
        return "(not shown)" if SECRET_VALUE.search(shown) else f"[{shown}]"
    free = at.path.startswith("data.") or ".env[" in at.path
    if SECRET_VALUE.search(str(value)) or (free and SECRET_NAME.search(at.path)):
        return "(not shown)"
    return repr(clip(value, 80)) if isinstance(value, str) else clip(value, 80)
