"""One layer of an image: which paths it brings, takes away, and what is remarkable about them."""

from __future__ import annotations

import posixpath
import struct
import tarfile
from dataclasses import dataclass
from typing import IO

from release_gates.probes.container.capabilities import of_mask
from release_gates.probes.container.secret_search import Search, Secret
from release_gates.probes.container.stream import HashingReader, MemberReader

MOST_FILES = 3_000_000
_ACCOUNTS = frozenset({"etc/passwd", "etc/shadow", "etc/group"})
_ACCOUNT_PATHS = _ACCOUNTS | {"etc"}
_CAPABILITY = "SCHILY.xattr.security.capability"
_CAP_LENGTHS = (12, 20, 24)
_LARGEST_ACCOUNTS = 1 << 20
_CHUNK = 1 << 20
_BLOCK = 1 << 16
_OPAQUE = ".wh..wh..opq"
_WHITEOUT = ".wh."
TOOLS = {
    **dict.fromkeys(("sh", "bash", "dash", "ash", "zsh", "ksh", "busybox", "toybox", "fish"), "shell"),
    **dict.fromkeys(
        (
            "apt",
            "apt-get",
            "dpkg",
            "apk",
            "rpm",
            "yum",
            "dnf",
            "microdnf",
            "pip",
            "pip3",
            "npm",
            "gem",
            "conan",
        ),
        "package manager",
    ),
    **dict.fromkeys(
        ("gcc", "g++", "cc", "c++", "clang", "clang++", "ld", "make", "cmake", "go", "rustc"), "compiler"
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """What one layer does. ``paths`` are all that it brings; the others are what is remarkable there.

    ``setuid`` and ``tools`` map a path to its mode or to the kind of tool, ``capabilities`` to those that the
    file gives whoever starts it, ``accounts`` to the text of /etc/passwd and its like, ``links`` to where one
    of these points instead. ``removed`` are paths, ``emptied`` folders, of lower layers.
    """

    name: str
    sha256: str
    size: int
    paths: frozenset[str]
    setuid: dict[str, int]
    capabilities: dict[str, frozenset[str]]
    tools: dict[str, str]
    secrets: list[Secret]
    accounts: dict[str, str]
    links: dict[str, str]
    removed: tuple[str, ...]
    emptied: tuple[str, ...]


def read_layer(source: HashingReader, name: str) -> Layer:
    """Read a layer to its very end. ``ValueError`` or ``tarfile.TarError`` for one that is damaged."""
    seen: set[str] = set()
    removed: list[str] = []
    emptied: list[str] = []
    found = _Found()
    stream: IO[bytes] = source  # type: ignore[assignment]  # tarfile reads a stream by read() alone
    with tarfile.open(fileobj=stream, mode="r|", bufsize=_BLOCK) as tar:
        for member in tar:
            path = posixpath.normpath(f"/{member.name}").lstrip("/")
            base = posixpath.basename(path)
            if base == _OPAQUE:
                emptied.append(posixpath.dirname(path))
            elif base.startswith(_WHITEOUT):
                removed.append(posixpath.join(posixpath.dirname(path), base.removeprefix(_WHITEOUT)))
            else:
                seen.add(path)
                found.remark(tar, member, path, base)
            tar.members = []  # type: ignore[attr-defined]  # a stream never goes back: no KiB a file
            if len(seen) > MOST_FILES:
                raise ValueError(f"a layer has more than {MOST_FILES} files")
    source.finish(tar.offset)
    return Layer(
        name=name,
        sha256=source.sha256,
        size=source.size,
        paths=frozenset(seen),
        setuid=found.setuid,
        capabilities=found.capabilities,
        tools=found.tools,
        secrets=found.secrets,
        accounts=found.accounts,
        links=found.links,
        removed=tuple(removed),
        emptied=tuple(emptied),
    )


class _Found:
    """What is remarkable in one layer, as its members come."""

    def __init__(self) -> None:
        self.setuid: dict[str, int] = {}
        self.capabilities: dict[str, frozenset[str]] = {}
        self.tools: dict[str, str] = {}
        self.secrets: list[Secret] = []
        self.accounts: dict[str, str] = {}
        self.links: dict[str, str] = {}
        self._search = Search()

    def remark(self, tar: tarfile.TarFile, member: tarfile.TarInfo, path: str, base: str) -> None:
        """Note what is remarkable about one member, and read its content."""
        is_link = member.issym() or member.islnk()
        if not (member.isreg() or is_link):
            return
        if member.mode & 0o6000 and not member.issym():
            self.setuid[path] = member.mode
        if _CAPABILITY in member.pax_headers:
            self.capabilities[path] = file_capabilities(member.pax_headers[_CAPABILITY])
        kind = TOOLS.get(base)
        if kind and (member.issym() or member.mode & 0o111):
            self.tools[path] = kind
        if is_link and path in _ACCOUNT_PATHS:
            self.links[path] = member.linkname
        elif member.isreg() and member.size:
            self._read_content(tar, member, path)

    def _read_content(self, tar: tarfile.TarFile, member: tarfile.TarInfo, path: str) -> None:
        file = MemberReader(tar, member)
        pieces = iter(lambda: file.read(_CHUNK), b"")
        if path in _ACCOUNTS:
            if member.size > _LARGEST_ACCOUNTS:
                raise ValueError(f"/{path} has {member.size} bytes")
            content = b"".join(pieces)
            self.accounts[path] = content.decode("utf-8", "replace")
            pieces = iter([content])
        self.secrets += self._search.search(path, pieces)


def file_capabilities(value: str) -> frozenset[str]:
    """Return the permitted capabilities of a file, from the attribute as PAX keeps it.

    By ``struct vfs_cap_data`` of ``linux/capability.h``; one of another form gives what nobody knows, "?".
    """
    raw = value.encode("utf-8", "surrogateescape")
    if len(raw) not in _CAP_LENGTHS:
        return frozenset({"?"})
    words = struct.unpack(f"<{len(raw) // 4}I", raw)
    permitted = words[1] | (words[3] << 32 if len(words) > 3 else 0)
    return of_mask(permitted) or frozenset({"none"})
