"""The catalogue of hosts: every rule with its severity, where its value comes from, and what to do."""

from __future__ import annotations

from release_gates.model.rule import Row, catalogue
from release_gates.model.severity import Severity

C, H, M, L = Severity

_TUNED = "tuned"
_ROWS: tuple[Row, ...] = (
    (
        *("HL01", C, "tuned cpu-partitioning", "the isolated CPUs are not free of ticks and RCU"),
        "boot with nohz_full= and rcu_nocbs= of exactly the isolated CPUs",
    ),
    (
        *("HL02", C, "tuned realtime", "the scheduler does not leave the isolated CPUs alone"),
        "boot with isolcpus=managed_irq,domain, of exactly the isolated CPUs",
    ),
    ("HL03", M, _TUNED, "the kernel was booted without what policy asks for", "add it to the command line"),
    (
        *("HL04", H, "tuned network-latency", "transparent huge pages can stall a thread"),
        "boot with transparent_hugepage=never",
    ),
    ("HL05", H, _TUNED, "automatic NUMA balancing moves memory", "sysctl kernel.numa_balancing=0"),
    (
        *("HL06", H, "tuned network-latency", "sockets do not poll as policy says"),
        "sysctl net.core.busy_read, net.core.busy_poll",
    ),
    (
        "HL07",
        L,
        "tuned network-latency",
        "TCP fast open is not as policy says",
        "sysctl net.ipv4.tcp_fastopen",
    ),
    (
        *("HL08", M, _TUNED, "watchdog or timers disturb the isolated CPUs"),
        "sysctl kernel.nmi_watchdog=0 kernel.timer_migration=0",
    ),
    (
        *("HL09", M, _TUNED, "the kernel's housekeeping is too frequent"),
        "sysctl vm.stat_interval=10 kernel.hung_task_timeout_secs=600",
    ),
    ("HL10", M, "tuned latency-performance", "memory is swapped too eagerly", "sysctl vm.swappiness=10"),
    (
        *("HL11", M, "tuned realtime", "real-time threads are throttled"),
        "sysctl kernel.sched_rt_runtime_us=-1",
    ),
    (
        *("HL12", H, _TUNED, "CPUs do not keep their highest frequency"),
        "cpupower frequency-set -g performance, min_perf_pct 100",
    ),
    (
        *("HL13", C, "tuned force_latency", "isolated CPUs fall into deep idle states"),
        "disable every state deeper than C1, or hold /dev/cpu_dma_latency",
    ),
    (
        *("HL14", H, _TUNED, "kernel work queues run on isolated CPUs"),
        "write the other CPUs into workqueue/cpumask and writeback/cpumask",
    ),
    (
        *("HL15", M, _TUNED, "corrected memory errors interrupt the CPUs"),
        "write 1 into machinecheck*/ignore_ce",
    ),
    (
        *("HL16", H, _TUNED, "irqbalance may move interrupts to isolated CPUs"),
        "stop irqbalance, or ban the isolated CPUs (IRQBALANCE_BANNED_CPULIST)",
    ),
    (
        *("HL17", C, _TUNED, "interrupts reach isolated CPUs"),
        "write the other CPUs into /proc/irq/*/smp_affinity_list, and find out what still interrupts",
    ),
    (
        *("HL18", H, _TUNED, "system services may run on isolated CPUs"),
        "CPUAffinity= in systemd's system.conf, with the other CPUs",
    ),
    ("HL19", L, _TUNED, "KSM scans memory", "write 0 into /sys/kernel/mm/ksm/run"),
    (
        "HL20",
        C,
        "",
        "reading the clock is slow or unsteady",
        "boot with tsc=reliable and find out why TSC was given up",
    ),
    (
        *("HL21", C, "MiFID II RTS 25", "the clock is not close enough to UTC"),
        "look at chronyc sources or at the state of ptp4l and phc2sys",
    ),
    ("HL22", H, "", "there are too few huge pages on a node", "reserve them at boot, on the engine's node"),
    (
        *("HL23", C, "", "the engine's threads or memory are not where they belong"),
        "pin each thread to isolated CPUs of one node, and bind memory to it",
    ),
    (
        *("HL24", H, "", "the engine's limits are too low, or no memory is locked"),
        "LimitMEMLOCK=infinity, LimitNOFILE=, LimitRTPRIO= in the unit, and mlockall",
    ),
    (
        *("HL25", H, "", "the network device delays or loses packets"),
        "ethtool -C adaptive-rx off rx-usecs 0; -G rx maximum; -K gro off lro off",
    ),
    ("HL26", H, "", "the network device is on another node than the engine", "move the card or the engine"),
    (
        *("HL27", M, "tuned throughput-performance", "socket buffers or backlog are too small"),
        "sysctl net.core.rmem_max net.core.wmem_max net.core.somaxconn",
    ),
    (
        *("HL28", M, "", "SMT or the mitigations are not as they were approved"),
        "boot with nosmt; mitigations off needs an approval in policy",
    ),
    (
        *("HL29", M, "", "swap is on, or kernel or microcode are not the approved ones"),
        "swapoff -a; install what was approved, or approve what is installed",
    ),
    (
        # Advisory: tuned may say yes while nothing is isolated (tuned#98), and no where a site knows better.
        *("HL30", L, "tuned-adm verify", "tuned does not confirm its profile"),
        "tuned-adm verify, and read /var/log/tuned/tuned.log",
    ),
)

CATALOGUE = catalogue(_ROWS)
"""All rules by id, in the order in which people read them."""


def ids() -> tuple[str, ...]:
    """Return the ids of all rules, in order."""
    return tuple(CATALOGUE)
