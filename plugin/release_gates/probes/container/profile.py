"""What a kind of container may do: the allow-lists that the rules compare with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """The allowances of one kind of service.

    ``host_modes``: which of Network, Pid, Ipc, UTS, Userns may be the host's; ``joined_modes``: which may be
    another container's. ``mounts`` are host paths that may be mounted although they are sensitive.
    ``ulimits``: the least hard limit of each, -1 for unlimited. ``bases``: patterns of base images. ``sizes``
    in bytes, ages in days; 0 is no bound. ``commit`` is what the image has to be made of, "" for any.
    ``no_secrets``: patterns of paths whose secrets are public.
    """

    caps: frozenset[str] = frozenset()
    host_modes: frozenset[str] = frozenset()
    joined_modes: frozenset[str] = frozenset()
    mounts: frozenset[str] = frozenset()
    devices: frozenset[str] = frozenset()
    ulimits: Mapping[str, int] = field(default_factory=dict)
    pinned_cpus: bool = False
    default_bridge: bool = False
    bases: tuple[str, ...] = ("scratch", "*distroless*", "alpine", "*/alpine")
    size_budget: int = 350 * 1024**2
    oldest_days: int = 90
    platforms: tuple[str, ...] = ("linux/amd64",)
    released: str = ""
    commit: str = ""
    no_secrets: tuple[str, ...] = ()
    digest_required: bool = False
    labels: tuple[str, ...] = ("org.opencontainers.image.revision", "org.opencontainers.image.source")
    kubernetes_only: bool = False


PROFILES: Mapping[str, Profile] = {
    "service": Profile(caps=frozenset({"NET_BIND_SERVICE"})),
    "hft-engine": Profile(
        caps=frozenset({"IPC_LOCK", "SYS_NICE"}),
        ulimits={"nofile": 8192, "memlock": -1},
        pinned_cpus=True,
    ),
}
"""``service`` is any program behind a port; ``hft-engine`` locks memory and owns its cores."""
