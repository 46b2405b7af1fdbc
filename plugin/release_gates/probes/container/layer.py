"""One layer of an image: which paths it brings, takes away, and what is remarkable about them."""

from __future__ import annotations

import posixpath
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

from release_gates.probes.container import secret_patterns
from release_gates.probes.container.stream import HashingReader

MOST_FILES = 3_000_000
_ACCOUNTS = frozenset({"etc/passwd", "etc/shadow", "etc/group"})
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

    ``setuid`` and ``tools`` map a path to its mode or to the kind of tool, ``secrets`` to the kind of secret,
    ``accounts`` to the text of /etc/passwd and its like. ``removed`` are paths, ``emptied`` folders, of lower
    layers.
    """

    name: str
    sha256: str
    size: int
    paths: frozenset[str]
    setuid: dict[str, int]
    tools: dict[str, str]
    secrets: dict[str, str]
    accounts: dict[str, str]
    removed: tuple[str, ...]
    emptied: tuple[str, ...]


def read_layer(source: HashingReader, name: str) -> Layer:
    """Read a layer to its very end. ``ValueError`` or ``tarfile.TarError`` for one that is damaged."""
    seen: set[str] = set()
    layer = Layer(
        name=name,
        sha256="",
        size=0,
        paths=frozenset(),
        setuid={},
        tools={},
        secrets={},
        accounts={},
        removed=(),
        emptied=(),
    )
    removed: list[str] = []
    emptied: list[str] = []
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
                _remark(layer, tar, member, path, base)
            tar.members = []  # type: ignore[attr-defined]  # a stream never goes back: no KiB a file
            if len(seen) > MOST_FILES:
                raise ValueError(f"a layer has more than {MOST_FILES} files")
    source.finish(tar.offset)
    return Layer(
        name=name,
        sha256=source.sha256,
        size=source.size,
        paths=frozenset(seen),
        setuid=layer.setuid,
        tools=layer.tools,
        secrets=layer.secrets,
        accounts=layer.accounts,
        removed=tuple(removed),
        emptied=tuple(emptied),
    )


def _remark(layer: Layer, tar: tarfile.TarFile, member: tarfile.TarInfo, path: str, base: str) -> None:
    """Note what is remarkable about one member."""
    if not (member.isreg() or member.islnk() or member.issym()):
        return
    if member.mode & 0o6000 and not member.issym():
        layer.setuid[path] = member.mode
    kind = TOOLS.get(base)
    if kind and (member.issym() or member.mode & 0o111):
        layer.tools[path] = kind
    if member.isreg() and member.size:
        if secret_patterns.is_secret_file(path):
            layer.secrets[path] = "a file for secrets"
        _read_content(layer, tar, member, path)


def _read_content(layer: Layer, tar: tarfile.TarFile, member: tarfile.TarInfo, path: str) -> None:
    kept = path in _ACCOUNTS
    if kept and member.size > _LARGEST_ACCOUNTS:
        raise ValueError(f"/{path} has {member.size} bytes")
    for piece in _pieces(tar, member):
        if kept:
            layer.accounts[path] = layer.accounts.get(path, "") + piece.decode("utf-8", "replace")
        for kind in secret_patterns.in_file(piece):
            layer.secrets.setdefault(path, kind)


def _pieces(tar: tarfile.TarFile, member: tarfile.TarInfo) -> Iterator[bytes]:
    """Yield the content in pieces that overlap by the longest shape of a key."""
    file = tar.extractfile(member)
    if file is None:
        return
    tail = b""
    while chunk := file.read(_CHUNK):
        yield tail + chunk
        tail = chunk[-secret_patterns.LONGEST :]
