"""Host facts and fingerprint, from files of the kernel: no subprocess, no guess."""

from __future__ import annotations

import platform
import re
from pathlib import Path

from release_gates.model.evidence import HostFacts
from release_gates.model.record import digest

UNKNOWN = "unknown"
"""Stands for a text that the host does not tell; a count that it does not tell is 0."""

_CPUINFO_BYTES = 16384  # the first processors are enough, and the kernel makes the file up as it is read
_SYSTEM = "sys/devices/system"
_ARM_KEYS = ("CPU implementer", "CPU architecture", "CPU variant", "CPU part", "CPU revision")
_NODE = re.compile(r"node[0-9]+")
_RANGES = re.compile(r"[0-9]+(-[0-9]+)?(,[0-9]+(-[0-9]+)?)*")


def host_facts(root: Path = Path("/"), *, python: str | None = None) -> HostFacts:
    """Return the facts of the host whose ``/proc`` and ``/sys`` lie under ``root``.

    ``python`` is the version of the interpreter that measures (this one by default). The fingerprint is
    the digest of CPU model, cores, NUMA nodes, kernel and governor. A host that does not tell one of the
    first four is comparable with itself only: its name is then part of the fingerprint.
    """
    hostname = _text(root / "proc/sys/kernel/hostname")
    comparable: dict[str, str | int] = {
        "cpu_model": _cpu_model(root / "proc/cpuinfo"),
        "cores": _cores(root / _SYSTEM / "cpu/online"),
        "numa_nodes": _numa_nodes(root / _SYSTEM / "node"),
        "kernel": _text(root / "proc/sys/kernel/osrelease"),
        "governor": _governor(root / _SYSTEM / "cpu/cpufreq"),
    }
    return HostFacts(
        hostname=hostname,
        cpu_model=str(comparable["cpu_model"]),
        cores=int(comparable["cores"]),
        numa_nodes=int(comparable["numa_nodes"]),
        kernel=str(comparable["kernel"]),
        governor=str(comparable["governor"]),
        python=python if python is not None else platform.python_version(),
        fingerprint=_fingerprint(comparable, hostname),
    )


def _fingerprint(comparable: dict[str, str | int], hostname: str) -> str:
    told = all(value not in (UNKNOWN, 0) for key, value in comparable.items() if key != "governor")
    return digest(comparable if told else {**comparable, "hostname": hostname})


def _cpu_model(cpuinfo: Path) -> str:
    facts = _first_processor(cpuinfo)
    if model := facts.get("model name"):
        return model
    if all(key in facts for key in _ARM_KEYS):
        return ", ".join(f"{key} {facts[key]}" for key in _ARM_KEYS)
    return UNKNOWN


def _first_processor(cpuinfo: Path) -> dict[str, str]:
    try:
        with cpuinfo.open("rb", buffering=0) as file:
            text = file.read(_CPUINFO_BYTES).decode("utf-8", "replace")
    except OSError:
        return {}
    pairs = (line.partition(":") for line in text.strip().split("\n\n")[0].splitlines())
    return {key.strip(): " ".join(value.split()) for key, _, value in pairs}


def _cores(online: Path) -> int:
    text = _text(online)
    if not _RANGES.fullmatch(text):
        return 0
    bounds = ([int(end) for end in part.split("-")] for part in text.split(","))
    return sum(ends[-1] - ends[0] + 1 for ends in bounds)


def _numa_nodes(folder: Path) -> int:
    try:
        return sum(_NODE.fullmatch(entry.name) is not None for entry in folder.iterdir())
    except OSError:
        return 0


def _governor(folder: Path) -> str:
    """All governors in use, joined by ``+``: one slow core spoils a measurement."""
    found = {_text(path) for path in folder.glob("policy*/scaling_governor")}
    return "+".join(sorted(found)) if found else UNKNOWN


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip() or UNKNOWN
    except OSError:
        return UNKNOWN
