"""The NUMA node of a network device."""

from __future__ import annotations

from pathlib import Path

from release_gates.probes.machine.faults import malformed


def nic_node(root: Path, name: str) -> int:
    """Return the node of a device, -1 where it tells none (a virtual one, or a host with one node).

    ``MeasurementError`` if there is no such device, or its node is no number.
    """
    folder = root / "sys/class/net" / name
    if "/" in name or not folder.is_dir():
        raise malformed(str(folder), "there is no such network device")
    file = folder / "device/numa_node"
    if not file.exists():
        return -1
    text = file.read_bytes()[:64].decode("ascii", "replace").strip()
    if not text.removeprefix("-").isdecimal() or not -1 <= int(text) < 1024:
        raise malformed(str(file), f"{text!r} is no node")
    return int(text)
