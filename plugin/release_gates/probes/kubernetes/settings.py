"""What policy may say to the Kubernetes probe, as ``[gate.kubernetes.kubernetes]``."""

from __future__ import annotations

import fnmatch
from datetime import date
from typing import Literal

import msgspec

from release_gates.model.severity import Severity
from release_gates.probes.kubernetes.catalogue import RULES
from release_gates.probes.kubernetes.pod_security import Level, minor_version
from release_gates.probes.kubernetes.quantities import cpus, seconds

Role = Literal["stateless", "single-writer", "batch"]


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of policy; a key that is not known is a mistake."""


class WorkloadProfile(Part, frozen=True, kw_only=True):
    """What is asked of one workload beyond the rules for all.

    ``role``: ``stateless`` serves with several replicas, ``single-writer`` must never run twice, ``batch``
    ends by itself. ``cpu_limit``: a limit may be required, forbidden (throttling hurts latency), or free.
    ``low_latency`` asks for the LL rules; ``isolated_cpus`` and ``dedicated_taint`` are those of its nodes.
    ``drain`` is how long it takes to stop, ``warm_up`` to become ready; ``secrets`` where they come from.
    ``runs`` is the image, by its name in ``images``, that one of its containers has to run.
    """

    role: Role = "stateless"
    cpu_limit: Literal["required", "forbidden", "free"] = "free"
    low_latency: bool = False
    isolated_cpus: str = ""
    dedicated_taint: str = ""
    drain: str = "5 s"
    warm_up: str = "10 s"
    secrets: Literal["any", "csi", "vault"] = "any"
    runs: str = ""

    def __post_init__(self) -> None:
        seconds(self.drain)
        seconds(self.warm_up)
        cpus(self.isolated_cpus)


STATELESS, BATCH = WorkloadProfile(), WorkloadProfile(role="batch")
"""Profiles of workloads that policy does not name."""


class Exemption(Part, frozen=True, kw_only=True):
    """One rule that does not hold for some objects: who says so, why, and until when (that day included)."""

    rule: str
    object: str
    because: str
    owner: str
    until: date

    def __post_init__(self) -> None:
        if self.rule not in RULES:
            raise ValueError(f"exempt: there is no rule {self.rule!r}")
        if not (self.because.strip() and self.owner.strip() and self.object.strip(" */")):
            raise ValueError(f"exempt {self.rule}: object, because and owner say something")

    def covers(self, rule: str, title: str) -> bool:
        """Tell whether it is about that rule and object."""
        return rule == self.rule and fnmatch.fnmatchcase(title, self.object)


class LiveCluster(Part, frozen=True, kw_only=True):
    """Which cluster to read: a kubeconfig (default: where kubectl looks) or the pod's own service account.

    A warning that was seen ``events_within`` is a finding, but for the reasons in ``events_allowed``.
    """

    namespaces: list[str]
    kubeconfig: str = ""
    context: str = ""
    in_cluster: bool = False
    timeout: str = "10 s"
    not_ready_for: str = "5 min"
    restarts: int = 0
    events_within: str = "15 min"
    events_allowed: list[str] = []

    def __post_init__(self) -> None:
        seconds(self.events_within)
        seconds(self.timeout)
        seconds(self.not_ready_for)
        if not self.namespaces or not all(self.namespaces):
            raise ValueError("cluster: namespaces names at least one")
        if self.in_cluster and (self.kubeconfig or self.context):
            raise ValueError("cluster: in_cluster has neither kubeconfig nor context")


class Endpoint(Part, frozen=True, kw_only=True):
    """Where a service's port can be reached from here, as ``host:port``, and who it has to be.

    ``server_name`` is the name in its certificate (default: the host), ``ca`` a file below the root with the
    certificates that may sign it (default: the system's).
    """

    address: str
    server_name: str = ""
    ca: str = ""

    def __post_init__(self) -> None:
        host, _, port = self.address.rpartition(":")
        if not host.strip("[]") or not port.isascii() or not port.isdecimal() or not 0 < int(port) < 65536:
            raise ValueError(f"tls: address {self.address!r} is not of the form host:port")
        if self.ca.startswith("/") or ".." in self.ca.split("/"):
            raise ValueError(f"tls: ca {self.ca!r} must lie below the root of the suite")

    @property
    def place(self) -> tuple[str, int]:
        """Host and port."""
        host, _, port = self.address.rpartition(":")
        return host.strip("[]"), int(port)


class KubernetesSettings(Part, frozen=True, kw_only=True):
    """What is judged, and by which rules.

    Sources are joined and judged together: ``manifests`` (files and folders below the root), ``artifacts``
    (of the candidate), ``kustomize`` (folders), and ``cluster``. ``version`` is that of the cluster;
    ``level`` and ``pod_security_version`` are those of the Pod Security Standards (default: the cluster's).
    ``namespace`` is for objects that name none. ``images`` maps an image without tag and digest to the
    candidate's artifact whose digest it has to be; ``registries`` are the prefixes that an image may have.
    ``kinds`` are custom kinds that are accepted unjudged, ``exposed`` services that may be reached from
    outside, each as ``Kind/namespace/name``; ``tls`` says where such a service's port is asked for TLS.
    ``undecided`` are rules that another gate answers. Findings from ``block`` on fail a test.
    Raises ValueError for versions, rules and severities that do not exist.
    """

    manifests: list[str] = []
    artifacts: list[str] = []
    kustomize: list[str] = []
    cluster: LiveCluster | None = None
    version: str = "latest"
    level: Level = Level.RESTRICTED
    pod_security_version: str = ""
    namespace: str = "default"
    registries: list[str] = []
    images: dict[str, str] = {}
    kinds: list[str] = []
    exposed: list[str] = []
    tls: dict[str, Endpoint] = {}
    undecided: list[str] = []
    block: Severity = Severity.MEDIUM
    severity: dict[str, Severity] = {}
    workload: dict[str, WorkloadProfile] = {}
    exempt: list[Exemption] = []

    def __post_init__(self) -> None:
        minor_version(self.version)
        minor_version(self.pod_security_version or self.version)
        for rule in (*self.undecided, *self.severity):
            if rule not in RULES:
                raise ValueError(f"there is no rule {rule!r}")
        for pattern, profile in self.workload.items():
            if profile.runs and profile.runs not in self.images:
                raise ValueError(f'workload."{pattern}": runs {profile.runs!r} is none of images')

    @property
    def minor(self) -> int:
        """Minor version of the cluster."""
        return minor_version(self.version)

    @property
    def pod_security_minor(self) -> int:
        """Minor version of the Pod Security Standards."""
        return minor_version(self.pod_security_version or self.version)

    def severity_of(self, rule: str) -> Severity:
        """Return what policy makes of a rule, else the catalogue's severity."""
        return self.severity.get(rule, RULES[rule][0])

    def profile(self, title: str, kind: str) -> WorkloadProfile:
        """Return the profile of a workload: the first that names it; jobs are ``batch`` by themselves."""
        for pattern, profile in self.workload.items():
            if fnmatch.fnmatchcase(title, pattern):
                return profile
        return BATCH if kind in {"Job", "CronJob", "PodTemplate"} else STATELESS
