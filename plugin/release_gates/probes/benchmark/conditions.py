"""Under which conditions was measured: what of the host moves a benchmark, as the kernel's files say it."""

from __future__ import annotations

from pathlib import Path

from release_gates.host.facts import UNKNOWN, host_facts

FILES = {
    "load": "proc/loadavg",
    "transparent_hugepages": "sys/kernel/mm/transparent_hugepage/enabled",
    "address_randomization": "proc/sys/kernel/randomize_va_space",
    "automatic_numa_balancing": "proc/sys/kernel/numa_balancing",
    "clock_source": "sys/devices/system/clocksource/clocksource0/current_clocksource",
    "smt": "sys/devices/system/cpu/smt/active",
    "turbo_off": "sys/devices/system/cpu/intel_pstate/no_turbo",
}
"""Fact -> file below the root. What a host does not tell is ``unknown``, and said so."""


def conditions(root: Path = Path("/")) -> dict[str, str]:
    """Return the facts by name; none of them is missing."""
    facts = host_facts(root)
    return {
        "cpu_model": facts.cpu_model,
        "cores": str(facts.cores),
        "numa_nodes": str(facts.numa_nodes),
        "kernel": facts.kernel,
        "governor": facts.governor,
        "fingerprint": facts.fingerprint,
        **{name: _text(root / file) for name, file in FILES.items()},
    }


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace").strip() or UNKNOWN
    except OSError:
        return UNKNOWN
