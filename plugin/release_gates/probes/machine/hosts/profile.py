"""What a kind of host is expected to be: the values that the rules compare with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

CPU_PARTITION = ("nosoftlockup", "nohz=on", "skew_tick=1", "tsc=reliable", "rcupdate.rcu_normal_after_boot=1")
"""What tuned's profile cpu-partitioning adds to the kernel's command line, beside the sets of CPUs."""

_SHARED = "the host shares its CPUs among services: nothing is isolated"
_NO_ENGINE = "no engine runs on such a host"
_CI = "a machine that builds and tests is not tuned"


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """Expected values; an empty one that a rule needs leaves the rule undecided, which is no pass.

    ``isolated`` are the engine's CPUs, ``node`` is that of its memory, ``housekeeping`` are patterns of
    threads that may run elsewhere. ``clock`` is who disciplines the clock, within ``clock_budget_us`` of UTC.
    ``hugepages`` maps ``node0/2048kB`` to a number of pages. ``interrupts_per_s`` may reach an isolated CPU;
    interrupts whose name matches ``irqs_allowed`` may be routed there (a disk's queue that the kernel binds).
    ``mitigations`` says who approved that they are off ("": nobody). ``off`` maps a rule to why it is not
    asked, ``absent`` to why a missing file means that it does not apply; elsewhere a missing file breaks it.
    """

    isolated: frozenset[int] = frozenset()
    node: int | None = None
    housekeeping: tuple[str, ...] = ()
    kernel_arguments: tuple[str, ...] = ()
    transparent_hugepages: tuple[str, ...] = ("never",)
    busy_read: int | None = None
    busy_poll: int | None = None
    tcp_fastopen: int | None = None
    swappiness: int = 10
    governor: str = "performance"
    clocksources: tuple[str, ...] = ("tsc",)
    clock: str = "chrony"
    clock_budget_us: float = 100.0
    clock_age_s: float = 600.0
    hugepages: Mapping[str, int] = field(default_factory=dict)
    interrupts_per_s: float = 1.0
    irqs_allowed: tuple[str, ...] = ()
    locked: bool = False
    nofile: int = 0
    rtprio: int = 0
    nics: tuple[str, ...] = ()
    rmem_max: int = 0
    wmem_max: int = 0
    somaxconn: int = 2048
    smt: bool = False
    mitigations: str = ""
    kernels: tuple[str, ...] = ()
    microcodes: tuple[str, ...] = ()
    off: Mapping[str, str] = field(default_factory=dict)
    absent: Mapping[str, str] = field(default_factory=dict)


PROFILES: Mapping[str, Profile] = {
    "hft-engine": Profile(
        kernel_arguments=(*CPU_PARTITION, "intel_pstate=disable"),
        busy_read=50,
        busy_poll=50,
        tcp_fastopen=3,
        locked=True,
        nofile=8192,
        rtprio=1,
        rmem_max=16 << 20,
        wmem_max=16 << 20,
    ),
    "gateway": Profile(
        transparent_hugepages=("never", "madvise"),
        clocksources=("tsc", "kvm-clock"),
        clock_budget_us=1000.0,
        nofile=65536,
        rmem_max=4 << 20,
        wmem_max=4 << 20,
        somaxconn=4096,
        smt=True,
        off={
            **dict.fromkeys(("HL01", "HL02", "HL03", "HL08", "HL09", "HL11", "HL13"), _SHARED),
            **dict.fromkeys(("HL14", "HL15", "HL16", "HL17", "HL18", "HL22", "HL23"), _SHARED),
            **dict.fromkeys(
                ("HL06", "HL07", "HL25", "HL26"), "the gateway's sockets are driven by interrupts"
            ),
        },
        absent={
            "HL05": "a kernel without NUMA balancing balances nothing",
            "HL12": "a virtual machine has no say in the frequency",
            "HL19": "a kernel without KSM scans nothing",
            "HL29": "a virtual machine does not tell its microcode",
            "HL30": "without tuned there is no profile to confirm",
        },
    ),
    "ci": Profile(
        clocksources=(
            *("tsc", "kvm-clock", "xen", "hyperv_clocksource_tsc_page", "arch_sys_counter"),
            *("hyperv_clocksource", "vmware_hypervisor"),
        ),
        rmem_max=65536,
        wmem_max=65536,
        somaxconn=128,
        off={
            **dict.fromkeys(
                ("HL01", "HL02", "HL03", "HL04", "HL05", "HL06", "HL07", "HL08", "HL09", "HL10"), _CI
            ),
            **dict.fromkeys(("HL11", "HL12", "HL13", "HL14", "HL15", "HL16", "HL17", "HL18", "HL19"), _CI),
            **dict.fromkeys(("HL21", "HL22", "HL25", "HL26", "HL28", "HL29", "HL30"), _CI),
            **dict.fromkeys(("HL23", "HL24"), _NO_ENGINE),
        },
        absent={
            "HL20": "a sandbox without /sys tells no clock source",
            "HL27": "a network namespace of its own tells no limits of buffers",
        },
    ),
}
"""``hft-engine`` owns its cores, ``gateway`` serves clients, ``ci`` measures the rest."""
