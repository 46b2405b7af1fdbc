"""Which file system a folder lies on, from recorded mount tables."""

from __future__ import annotations

from pathlib import Path

import pytest

from release_gates.errors import LedgerError
from release_gates.ledger import sqlite
from release_gates.ledger.storage import file_system

MOUNTS = """\
22 1 254:1 / / rw,relatime - ext4 /dev/vda1 rw
30 22 0:40 / /home rw,relatime - nfs4 filer:/home rw,vers=4.2
31 30 0:41 / /home/ci/local\\040disk rw - xfs /dev/vdb rw
40 22 0:50 / /mnt/share rw - cifs //filer/share rw
41 22 0:51 / /mnt/ssh rw - fuse.sshfs ci@host: rw
"""


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/var/lib", "ext4"),
        ("/home", "nfs4"),
        ("/home/ci/project", "nfs4"),
        ("/home/ci/local disk/project", "xfs"),
        ("/homework", "ext4"),
        ("/mnt/share/x", "cifs"),
        ("/mnt/ssh", "fuse.sshfs"),
    ],
)
def test_longest_mount_point_wins(folder: str, kind: str) -> None:
    assert file_system(Path(folder), MOUNTS) == kind


@pytest.mark.parametrize("mounts", ["", "garbage", "1 2 3 -", " - ext4", "1 1 0:1 / / rw"])
def test_malformed_table_names_nothing(mounts: str) -> None:
    assert file_system(Path("/x"), mounts) == ""


def test_network_file_system_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "network_file_system", lambda _folder: "nfs4")
    with pytest.raises(LedgerError, match=r"network file system \(nfs4\).*ledger-on-network"):
        sqlite.SqliteLedger.open(tmp_path / "ledger.db", create=True)
