"""The one shell script that reads a host: POSIX sh, the same for GNU and busybox, one round trip.

Its output is made of lines that begin with a word that was drawn for this reading, so that no file can
imitate them, and of lines ``path:text`` as ``grep -H`` writes them. It changes nothing.
"""

from __future__ import annotations

import re
import shlex

FILES = (
    "/proc/cmdline",
    "/proc/swaps",
    "/proc/1/status",
    *(
        f"/proc/sys/kernel/{name}"
        for name in (
            *("hostname", "osrelease", "numa_balancing", "nmi_watchdog", "timer_migration"),
            *("hung_task_timeout_secs", "sched_rt_runtime_us", "random/boot_id"),
        )
    ),
    *(
        f"/proc/sys/net/core/{name}"
        for name in ("busy_read", "busy_poll", "rmem_max", "wmem_max", "somaxconn")
    ),
    *("/proc/sys/net/ipv4/tcp_fastopen", "/proc/sys/vm/swappiness", "/proc/sys/vm/stat_interval"),
    "/proc/irq/[0-9]*/smp_affinity_list",
    *(
        f"/sys/devices/system/cpu/{name}"
        for name in (
            *("online", "isolated", "nohz_full", "smt/active", "vulnerabilities/*"),
            *("intel_pstate/min_perf_pct", "cpu[0-9]*/cpufreq/scaling_governor"),
            *("cpu[0-9]*/cpuidle/state*/disable", "cpu[0-9]*/cpuidle/state*/latency"),
            *("cpu[0-9]*/microcode/version", "cpu[0-9]*/cpuidle/state*/name"),
        )
    ),
    "/sys/devices/system/machinecheck/machinecheck*/ignore_ce",
    "/sys/devices/system/clocksource/clocksource0/current_clocksource",
    "/sys/devices/system/node/online",
    "/sys/devices/system/node/node[0-9]*/cpulist",
    "/sys/devices/system/node/node[0-9]*/hugepages/hugepages-*/nr_hugepages",
    "/sys/devices/system/node/node[0-9]*/hugepages/hugepages-*/free_hugepages",
    *("/sys/devices/virtual/workqueue/cpumask", "/sys/devices/virtual/workqueue/writeback/cpumask"),
    *("/sys/kernel/mm/ksm/run", "/sys/kernel/mm/transparent_hugepage/enabled"),
)
TWICE = ("/proc/uptime", "/proc/interrupts")
COUNTERS = ("rx_dropped", "rx_missed_errors", "rx_fifo_errors", "rx_over_errors", "tx_dropped", "tx_errors")
ETHTOOL = {"coalesce": "-c", "ring": "-g", "features": "-k"}
_NIC = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.-]{0,14}", re.ASCII)
_UNIT = re.compile(r"[A-Za-z0-9:_.\\@][A-Za-z0-9:_.\\@-]{0,200}\.service", re.ASCII)
_PID_FILE = re.compile(r"/[A-Za-z0-9_./-]{1,200}", re.ASCII)

_BEGIN = """LC_ALL=C; export LC_ALL; PATH=$PATH:/usr/sbin:/sbin:/usr/local/sbin
n={nonce}
reach() {{
 d=${{1%/*}}
 while [ -n "$d" ] && [ ! -e "$d" ]; do d=${{d%/*}}; done
 d=${{d:-/}}; [ -x "$d" ] && [ -r "$d" ]
}}
look() {{
 a=
 for f in "$@"; do
  if [ -e "$f" ]; then if [ -r "$f" ]; then a="$a $f"; echo "$n + $f"; else echo "$n ! $f"; fi
  elif reach "$f"; then echo "$n - $f"; else echo "$n ! $f"; fi
 done
 [ -z "$a" ] || {{ grep -H '' $a 2>/dev/null; echo "$n read $?"; }}
}}
ask() {{
 name=$1; shift
 if command -v "$1" >/dev/null 2>&1; then o=$($t "$@" 2>&1 </dev/null); s=$?; else o="no $1"; s=127; fi
 printf '%s = %s %s\\n%s\\n' "$n" "$name" "$s" "$o"
}}
tell() {{ printf '%s = %s %s\\n%s\\n' "$n" "$1" "$2" "$3"; }}
t=; command -v timeout >/dev/null 2>&1 && t="timeout 5"
echo "$n begin"
echo "$n before"
look {twice}
"""
_IRQBALANCE = """o=
for f in $(grep -lx irqbalance /proc/[0-9]*/comm 2>/dev/null); do
 p=${f%/comm}; o="$o
pid ${p#/proc/}"
 if e=$(tr '\\0' '\\n' <"$p/environ" 2>/dev/null); then o="$o
$(printf '%s\\n' "$e" | grep '^IRQBALANCE_BANNED_CPU')"
 else o="$o
denied"; fi
done
tell irqbalance 0 "$o"
"""
_COMMANDS = """ask pid_namespace readlink /proc/self/ns/pid
ask date date +%s
ask cpu_dma_latency od -An -td4 -N4 /dev/cpu_dma_latency
ask chronyc chronyc -n -c tracking
ask adjtimex adjtimex --print
"""
_PMC = """ask pmc pmc -u -b 0 'GET TIME_STATUS_NP' 'GET PORT_DATA_SET'
"""
_TUNED = """ask tuned_active tuned-adm active
ask tuned_verify tuned-adm verify
"""
_ENGINE = """tell engine $s "$o"
for p in $o; do
 case $p in *[!0-9]*) continue;; esac
 look /proc/$p/limits /proc/$p/numa_maps /proc/$p/status /proc/$p/task/[0-9]*/status
done
"""
_END = """echo "$n after"
{sleep}look {twice}
echo "$n end"
"""


def build_script(
    nonce: str, *, engine: str = "", nics: tuple[str, ...] = (), watch_ms: int = 50, slow: bool = True
) -> str:
    """Return the script. ``engine`` is a pid, a unit (``x.service``) or a pid file ("": none is looked at).

    The counters are read twice, at least ``watch_ms`` apart; ``slow`` asks ptp4l's and tuned's programs too,
    which take longer than everything else. ValueError for an engine or a device that cannot be one.
    """
    counters = [
        f"/sys/class/net/{nic}/statistics/{name}" for nic in map(check_nic, nics) for name in COUNTERS
    ]
    twice = " ".join((*TWICE, *counters))
    nodes = [f"/sys/class/net/{nic}/device/numa_node" for nic in nics]
    parts = [
        _BEGIN.format(nonce=nonce, twice=twice),
        f'echo "$n now"\nlook {" ".join((*FILES, *nodes))}\n',
        _COMMANDS,
        _IRQBALANCE,
        *(f"ask {name}:{nic} ethtool {option} {nic}\n" for nic in nics for name, option in ETHTOOL.items()),
        *([_PMC, _TUNED] if slow else []),
        *([_pids(engine), _ENGINE] if engine else []),
        _END.format(twice=twice, sleep=f"sleep {watch_ms / 1000:g}\n" if watch_ms else ""),
    ]
    return "".join(parts)


def check_nic(name: str) -> str:
    """Return the name of a network device; ValueError for what cannot be one."""
    if not _NIC.fullmatch(name):
        raise ValueError(f"{name!r} is no name of a network device")
    return name


def check_engine(engine: str) -> str:
    """Return how a process is named: pid, unit or pid file; ValueError for what is none of them."""
    numbered = engine.isascii() and engine.isdecimal() and int(engine[:9]) > 0 and len(engine) < 9
    if not (numbered or _UNIT.fullmatch(engine) or _PID_FILE.fullmatch(engine)):
        raise ValueError(f"{engine!r} is no pid, no unit such as engine.service and no path of a pid file")
    return engine


def _pids(engine: str) -> str:
    """Return the lines that set ``o`` to the process ids and ``s`` to whether they could be had."""
    if check_engine(engine).isdecimal():
        return f"o={engine}; s=0\n"
    if engine.startswith("/"):
        return f"o=$(cat {shlex.quote(engine)} 2>&1); s=$?\n"
    unit = shlex.quote(engine)
    return (
        f"o=; g=$(systemctl show -p ControlGroup --value -- {unit} 2>&1); s=$?\n"
        'case $g in /*/*) for c in "/sys/fs/cgroup$g" "/sys/fs/cgroup/systemd$g"; do\n'
        ' [ -d "$c" ] && o=$(find "$c" -name cgroup.procs -exec cat {} + 2>&1) && break; done;;\n'
        f' *) o="the unit does not run: $g"; s=1;; esac\n'
    )
