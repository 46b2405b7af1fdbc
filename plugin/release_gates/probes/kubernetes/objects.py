"""Everything of a deployment together: objects by kind, namespace and name, and what starts pods."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from release_gates.errors import MeasurementError
from release_gates.probes.kubernetes.documents import Document
from release_gates.probes.kubernetes.faults import clip, malformed
from release_gates.probes.kubernetes.kinds import CLUSTER_SCOPED, CONTROLLERS, TEMPLATES, WORKLOADS, known_as
from release_gates.probes.kubernetes.pod import Container, Pod, decode

MOST_ITEMS = 200_000


@dataclass(frozen=True)
class Object:
    """One object of the API; ``place`` says where it was read.

    ``kind`` is the kind that rules know: a Knative ``Service`` is a ``Service.serving.knative.dev``.
    """

    api_version: str
    kind: str
    namespace: str
    name: str
    body: Mapping[str, Any]
    place: str

    @property
    def api_kind(self) -> str:
        """The kind as the API names it."""
        return self.kind.partition(".")[0]

    @property
    def group(self) -> str:
        """The API group, empty for core."""
        return self.api_version.rpartition("/")[0]

    @cached_property
    def title(self) -> str:
        """Kind, namespace and name, as exemptions and messages say it."""
        return "/".join(part for part in (self.kind, self.namespace, self.name) if part)

    @property
    def labels(self) -> dict[str, str]:
        """Labels, none if there are none."""
        return texts(mapping(self.body.get("metadata")).get("labels"))

    @property
    def spec(self) -> dict[str, Any]:
        """The spec, empty if there is none."""
        return mapping(self.body.get("spec"))

    @property
    def owner(self) -> dict[str, Any]:
        """The controller that it says made it, empty if none."""
        owners = items(mapping(self.body.get("metadata")).get("ownerReferences"))
        return next((mapping(each) for each in owners if mapping(each).get("controller") is True), {})


@dataclass(frozen=True)
class Workload:
    """An object that starts pods, and the pod that it starts."""

    object: Object
    pod: Pod

    @property
    def title(self) -> str:
        """Title of the object."""
        return self.object.title

    @property
    def namespace(self) -> str:
        """Namespace of its pods."""
        return self.object.namespace

    @property
    def kind(self) -> str:
        """Kind of the object."""
        return self.object.kind

    @cached_property
    def labels(self) -> dict[str, str]:
        """Labels of its pods."""
        return self.pod.labels

    @cached_property
    def containers(self) -> tuple[Container, ...]:
        """Every container, init and ephemeral ones too."""
        return self.pod.spec.all_containers()

    @property
    def lives(self) -> bool:
        """Whether it serves until it is told to stop, other than a job."""
        return self.kind not in {"Job", "CronJob", "PodTemplate"}

    @property
    def replicas(self) -> int:
        """Replicas that it asks for, 1 by default."""
        said = self.object.spec.get("replicas")
        return said if isinstance(said, int) and not isinstance(said, bool) else 1


@dataclass(frozen=True)
class Deployed:
    """All objects that are judged together; nothing outside of it is known.

    ``live`` says that they come from a cluster, with the state of it.
    """

    objects: tuple[Object, ...]
    live: bool = False
    workloads: tuple[Workload, ...] = field(default=())

    @cached_property
    def by_kind(self) -> dict[str, tuple[Object, ...]]:
        """Objects by kind, in the order in which they were read."""
        found: dict[str, list[Object]] = {}
        for one in self.objects:
            found.setdefault(one.kind, []).append(one)
        return {kind: tuple(ones) for kind, ones in found.items()}

    @cached_property
    def _near(self) -> dict[tuple[str, str], tuple[Object, ...]]:
        found: dict[tuple[str, str], list[Object]] = {}
        for one in self.objects:
            found.setdefault((one.kind, one.namespace), []).append(one)
        return {key: tuple(ones) for key, ones in found.items()}

    @cached_property
    def _neighbours(self) -> dict[str, tuple[Workload, ...]]:
        found: dict[str, list[Workload]] = {}
        for one in self.workloads:
            found.setdefault(one.namespace, []).append(one)
        return {namespace: tuple(ones) for namespace, ones in found.items()}

    @cached_property
    def _index(self) -> dict[tuple[str, str, str], Object]:
        return {(one.kind, one.namespace, one.name): one for one in self.objects}

    def maker(self, one: Object) -> Object | None:
        """Return the controller that made an object: it is there, and has the identity that was claimed.

        Manifests make nothing, so that whoever writes an owner into one is not believed.
        """
        said = one.owner
        kind = known_as(str(said.get("kind")), str(said.get("apiVersion")).rpartition("/")[0])
        found = self.find(kind, one.namespace, str(said.get("name"))) if said else None
        if not self.live or found is None or found is one:
            return None
        controls = found.kind in CONTROLLERS or (found.kind not in WORKLOADS and has_template(found))
        uid = mapping(found.body.get("metadata")).get("uid")
        return found if controls and uid and uid == said.get("uid") else None

    def made(self, one: Object) -> bool:
        """Tell whether a controller made an object, so that rules ask the controller."""
        return self.maker(one) is not None

    def of_kind(self, *kinds: str) -> Iterator[Object]:
        """Yield the objects of some kinds."""
        for kind in kinds:
            yield from self.by_kind.get(kind, ())

    def find(self, kind: str, namespace: str, name: str) -> Object | None:
        """Return an object by its kind, namespace and name."""
        return self._index.get((kind, namespace, name))

    @cached_property
    def namespaces(self) -> tuple[str, ...]:
        """Namespaces in which pods start, sorted."""
        return tuple(sorted({one.namespace for one in self.workloads}))

    def in_namespace(self, namespace: str) -> tuple[Workload, ...]:
        """Return the workloads of a namespace."""
        return self._neighbours.get(namespace, ())

    def near(self, kind: str, namespace: str) -> tuple[Object, ...]:
        """Return the objects of a kind in a namespace."""
        return self._near.get((kind, namespace), ())


def deployed(documents: Iterable[Document], *, namespace: str, live: bool = False) -> Deployed:
    """Return everything that the documents declare; ``namespace`` is for objects that name none.

    Raises MeasurementError for an object without apiVersion, kind or name, for a pod that cannot be decoded,
    and for one that is declared twice.
    """
    objects = [_object(document, namespace) for document in _flat(documents)]
    seen: dict[tuple[str, str, str, str], Object] = {}
    for one in objects:
        key = (one.group, one.kind, one.namespace, one.name)
        if key in seen:
            raise malformed(one.place, f"{one.title} is declared twice, first at {seen[key].place}")
        seen[key] = one
    everything = Deployed(tuple(objects), live)
    starting = (one for one in objects if _starts_pods(one, everything))
    return Deployed(everything.objects, live, tuple(Workload(one, _pod(one)) for one in starting))


def _starts_pods(one: Object, everything: Deployed) -> bool:
    if one.kind == "ReplicaSet" and one.spec.get("replicas") == 0 and everything.made(one):
        return False  # an earlier revision of a Deployment, kept for a rollback
    return one.kind in WORKLOADS or has_template(one)


def has_template(one: Object) -> bool:
    """Tell whether an object has the template of a pod, of whatever kind it is."""
    template = mapping(mapping(one.spec.get("template")).get("spec"))
    return isinstance(template.get("containers"), list)


def mapping(value: object) -> dict[str, Any]:
    """Return a mapping as it is, an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def items(value: object) -> list[Any]:
    """Return a list as it is, an empty one for anything else."""
    return value if isinstance(value, list) else []


def texts(value: object) -> dict[str, str]:
    """Return the texts of a mapping."""
    return {key: text for key, text in mapping(value).items() if isinstance(text, str)}


def _flat(documents: Iterable[Document]) -> Iterator[Document]:
    """Yield documents, lists taken apart; items of a typed list (``PodList``) get its version and kind."""
    waiting, count = deque(documents), 0
    while waiting:
        document = waiting.popleft()
        value = document.value
        kind, parts = value.get("kind"), value.get("items")
        if not (isinstance(kind, str) and kind.endswith("List") and isinstance(parts, list)):
            yield document
            continue
        count += len(parts)
        if count > MOST_ITEMS:
            raise malformed(document.place, f"more than {MOST_ITEMS} items in lists")
        typed = (
            {"apiVersion": value.get("apiVersion"), "kind": kind.removesuffix("List")}
            if kind != "List"
            else {}
        )
        for number, part in enumerate(parts):
            if not isinstance(part, dict):
                raise malformed(document.place, f"item {number} of {kind} is no object")
            waiting.append(Document(f"{document.place} item {number}", {**typed, **part}))


def _object(document: Document, namespace: str) -> Object:
    value, place = document.value, document.place
    api_version, kind = value.get("apiVersion"), value.get("kind")
    if not (isinstance(api_version, str) and api_version and isinstance(kind, str) and kind):
        raise malformed(place, "an object has an apiVersion and a kind")
    metadata = value.get("metadata")
    if kind == "KubeletConfiguration":
        metadata = mapping(metadata) or {"name": "kubelet"}
    if not isinstance(metadata, dict):
        raise malformed(place, f"{clip(kind, 60)} has no metadata")
    name, said = metadata.get("name"), metadata.get("namespace")
    if not (isinstance(name, str) and name):
        raise malformed(place, f"{clip(kind, 60)} has no metadata.name")
    if said is not None and not isinstance(said, str):
        raise malformed(place, f"{clip(kind, 60)} {clip(name, 60)}: metadata.namespace is no text")
    where = "" if kind in CLUSTER_SCOPED else said or namespace
    return Object(api_version, known_as(kind, api_version.rpartition("/")[0]), where, name, value, place)


def _pod(one: Object) -> Pod:
    part: object = one.body
    for key in TEMPLATES.get(one.kind, ("spec", "template")):
        part = mapping(part).get(key)
    try:
        pod = decode(part)
    except ValueError as error:
        raise malformed(one.place, f"{one.title}: {clip(error)}") from None
    if not pod.spec.containers:
        raise MeasurementError(
            f"{one.place}: {one.title} starts no container.",
            slug="kubernetes-manifest-malformed",
            hint="A pod needs containers; mend the manifest.",
        )
    return pod
