"""Rules for pods: the Pod Security Standards and PW01 to PW12, by effective values of pod and container."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping

from release_gates.probes.kubernetes.faults import clip
from release_gates.probes.kubernetes.findings import Finding
from release_gates.probes.kubernetes.images import below, split_image, whole_name
from release_gates.probes.kubernetes.objects import Deployed, Object, Workload, items, mapping, texts
from release_gates.probes.kubernetes.pod import Container, Resources, Security
from release_gates.probes.kubernetes.pod_security import violations
from release_gates.probes.kubernetes.quantities import quantity
from release_gates.probes.kubernetes.settings import KubernetesSettings, WorkloadProfile

NO_SECURITY = Security()
NO_RESOURCES = Resources()
SOCKETS = (
    *("docker.sock", "containerd.sock", "crio.sock", "cri-dockerd.sock", "dockershim.sock", "podman.sock"),
    *("containerd/containerd.sock.ttrpc", "frakti.sock", "buildkitd.sock", "rktlet.sock"),
)
SOCKET_FOLDERS = (
    "/",
    "/run",
    "/var",
    "/var/run",
    "/run/containerd",
    "/run/crio",
    "/run/docker",
    "/run/podman",
)
SECRET_NAME = re.compile(
    r"passw(or)?d|secret|token|api_?key|private_?key|credential|access_?key|auth_?key|connection_?string",
    re.IGNORECASE,
)
SECRET_VALUE = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----|\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{36}|://[^/\s:@]+:[^/\s:@]+@"
)
SECRET_POINTER = re.compile(
    r"_?(FILE|PATH|DIR|URL|NAME|TTL|LENGTH|MOUNT|TYPE|POLICY|ENABLED)$", re.IGNORECASE
)
ENFORCE = "pod-security.kubernetes.io/enforce"
LOWEST_ID = 10_000


def workload_findings(
    deployed: Deployed, settings: KubernetesSettings, digests: Mapping[str, str]
) -> Iterator[Finding]:
    """Yield what is wrong with pods (PSS, PW); ``digests`` are the candidate's, by the image's name."""
    for workload in deployed.workloads:
        profile = settings.profile(workload.title, workload.kind)
        texts_by_rule = (
            *_pod_security(workload, settings),
            *_file_systems(workload),
            *_resources(workload, profile),
            *_images(workload, settings, digests),
            *_runs(workload, profile),
            *_service_account(workload, deployed),
            *_secrets(workload, profile),
            *_sockets(workload),
            *_ids(workload),
            *_duplicates(workload),
        )
        title = workload.title
        yield from (Finding(rule, title, text) for rule, text in texts_by_rule)
    yield from _config_maps(deployed)
    yield from _written_secrets(deployed)
    yield from _volumes(deployed)
    yield from _namespaces(deployed)


def _pod_security(workload: Workload, settings: KubernetesSettings) -> Iterator[tuple[str, str]]:
    for found in violations(workload.pod, settings.level, settings.pod_security_minor):
        yield from ((f"PSS-{found.check}", clip(text)) for text in found.offenders)


def _file_systems(workload: Workload) -> Iterator[tuple[str, str]]:
    for container in workload.containers:
        if not (container.security_context or NO_SECURITY).read_only_root_filesystem:
            yield "PW01", f"container {container.name}: readOnlyRootFilesystem is not true"


def _resources(workload: Workload, profile: WorkloadProfile) -> Iterator[tuple[str, str]]:
    shared = workload.pod.spec.resources or NO_RESOURCES
    for container in _with_resources(workload):
        own = container.resources or NO_RESOURCES
        where = f"container {container.name}"
        for what in ("requests", "limits"):
            given = {**(getattr(shared, what) or {}), **(getattr(own, what) or {})}
            # A limit without a request is the request too.
            if what == "requests":
                given = {**(shared.limits or {}), **(own.limits or {}), **given}
            yield from (("PW09", f"{where}: {problem}") for problem in _unreadable(given))
            if not _positive(given.get("memory")):
                yield "PW02", f"{where}: resources.{what}.memory is not set"
            if what == "requests" and not _positive(given.get("cpu")):
                yield "PW03", f"{where}: resources.requests.cpu is not set"
            if what == "limits" and profile.cpu_limit == "required" and not _positive(given.get("cpu")):
                yield "PW03", f"{where}: resources.limits.cpu is not set, and the profile requires it"
            if what == "limits" and profile.cpu_limit == "forbidden" and "cpu" in given:
                yield "PW03", f"{where}: resources.limits.cpu is set, and the profile forbids it"


def _unreadable(given: Mapping[str, str | int | float]) -> Iterator[str]:
    for name, value in given.items():
        try:
            quantity(value)
        except ValueError as error:
            yield f"{clip(name, 40)}: {clip(error)}"


def _positive(value: str | int | float | None) -> bool:
    try:
        return value is not None and quantity(value) > 0
    except ValueError:
        return False


def _with_resources(workload: Workload) -> Iterator[Container]:
    """Yield the containers that may have resources: ephemeral ones may not."""
    spec = workload.pod.spec
    yield from spec.init_containers or ()
    yield from spec.containers or ()


def _images(
    workload: Workload, settings: KubernetesSettings, digests: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    for container in workload.containers:
        where, image = f"container {container.name}", container.image or ""
        name, tag, digest = split_image(image)
        if not re.fullmatch(r"sha256:[0-9a-f]{64}", digest):
            yield "PW04", f"{where}: {clip(image) or 'no image'} has no digest"
        if tag == "latest" or not (tag or digest):
            yield "PW04", f"{where}: {clip(image) or 'no image'} is whatever is latest"
        whole = whole_name(name)
        if settings.registries and not any(
            below(name, prefix) or below(whole, prefix) for prefix in settings.registries
        ):
            yield "PW04", f"{where}: {clip(image)} is from a registry that policy does not allow"
        for known, built in digests.items():
            if whole_name(known) == whole and digest != f"sha256:{built}":
                yield "PW12", f"{where}: {clip(image)} is not the candidate's sha256:{built}"


def _runs(workload: Workload, profile: WorkloadProfile) -> Iterator[tuple[str, str]]:
    """Any pod may run the candidate's image; this one has to, and not only before it serves."""
    if profile.runs:
        names = {split_image(one.image or "")[0] for one in workload.pod.spec.lasting()}
        if whole_name(profile.runs) not in map(whole_name, names):
            yield "PW12", f"none of its containers runs {clip(profile.runs)}, which policy asks for"


def _service_account(workload: Workload, deployed: Deployed) -> Iterator[tuple[str, str]]:
    spec = workload.pod.spec
    name = spec.service_account_name or spec.service_account or "default"
    account = deployed.find("ServiceAccount", workload.namespace, name)
    of_account = account.body.get("automountServiceAccountToken") if account is not None else None
    mounted = (
        of_account if spec.automount_service_account_token is None else spec.automount_service_account_token
    )
    if mounted is not False:
        yield "PW05", f"the token of service account {name} is mounted"
    if name == "default":
        yield "PW05", "it runs as the service account default"
    elif account is None:
        yield "PW05", f"service account {clip(name, 60)} is not declared"


def _secrets(workload: Workload, profile: WorkloadProfile) -> Iterator[tuple[str, str]]:
    for container in workload.containers:
        where = f"container {container.name}"
        for variable in container.env or ():
            name, value = variable.name or "", variable.value or ""
            if "secretKeyRef" in (variable.value_from or {}):
                yield "PW06", f"{where}: {clip(name, 60)} is taken from a Secret into the environment"
            elif looks_secret(name, value):
                yield "PW06", f"{where}: {clip(name, 60)} holds a secret as plain text"
        for source in container.env_from or ():
            if source.secret_ref is not None:
                yield "PW06", f"{where}: the Secret {source.secret_ref.get('name')} becomes its environment"
        if any(SECRET_VALUE.search(word) for word in _words(container)):
            yield "PW06", f"{where}: an argument holds a secret as plain text"
    if profile.secrets != "any" and not _secret_source(workload, profile.secrets):
        yield "PW11", f"no secret comes from {profile.secrets}, and the profile asks for it"


def _words(container: Container) -> Iterator[str]:
    """Yield the words of every command that a container runs: its own, its probes' and its hooks'."""
    yield from (*(container.command or ()), *(container.args or ()))
    hooks = container.lifecycle
    for handler in (
        *(container.liveness_probe, container.readiness_probe, container.startup_probe),
        *((hooks.post_start, hooks.pre_stop) if hooks is not None else ()),
    ):
        if handler is not None and handler.exec is not None:
            yield from map(str, items(handler.exec.get("command")))


def looks_secret(name: str, value: str) -> bool:
    """Tell whether a name and value look like a secret in plain text; a path or address to one does not."""
    if SECRET_VALUE.search(value):
        return True
    pointer = SECRET_POINTER.search(name) or value.startswith(("/", "$("))
    return bool(value.strip() and SECRET_NAME.search(name) and not pointer)


def _secret_source(workload: Workload, source: str) -> bool:
    if source == "vault":
        return workload.pod.annotations.get("vault.hashicorp.com/agent-inject") == "true"
    drivers = (mapping(volume.get("csi")).get("driver") for volume in workload.pod.spec.volumes or ())
    return "secrets-store.csi.k8s.io" in drivers


def _sockets(workload: Workload) -> Iterator[tuple[str, str]]:
    for volume in workload.pod.spec.volumes or ():
        what = _socket(mapping(volume.get("hostPath")).get("path"))
        if what:
            yield "PW07", f"volume {volume.get('name')} is {what}"


def _volumes(deployed: Deployed) -> Iterator[Finding]:
    """A claim brings a pod whatever its PersistentVolume is, unseen by the Pod Security Standards."""
    for one in deployed.of_kind("PersistentVolume"):
        for kind in ("hostPath", "local"):
            what = _socket(mapping(one.spec.get(kind)).get("path"))
            if what:
                yield Finding("PW07", one.title, f"its {kind} is {what}")


def _socket(path: object) -> str:
    """Return what of a container runtime a path of the host is, "" for nothing."""
    normal = normal_path(path) if isinstance(path, str) else ""
    if normal.endswith(SOCKETS):
        return f"the socket {clip(normal, 60)}"
    return f"{normal}, which holds the sockets of container runtimes" if normal in SOCKET_FOLDERS else ""


def normal_path(path: str) -> str:
    """Return an absolute path without doubled slashes, ``.`` and ``..``."""
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            parts = parts[:-1]
        elif part not in {"", "."}:
            parts.append(part)
    return "/" + "/".join(parts)


def _ids(workload: Workload) -> Iterator[tuple[str, str]]:
    of_pod = workload.pod.spec.security_context or NO_SECURITY
    for container in workload.containers:
        own = container.security_context or NO_SECURITY
        for field, value in (
            ("runAsUser", own.run_as_user if own.run_as_user is not None else of_pod.run_as_user),
            ("runAsGroup", own.run_as_group if own.run_as_group is not None else of_pod.run_as_group),
        ):
            if value is None:
                yield "PW08", f"container {container.name}: {field} is not set, so the image decides"
            elif value < LOWEST_ID:
                yield "PW08", f"container {container.name}: {field} is {value}"
    if of_pod.fs_group is not None and of_pod.fs_group < LOWEST_ID:
        yield "PW08", f"fsGroup is {of_pod.fs_group}"


def _duplicates(workload: Workload) -> Iterator[tuple[str, str]]:
    for container in workload.containers:
        names = Counter(variable.name for variable in container.env or ())
        yield from (
            ("PW09", f"container {container.name}: the variable {clip(name, 60)} is set {count} times")
            for name, count in names.items()
            if count > 1
        )
    counted = Counter(container.name for container in workload.containers)
    yield from (
        ("PW09", f"{count} containers are named {name}") for name, count in counted.items() if count > 1
    )
    for volume in workload.pod.spec.volumes or ():
        sources = [key for key, value in volume.items() if key != "name" and value is not None]
        if len(sources) > 1:
            yield "PW09", f"volume {volume.get('name')} has several sources: {', '.join(sorted(sources))}"


def _config_maps(deployed: Deployed) -> Iterator[Finding]:
    for one in deployed.of_kind("ConfigMap"):
        for name, value in texts(one.body.get("data")).items():
            if looks_secret(name, value):
                yield Finding("PW06", one.title, f"{clip(name, 60)} holds a secret as plain text")


def _written_secrets(deployed: Deployed) -> Iterator[Finding]:
    for one in deployed.of_kind("Secret"):
        if any(value for key in ("data", "stringData") for value in mapping(one.body.get(key)).values()):
            yield Finding("PW06", one.title, "its data is in the manifests, for all who read them")


def _namespaces(deployed: Deployed) -> Iterator[Finding]:
    for name in deployed.namespaces:
        title = f"Namespace/{name}"
        if name == "default":
            yield Finding("PW10", title, "pods run in the namespace default")
        declared: Object | None = deployed.find("Namespace", "", name)
        if declared is None:
            yield Finding("PW10", title, "it is not declared, so nobody sees its Pod Security level")
        elif declared.labels.get(ENFORCE) not in {"baseline", "restricted"}:
            said = declared.labels.get(ENFORCE)
            yield Finding("PW10", title, f"the label {ENFORCE} is {said or 'not there'}")
