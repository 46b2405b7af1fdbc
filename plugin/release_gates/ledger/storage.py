"""Whether a file lies on storage on which a ledger can be trusted."""

from __future__ import annotations

from pathlib import Path

NETWORK = frozenset(
    (
        "9p",
        "afs",
        "beegfs",
        "ceph",
        "cifs",
        "coda",
        "fuse",
        "gfs2",
        "glusterfs",
        "gpfs",
        "lustre",
        "ncpfs",
        "nfs",
        "nfs4",
        "ocfs2",
        "orangefs",
        "pvfs2",
        "smb3",
        "smbfs",
    )
)
"""File systems that other hosts may write too: SQLite's locks and shared memory do not hold there.

All of ``fuse.*`` counts as well (``fuse.sshfs``, ``fuse.s3fs``): nobody knows what stands behind it.
"""

MOUNTS = Path("/proc/self/mountinfo")


def network_file_system(path: Path) -> str:
    """Return the kind of network file system that ``path`` lies on, or "" for a local one."""
    try:
        mounts = MOUNTS.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return ""  # a system without /proc
    kind = file_system(path.resolve(), mounts)
    return kind if is_network(kind) else ""


def is_network(kind: str) -> bool:
    """Whether a file system type is one that other hosts may write too."""
    return kind in NETWORK or kind.startswith("fuse.")


def file_system(path: Path, mounts: str) -> str:
    """Return the file system type of the longest mount point above ``path``, "" for none.

    ``mounts`` is the text of ``/proc/self/mountinfo`` (proc(5)). Of two at one point the later hides
    the earlier.
    """
    best, kind = -1, ""
    for line in mounts.splitlines():
        left, dash, right = line.partition(" - ")
        fields = left.split()
        if not dash or len(fields) < 5 or not right.strip():
            continue
        point = Path(_unescaped(fields[4]))
        if path.is_relative_to(point) and len(point.parts) >= best:
            best, kind = len(point.parts), right.split()[0]
    return kind


def _unescaped(text: str) -> str:
    for octal, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(octal, character)
    return text
