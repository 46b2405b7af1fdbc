"""Whether a folder lies on storage on which a ledger can be trusted."""

from __future__ import annotations

from pathlib import Path

NETWORK = frozenset({"9p", "afs", "ceph", "cifs", "glusterfs", "lustre", "nfs", "nfs4", "smb3", "smbfs"})
MOUNTS = Path("/proc/self/mountinfo")


def network_file_system(folder: Path) -> str:
    """Return the kind of network file system that ``folder`` lies on, or "" for a local one."""
    try:
        mounts = MOUNTS.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return ""
    kind = file_system(folder.resolve(), mounts)
    return kind if kind in NETWORK or kind.startswith("fuse.") else ""


def file_system(folder: Path, mounts: str) -> str:
    """Return the file system type of the longest mount point above ``folder``.

    ``mounts`` is the text of ``/proc/self/mountinfo`` (proc(5)).
    """
    best, kind = -1, ""
    for line in mounts.splitlines():
        left, dash, right = line.partition(" - ")
        fields = left.split()
        if not dash or len(fields) < 5 or not right:
            continue
        point = Path(_unescaped(fields[4]))
        if folder.is_relative_to(point) and len(point.parts) >= best:
            best, kind = len(point.parts), right.split()[0]
    return kind


def _unescaped(text: str) -> str:
    for octal, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(octal, character)
    return text
