"""A pod as Kubernetes decodes it: the fields that rules read, typed, null where nothing was said.

Unknown fields are left to the schema check. A value of a wrong type is no pod at all: `decode` refuses it, as
the API server does.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

NAMES = {"host_pid": "hostPID", "host_ipc": "hostIPC", "host_ip": "hostIP"}


def _renamed(name: str) -> str:
    head, *tail = name.split("_")
    return NAMES.get(name, head + "".join(part.capitalize() for part in tail))


class Part(msgspec.Struct, frozen=True, kw_only=True, rename=_renamed):
    """A part of a pod."""


class Typed(Part, frozen=True, kw_only=True):
    """A profile of seccomp or AppArmor."""

    type: str | None = None


class SeLinux(Part, frozen=True, kw_only=True):
    """SELinux options."""

    type: str | None = None
    user: str | None = None
    role: str | None = None


class Windows(Part, frozen=True, kw_only=True):
    """Windows options."""

    host_process: bool | None = None


class Capabilities(Part, frozen=True, kw_only=True):
    """Capabilities by the names that the manifest uses."""

    add: tuple[str, ...] | None = None
    drop: tuple[str, ...] | None = None


class Sysctl(Part, frozen=True, kw_only=True):
    """A kernel parameter of the pod."""

    name: str | None = None


class Security(Part, frozen=True, kw_only=True):
    """A securityContext, of a pod or of a container."""

    privileged: bool | None = None
    allow_privilege_escalation: bool | None = None
    read_only_root_filesystem: bool | None = None
    run_as_non_root: bool | None = None
    run_as_user: int | None = None
    run_as_group: int | None = None
    fs_group: int | None = None
    proc_mount: str | None = None
    capabilities: Capabilities | None = None
    seccomp_profile: Typed | None = None
    app_armor_profile: Typed | None = None
    se_linux_options: SeLinux | None = None
    windows_options: Windows | None = None
    sysctls: tuple[Sysctl, ...] | None = None


class Http(Part, frozen=True, kw_only=True):
    """An HTTP handler."""

    host: str | None = None
    path: str | None = None
    port: int | str | None = None
    scheme: str | None = None


class Tcp(Part, frozen=True, kw_only=True):
    """A TCP handler."""

    host: str | None = None
    port: int | str | None = None


class Grpc(Part, frozen=True, kw_only=True):
    """A gRPC handler."""

    port: int | None = None
    service: str | None = None


class Handler(Part, frozen=True, kw_only=True):
    """A probe's or hook's way to act; ``exec`` and ``sleep`` as they are."""

    http_get: Http | None = None
    tcp_socket: Tcp | None = None
    grpc: Grpc | None = None
    exec: dict[str, Any] | None = None
    sleep: dict[str, Any] | None = None

    @property
    def acts(self) -> bool:
        """Whether any way to act is given."""
        return any(
            way is not None for way in (self.http_get, self.tcp_socket, self.grpc, self.exec, self.sleep)
        )


class Probe(Handler, frozen=True, kw_only=True):
    """A probe; seconds are null where Kubernetes' defaults hold."""

    initial_delay_seconds: int | None = None
    period_seconds: int | None = None
    timeout_seconds: int | None = None
    success_threshold: int | None = None
    failure_threshold: int | None = None


class Lifecycle(Part, frozen=True, kw_only=True):
    """Hooks of a container."""

    post_start: Handler | None = None
    pre_stop: Handler | None = None


class Port(Part, frozen=True, kw_only=True):
    """A port of a container."""

    name: str | None = None
    container_port: int | None = None
    host_port: int | None = None
    host_ip: str | None = None
    protocol: str | None = None


class Env(Part, frozen=True, kw_only=True):
    """An environment variable."""

    name: str | None = None
    value: str | None = None
    value_from: dict[str, Any] | None = None


class EnvFrom(Part, frozen=True, kw_only=True):
    """A source of environment variables."""

    secret_ref: dict[str, Any] | None = None
    config_map_ref: dict[str, Any] | None = None


class Resources(Part, frozen=True, kw_only=True):
    """Requests and limits, as quantities."""

    requests: dict[str, str | int | float] | None = None
    limits: dict[str, str | int | float] | None = None


class Mount(Part, frozen=True, kw_only=True):
    """Where a volume is mounted."""

    name: str | None = None
    mount_path: str | None = None
    read_only: bool | None = None


class Container(Part, frozen=True, kw_only=True):
    """A container of any kind."""

    name: str | None = None
    image: str | None = None
    command: tuple[str, ...] | None = None
    args: tuple[str, ...] | None = None
    security_context: Security | None = None
    ports: tuple[Port, ...] | None = None
    env: tuple[Env, ...] | None = None
    env_from: tuple[EnvFrom, ...] | None = None
    resources: Resources | None = None
    volume_mounts: tuple[Mount, ...] | None = None
    readiness_probe: Probe | None = None
    liveness_probe: Probe | None = None
    startup_probe: Probe | None = None
    lifecycle: Lifecycle | None = None
    restart_policy: str | None = None


class Os(Part, frozen=True, kw_only=True):
    """The operating system that a pod says it is for."""

    name: str | None = None


class PodSpec(Part, frozen=True, kw_only=True):
    """A pod's spec; volumes and scheduling as they are, because rules read their keys."""

    containers: tuple[Container, ...] | None = None
    init_containers: tuple[Container, ...] | None = None
    ephemeral_containers: tuple[Container, ...] | None = None
    security_context: Security | None = None
    host_network: bool | None = None
    host_pid: bool | None = None
    host_ipc: bool | None = None
    host_users: bool | None = None
    os: Os | None = None
    volumes: tuple[dict[str, Any], ...] | None = None
    service_account_name: str | None = None
    service_account: str | None = None
    automount_service_account_token: bool | None = None
    termination_grace_period_seconds: int | None = None
    affinity: dict[str, Any] | None = None
    topology_spread_constraints: tuple[dict[str, Any], ...] | None = None
    node_selector: dict[str, Any] | None = None
    tolerations: tuple[dict[str, Any], ...] | None = None
    resources: Resources | None = None
    restart_policy: str | None = None

    def all_containers(self) -> tuple[Container, ...]:
        """Return every container in the order in which Kubernetes visits them."""
        return (
            *(self.init_containers or ()),
            *(self.containers or ()),
            *(self.ephemeral_containers or ()),
        )

    def lasting(self) -> Iterator[Container]:
        """Yield the containers that run as long as the pod: regular ones and sidecars."""
        yield from (one for one in self.init_containers or () if one.restart_policy == "Always")
        yield from self.containers or ()


class Metadata(Part, frozen=True, kw_only=True):
    """What names, labels and annotates an object."""

    name: str | None = None
    namespace: str | None = None
    labels: dict[str, str | None] | None = None
    annotations: dict[str, str | None] | None = None


class Pod(Part, frozen=True, kw_only=True):
    """Metadata and spec of a pod, or of the template that makes it."""

    metadata: Metadata = Metadata()
    spec: PodSpec = PodSpec()

    @property
    def annotations(self) -> dict[str, str]:
        """Annotations; null is the empty text, as for the API server."""
        return {key: value or "" for key, value in (self.metadata.annotations or {}).items()}

    @property
    def labels(self) -> dict[str, str]:
        """Labels, in the same way."""
        return {key: value or "" for key, value in (self.metadata.labels or {}).items()}


def decode(template: object) -> Pod:
    """Return the pod of a manifest or template; ValueError names the field that has a wrong type."""
    if isinstance(template, dict):
        template = {key: value for key, value in template.items() if value is not None}
    try:
        return msgspec.convert(template, Pod)
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from None
