"""What a kubelet has to be set to, so that threads and memory of a pod stay where they were put."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

CPU_MANAGER = "cpuManagerPolicy"
TOPOLOGY_MANAGER = "topologyManagerPolicy"
MEMORY_MANAGER = "memoryManagerPolicy"
OPTIONS = ("full-pcpus-only", "strict-cpu-reservation")
RESERVED = "reservedSystemCPUs"
WANTED = {
    CPU_MANAGER: "static",
    TOPOLOGY_MANAGER: "single-numa-node",
    MEMORY_MANAGER: "Static",
    **dict.fromkeys(OPTIONS, "true"),
}
"""Setting -> the one value that will do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KubeletSettings:
    """What a kubelet says; a policy that it does not say is None, ``reserved`` are the system's CPUs."""

    cpu_manager: object
    cpu_options: Mapping[str, str]
    topology_manager: object
    memory_manager: object
    reserved: frozenset[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unmet:
    """One setting that is not as it has to be.

    ``said`` is its value (None: absent). For ``reservedSystemCPUs``, ``shared`` are the CPUs that the system
    and the threads both have, empty where nothing is reserved.
    """

    setting: str
    said: object = None
    wanted: str = ""
    shared: frozenset[int] = frozenset()


def unmet_settings(settings: KubeletSettings, own: frozenset[int]) -> Iterator[Unmet]:
    """Yield each setting by which a pod's threads or memory may end up elsewhere.

    ``own`` are the CPUs that the threads have for themselves. Sources: Kubernetes' pages on the CPU, topology
    and memory managers; KEP-4540 for strict-cpu-reservation.
    """
    yield from _policy(CPU_MANAGER, settings.cpu_manager)
    for option in OPTIONS:
        yield from _policy(option, settings.cpu_options.get(option))
    yield from _policy(TOPOLOGY_MANAGER, settings.topology_manager)
    yield from _policy(MEMORY_MANAGER, settings.memory_manager)
    shared = settings.reserved & own
    if shared or not settings.reserved:
        yield Unmet(setting=RESERVED, shared=shared)


def _policy(setting: str, said: object) -> Iterator[Unmet]:
    if said != WANTED[setting]:
        yield Unmet(setting=setting, said=said, wanted=WANTED[setting])
