"""A container and an image that break no rule, as facts: each test makes them bad in one way."""

from __future__ import annotations

import posixpath
from dataclasses import replace
from typing import Any

import pytest

from release_gates.probes.container.container_facts import (
    ContainerFacts,
    Effective,
    Ulimit,
    container_facts,
)
from release_gates.probes.container.proc_status import ProcessState
from release_gates.probes.container.profile import PROFILES, Profile

RELEASED = "9e" * 32


def process(**changes: Any) -> ProcessState:
    good = ProcessState(
        uids=(65532,) * 4,
        gids=(65532,) * 4,
        groups=(65532,),
        cap_bounding=0,
        cap_effective=0,
        no_new_privileges=True,
        seccomp=2,
    )
    return replace(good, **changes)


def in_effect(**changes: Any) -> Effective:
    good = Effective(
        processes=(process(),),
        root_writable=False,
        memory_limit=268435456,
        swap_limit=268435456,
        swap_on_host=True,
        pids_limit=64,
        cpu_quota=1.0,
        cpu_shares=1024,
        cpus="0",
        cpus_of_host=2,
        apparmor="docker-default",
        listening=frozenset({8080}),
        ulimits={"nofile": Ulimit(soft=16384, hard=16384), "memlock": Ulimit(soft=-1, hard=-1)},
    )
    return replace(good, **changes)


def inspected(
    host: dict[str, Any] | None = None,
    config: dict[str, Any] | None = None,
    state: dict[str, Any] | None = None,
    **top: Any,
) -> dict[str, Any]:
    """Return what the real engine (20.10) says of the hardened container, with some keys changed."""
    return {
        "Id": "bb" * 32,
        "Name": "/trading-engine",
        "Image": f"sha256:{RELEASED}",
        "AppArmorProfile": "docker-default",
        "Mounts": [],
        "NetworkSettings": {
            "Ports": {"8080/tcp": [{"HostIp": "127.0.0.1", "HostPort": "49153"}]},
            "Networks": {"trading": {}},
        },
        "State": {
            "Status": "running",
            "Running": True,
            "Pid": 4711,
            "Health": {"Status": "healthy"},
            **(state or {}),
        },
        "HostConfig": {
            "Privileged": False,
            "CapAdd": None,
            "CapDrop": ["ALL"],
            "ReadonlyRootfs": True,
            "SecurityOpt": ["no-new-privileges:true"],
            "Memory": 268435456,
            "MemorySwap": 268435456,
            "PidsLimit": 64,
            "NanoCpus": 1000000000,
            "CpuQuota": 0,
            "CpuShares": 0,
            "CpusetCpus": "0",
            "NetworkMode": "trading",
            "PidMode": "",
            "IpcMode": "private",
            "UTSMode": "",
            "UsernsMode": "",
            "Devices": [],
            "DeviceRequests": None,
            "DeviceCgroupRules": None,
            "PortBindings": {"8080/tcp": [{"HostIp": "127.0.0.1", "HostPort": ""}]},
            "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 5},
            "Ulimits": [{"Name": "memlock", "Soft": -1, "Hard": -1}],
            "GroupAdd": None,
            "CgroupParent": "",
            "MaskedPaths": ["/proc/kcore", "/proc/keys", "/sys/firmware"],
            "ReadonlyPaths": ["/proc/sys", "/proc/sysrq-trigger"],
            **(host or {}),
        },
        "Config": {
            "User": "65532:65532",
            "Image": f"trading-engine@sha256:{RELEASED}",
            "Env": ["PATH=/usr/bin"],
            "Entrypoint": ["/trading-engine"],
            "Cmd": ["--port", "8080"],
            "ExposedPorts": {"8080/tcp": {}},
            **(config or {}),
        },
        **top,
    }


def container(
    data: dict[str, Any] | None = None, effective: Effective | None = None, **more: Any
) -> ContainerFacts:
    """Return facts; where nothing else was said, the kernel shows of each mount what was declared."""
    data = inspected() if data is None else data
    now = in_effect() if effective is None else effective
    seen = {each["Destination"]: (posixpath.normpath(each["Source"]),) for each in data["Mounts"]}
    return container_facts(
        data, effective=replace(now, mounts={**seen, **now.mounts}), host_has_apparmor=True, **more
    )


@pytest.fixture
def profile() -> Profile:
    return replace(PROFILES["hft-engine"], released=RELEASED)
