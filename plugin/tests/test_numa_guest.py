"""The guest's archive is one that cpio reads, and what it sends is taken whole or not at all."""

from __future__ import annotations

import base64
import gzip
import io
import stat
import tarfile

import pytest

from fixtures.numa_guest.archive import END, FOLDER, archive, link, program
from fixtures.numa_guest.image import GuestError
from fixtures.numa_guest.machine import TWO_NODES, Guest, Node, hardware, received


def entries(content: bytes) -> dict[str, tuple[int, bytes]]:
    """Read a newc archive by its own rules: mode and content by name."""
    found, at = {}, 0
    while True:
        assert content[at : at + 6] == b"070701"
        fields = [int(content[at + 6 + 8 * field : at + 14 + 8 * field], 16) for field in range(13)]
        mode, size, name_size = fields[1], fields[6], fields[11]
        name = content[at + 110 : at + 110 + name_size - 1].decode()
        at += (110 + name_size + 3) & ~3
        found[name] = (mode, content[at : at + size])
        at += (size + 3) & ~3
        if name == END:
            assert at == len(content)
            return found


def test_archive_is_read_back() -> None:
    files = {"bin": FOLDER, "bin/sh": link("/bin/busybox"), "bin/busybox": program(b"\x7fELF5")}
    found = entries(gzip.decompress(archive(files)))
    assert {name: content for name, (_, content) in found.items()} == {
        **{"bin": b"", "bin/sh": b"/bin/busybox", "bin/busybox": b"\x7fELF5"},
        END: b"",
    }
    assert stat.S_ISDIR(found["bin"][0])
    assert stat.S_ISLNK(found["bin/sh"][0])
    assert found["bin/busybox"][0] == stat.S_IFREG | 0o755


def sent(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(f"./{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return b"BEGIN\n" + base64.encodebytes(packed.getvalue()) + b"END\n"


def test_what_was_sent_is_received() -> None:
    whole = sent({"pid": b"7\n", "after/proc/cpuinfo": b"x" * 1000})
    assert received(whole, "") == {"pid": "7\n", "after/proc/cpuinfo": "x" * 1000}
    assert received(whole.replace(b"\n", b"\r\n"), "") == received(whole, "")


@pytest.mark.parametrize("part", [b"", b"BEGIN\n", b"BEGIN\nEND\n", b"noise\nEND\n"])
def test_what_is_torn_is_refused(part: bytes) -> None:
    with pytest.raises(GuestError):
        received(part, "")


def test_every_cut_is_refused() -> None:
    whole = sent({"pid": b"7\n"})
    for end in range(len(whole) - 1):
        with pytest.raises(GuestError):
            received(whole[:end], "")
    for at in range(6, len(whole) - 8, 7):
        with pytest.raises(GuestError):
            received(whole[:at] + whole[at + 4 :], "")


def test_hardware_of_a_guest() -> None:
    words = " ".join(hardware(TWO_NODES))
    assert "node,nodeid=1,cpus=2-3,memdev=m1" in words
    assert "dist,src=0,dst=1,val=21" in words
    memory_only = Guest(nodes=(Node(cpus="0"), Node(cpus="")), cpus=1)
    assert "node,nodeid=1,memdev=m1" in " ".join(hardware(memory_only))
