"""Bytes as they come: chunks of a connection as a file, and a digest of all that is read."""

from __future__ import annotations

import hashlib
import queue
import tarfile
import threading
import zlib
from collections.abc import Iterator
from typing import Any, Protocol

_BLOCK = 1 << 16
_JOINED = 1 << 19


def read_ahead(chunks: Iterator[bytes], depth: int = 8) -> Iterator[bytes]:
    """Yield what the chunks hold while a thread reads up to ``depth`` more; what it raises is raised here.

    Small chunks come joined: each switch of threads costs as much as reading some of them.
    """
    ready: queue.Queue[bytes | BaseException | None] = queue.Queue(depth)
    ended = threading.Event()

    def fetch() -> None:
        try:
            for chunk in _joined(chunks):
                if not _put(ready, chunk, ended):
                    return
            _put(ready, None, ended)
        except BaseException as error:  # noqa: BLE001 - told where the chunks are read
            _put(ready, error, ended)

    reader = threading.Thread(target=fetch, name="read-ahead", daemon=True)
    reader.start()
    try:
        while (chunk := ready.get()) is not None:
            if isinstance(chunk, BaseException):
                raise chunk
            yield chunk
    finally:
        ended.set()
        reader.join()


def _joined(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield chunks of at least _JOINED bytes, the last one aside; none that came before an error is lost."""
    parts: list[bytes] = []
    size = 0
    try:
        for chunk in chunks:
            parts.append(chunk)
            size += len(chunk)
            if size >= _JOINED:
                yield b"".join(parts)
                parts, size = [], 0
    except Exception:
        yield b"".join(parts)
        raise
    yield b"".join(parts)


def _put(
    ready: queue.Queue[bytes | BaseException | None],
    item: bytes | BaseException | None,
    ended: threading.Event,
) -> bool:
    while not ended.is_set():
        try:
            ready.put(item, timeout=0.1)
        except queue.Full:
            continue
        return True
    return False


class ChunkReader:
    """Chunks of any size as a file that can be read once."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = memoryview(b"")

    def read(self, size: int) -> bytes:
        """Return ``size`` bytes, fewer at the end only; what is left of a chunk is not copied."""
        parts, missing = [self._rest[:size]], size - len(self._rest)
        self._rest = self._rest[size:]
        while missing > 0:
            chunk = next(self._chunks, None)
            if chunk is None:
                break
            parts.append(memoryview(chunk)[:missing])
            self._rest = memoryview(chunk)[missing:]
            missing -= len(chunk)
        return b"".join(parts)


class MemberReader:
    """The content of the member at which an archive's stream stands, without copies in between."""

    def __init__(self, tar: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        """``ValueError`` for a sparse file, which no engine writes."""
        if member.issparse():
            raise ValueError(f"{member.name} is a sparse file")
        self._stream: Any = tar.fileobj
        self._left = member.size

    def read(self, size: int) -> bytes:
        """Return ``size`` bytes, fewer at the member's end only; ``EOFError`` in a torn archive."""
        wanted = min(size, self._left)
        data: bytes = self._stream.read(wanted) if wanted else b""
        if len(data) != wanted:
            raise EOFError("the archive ends within a file")
        self._left -= wanted
        return data


class Readable(Protocol):
    """What can be read once."""

    def read(self, size: int, /) -> bytes:
        """Return ``size`` bytes, fewer at the end only."""
        ...


class HashingReader:
    """A layer as it is before compression, read once, with the SHA-256 of all that was read."""

    def __init__(self, head: bytes, file: Readable) -> None:
        """``head`` are bytes that were taken off ``file`` already. ``ValueError`` for zstd."""
        if head[:4] == b"\x28\xb5\x2f\xfd":
            raise ValueError("a layer is compressed by zstd, which is not read; save it uncompressed")
        self._file = file
        self._inflate = zlib.decompressobj(wbits=31) if head[:2] == b"\x1f\x8b" else None
        self._rest = b""
        self._raw = head
        self._digest = hashlib.sha256()
        self._content = 0
        self.size = 0

    def read(self, size: int) -> bytes:
        """Return ``size`` bytes, fewer at the end only."""
        while len(self._rest) < size:
            block = self._next(size - len(self._rest))
            if not block:
                break
            self._rest = self._rest + block if self._rest else block
        if len(self._rest) == size:
            taken, self._rest = self._rest, b""
        else:
            taken, self._rest = self._rest[:size], self._rest[size:]
        self._digest.update(taken)
        if taken and taken[-1]:  # without a copy: blocks of zeros are few
            self._content = self.size + len(taken)
        elif content := len(taken.rstrip(b"\0")):
            self._content = self.size + content
        self.size += len(taken)
        return taken

    def finish(self, end: int) -> None:
        """Read to the end; ``ValueError`` if anything but zeros stands behind ``end``.

        Python's tarfile takes a damaged header for the end of the archive, without a word.
        """
        while self.read(_BLOCK):
            pass
        if self._content > end:
            raise ValueError("a layer goes on behind its end")

    @property
    def sha256(self) -> str:
        """The digest of what was read so far."""
        return self._digest.hexdigest()

    def _next(self, missing: int) -> bytes:
        while True:
            raw, self._raw = self._raw or self._file.read(missing if self._inflate is None else _BLOCK), b""
            if self._inflate is None:
                return raw
            if not raw:
                if not self._inflate.eof:
                    raise ValueError("a compressed layer ends too early")
                return b""
            if self._inflate.eof:
                raise ValueError("a compressed layer goes on behind its end")
            if block := self._inflate.decompress(raw):
                return block
