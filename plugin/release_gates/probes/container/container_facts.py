"""What is known of one container: what was declared (``docker inspect``) and what is in effect."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from release_gates.errors import MeasurementError
from release_gates.probes.container.capabilities import normal
from release_gates.probes.container.proc_status import ProcessState

HIDDEN = frozenset({"/proc/kcore", "/proc/keys", "/sys/firmware"})
UNTOUCHED = frozenset({"/proc/sys", "/proc/sysrq-trigger"})
"""What every engine hides, and lets nobody write to, unless it is told otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """One mount from the host; ``source`` is a normal path, or the name of a volume.

    ``paths`` are all paths of the host that are seen there: as declared, as the volume's driver was told, and
    as the kernel has it. ``unseen`` says what of that could not be had; "" is nothing.
    """

    kind: str
    source: str
    target: str
    writable: bool
    propagation: str
    paths: tuple[str, ...]
    unseen: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """One port of the host that leads into the container; ``host_ip`` "" is every address."""

    host_ip: str
    host_port: int
    port: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ulimit:
    """One resource limit; -1 is unlimited."""

    soft: int
    hard: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Effective:
    """What the kernel enforces now. Limits are None where there is none.

    ``processes`` are all processes of the container, its first one first. ``root_writable`` is the result of
    an attempt to create a file in ``/``. ``listening`` are TCP ports, but for those on loopback alone.
    ``swap_limit`` is memory and swap together, None also where the host has no swap. ``mounts`` maps the
    target of each declared mount to the paths of the host that are seen there. ``brought`` are programs and
    libraries that run and lie on a mount, so that they are none of the image's. ``memory_of_host`` is 0 where
    the host does not say.
    """

    processes: tuple[ProcessState, ...]
    root_writable: bool
    memory_limit: int | None
    swap_limit: int | None
    swap_on_host: bool
    pids_limit: int | None
    cpu_quota: float | None
    cpu_shares: int
    cpus: str
    cpus_of_host: int
    apparmor: str
    listening: frozenset[int]
    ulimits: Mapping[str, Ulimit]
    memory_of_host: int = 0
    mounts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    brought: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerFacts:
    """One container. ``effective`` is None where it could not be read; ``effective_absent`` says why.

    ``masked``: whether the engine hides the parts of /proc and /sys that command the host; None where it does
    not say. ``networks`` are those that it is in now. ``engine_socket`` is the path by which its engine was
    asked, "" for a remote one.
    """

    name: str
    image_id: str
    image_name: str
    image_digests: tuple[str, ...]
    running: bool
    user: str
    privileged: bool
    cap_drop: frozenset[str]
    cap_add: frozenset[str]
    readonly_root: bool
    security_opt: tuple[str, ...]
    apparmor: str
    host_has_apparmor: bool
    memory: int
    memory_swap: int
    pids_limit: int
    nano_cpus: int
    cpu_quota: int
    cpu_shares: int
    cpuset: str
    modes: Mapping[str, str]
    mounts: tuple[Mount, ...]
    devices: tuple[str, ...]
    ports: tuple[Published, ...]
    exposed: frozenset[int]
    restart: str
    restart_most: int
    health: str
    environment: tuple[str, ...]
    command: tuple[str, ...]
    ulimits: Mapping[str, Ulimit]
    group_add: tuple[str, ...]
    cgroup_parent: str
    masked: bool | None
    networks: frozenset[str]
    engine_socket: str
    effective: Effective | None
    effective_absent: str = ""

    @property
    def init(self) -> ProcessState | None:
        """The container's first process."""
        return self.effective.processes[0] if self.effective and self.effective.processes else None


def container_facts(
    inspected: Mapping[str, Any],
    *,
    effective: Effective | None,
    effective_absent: str = "",
    image_digests: Sequence[str] = (),
    host_has_apparmor: bool = False,
    volumes: Mapping[str, Mapping[str, str]] | None = None,
    engine_socket: str = "",
) -> ContainerFacts:
    """Return the facts of one container from ``docker inspect``; ``MeasurementError`` for another shape.

    ``volumes`` maps the name of each volume to the options of its driver.
    """
    try:
        return _facts(
            inspected,
            effective=effective,
            effective_absent=effective_absent,
            image_digests=tuple(image_digests),
            host_has_apparmor=host_has_apparmor,
            volumes=volumes or {},
            engine_socket=engine_socket,
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise MeasurementError(
            f"docker inspect of a container has another shape than expected: {type(error).__name__} {error}.",
            slug="container-inspect",
            hint="Is this a Docker engine with API 1.41 or newer?",
        ) from error


def _facts(
    inspected: Mapping[str, Any],
    *,
    effective: Effective | None,
    effective_absent: str,
    image_digests: tuple[str, ...],
    host_has_apparmor: bool,
    volumes: Mapping[str, Mapping[str, str]],
    engine_socket: str,
) -> ContainerFacts:
    host, config, state = inspected["HostConfig"], inspected["Config"], inspected["State"]
    restart = host["RestartPolicy"] or {}
    return ContainerFacts(
        name=_text(inspected["Name"]).lstrip("/"),
        image_id=_text(inspected["Image"]),
        image_name=_text(config["Image"]),
        image_digests=image_digests,
        running=_flag(state["Running"]),
        user=_text(config["User"]),
        privileged=_flag(host["Privileged"]),
        cap_drop=normal(host["CapDrop"] or ()),
        cap_add=normal(host["CapAdd"] or ()),
        readonly_root=_flag(host["ReadonlyRootfs"]),
        security_opt=tuple(host["SecurityOpt"] or ()),
        apparmor=inspected.get("AppArmorProfile") or "",
        host_has_apparmor=host_has_apparmor,
        memory=_number(host["Memory"]),
        memory_swap=_number(host["MemorySwap"]),
        pids_limit=_number(host["PidsLimit"] or 0),
        nano_cpus=_number(host["NanoCpus"]),
        cpu_quota=_number(host["CpuQuota"]),
        cpu_shares=_number(host["CpuShares"]),
        cpuset=_text(host["CpusetCpus"]),
        modes={key: host.get(f"{key}Mode") or "" for key in ("Network", "Pid", "Ipc", "UTS", "Userns")},
        mounts=tuple(
            _mount(mount, volumes, effective, effective_absent) for mount in inspected["Mounts"] or ()
        ),
        devices=_devices(host),
        ports=_ports(host, inspected["NetworkSettings"]),
        exposed=frozenset(int(port.partition("/")[0]) for port in config.get("ExposedPorts") or ()),
        restart=restart.get("Name") or "no",
        restart_most=_number(restart.get("MaximumRetryCount") or 0),
        health=(state.get("Health") or {}).get("Status") or "none",
        environment=tuple(config["Env"] or ()),
        command=(*(config["Entrypoint"] or ()), *(config["Cmd"] or ())),
        ulimits={
            limit["Name"]: Ulimit(soft=limit["Soft"], hard=limit["Hard"]) for limit in host["Ulimits"] or ()
        },
        group_add=tuple(host["GroupAdd"] or ()),
        cgroup_parent=_text(host["CgroupParent"]),
        masked=_is_masked(host),
        networks=frozenset(inspected["NetworkSettings"].get("Networks") or ()),
        engine_socket=engine_socket,
        effective=effective,
        effective_absent=effective_absent,
    )


def _is_masked(host: Mapping[str, Any]) -> bool | None:
    if "MaskedPaths" not in host:
        return None
    return {*(host["MaskedPaths"] or ())} >= HIDDEN and {*(host["ReadonlyPaths"] or ())} >= UNTOUCHED


def _mount(
    mount: Mapping[str, Any],
    volumes: Mapping[str, Mapping[str, str]],
    effective: Effective | None,
    effective_absent: str,
) -> Mount:
    source = _path(_text(mount.get("Source") or mount.get("Name") or ""))
    kind, target = _text(mount["Type"]), posixpath.normpath(_text(mount["Destination"]))
    name = _text(mount.get("Name") or "")
    own = kind == "volume" and source.endswith(f"/volumes/{name}/_data")
    seen = () if effective is None else effective.mounts.get(target, ())
    told = _path(volumes.get(name, {}).get("device") or "") if kind == "volume" else ""
    paths = (*([] if own else [source]), *([told] if told.startswith("/") else []), *seen)
    unseen = ""
    if kind in ("bind", "volume"):
        if effective is None:
            unseen = effective_absent or "what is in effect could not be read"
        elif not seen:
            unseen = f"the kernel shows no path of the host at {target}"
        elif kind == "volume" and name not in volumes:
            unseen = f"nobody asked what the volume {name} is"
    return Mount(
        kind=kind,
        source=source,
        target=target,
        writable=_flag(mount["RW"]),
        propagation=mount.get("Propagation") or "",
        paths=tuple(dict.fromkeys(path for path in paths if path and not (own and path == source))),
        unseen=unseen,
    )


def _path(text: str) -> str:
    return posixpath.normpath(text).replace("//", "/") if text and not text.startswith("//") else text


def _devices(host: Mapping[str, Any]) -> tuple[str, ...]:
    devices = [_text(device["PathOnHost"]) for device in host.get("Devices") or ()]
    requests = [f"driver {request.get('Driver') or '?'}" for request in host.get("DeviceRequests") or ()]
    rules = [f"rule {rule}" for rule in host.get("DeviceCgroupRules") or ()]
    return (*devices, *requests, *rules)


def _ports(host: Mapping[str, Any], network: Mapping[str, Any]) -> tuple[Published, ...]:
    """Return the published ports: those asked for, and those that the engine chose itself."""
    chosen = network.get("Ports") or {}
    asked = host.get("PortBindings") or {}
    found = {
        (binding.get("HostIp") or "", int(binding.get("HostPort") or 0), port)
        for table in (asked, chosen)
        for port, bindings in table.items()
        for binding in bindings or ()
    }
    known = {(ip, port) for ip, number, port in found if number}
    kept = sorted(entry for entry in found if entry[1] or (entry[0], entry[2]) not in known)
    return tuple(Published(host_ip=ip, host_port=number, port=port) for ip, number, port in kept)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{value!r} is neither true nor false")
    return value


def _number(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{value!r} is no whole number")
    return value
