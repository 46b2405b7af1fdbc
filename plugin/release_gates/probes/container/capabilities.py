"""Linux capabilities: names as people write them, masks as the kernel shows them."""

from __future__ import annotations

from collections.abc import Iterable

NAMES = (
    *("CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP"),
    *("LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK"),
    *("IPC_OWNER", "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN"),
    *("SYS_BOOT", "SYS_NICE", "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE"),
    *("AUDIT_CONTROL", "SETFCAP", "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND"),
    *("AUDIT_READ", "PERFMON", "BPF", "CHECKPOINT_RESTORE"),
)
"""By bit, as in ``linux/capability.h`` of Linux 6.1."""

ALL = "ALL"

WORST = frozenset({ALL, "SYS_ADMIN", "SYS_MODULE", "SYS_PTRACE", "SYS_RAWIO", "BPF", "DAC_READ_SEARCH"})
"""Each of these leads out of a container."""


def normal(names: Iterable[str]) -> frozenset[str]:
    """Return names in one form: ``cap_ipc_lock`` and ``IPC_LOCK`` are the same to the kernel."""
    return frozenset(name.strip().upper().removeprefix("CAP_") for name in names)


def of_mask(mask: int) -> frozenset[str]:
    """Return the names of a mask's bits; one that has no name here yet is called by its number."""
    bits = (bit for bit in range(mask.bit_length()) if mask >> bit & 1)
    return frozenset(NAMES[bit] if bit < len(NAMES) else f"CAP_{bit}" for bit in bits)


def listed(names: Iterable[str]) -> str:
    """Return names for people: sorted, at most six of them."""
    ordered = sorted(names)
    more = f" and {len(ordered) - 6} more" if len(ordered) > 6 else ""
    return (", ".join(ordered[:6]) + more) or "none"
