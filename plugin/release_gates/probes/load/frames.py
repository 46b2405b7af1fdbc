"""What a generator process tells its parent: msgpack with a length in front, at most every 100 ms."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Literal

import msgspec

LARGEST_BYTES = 16 * 1024 * 1024
_length = struct.Struct(">I")


class Cell(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The samples of one endpoint in one block of intended time, since the last frame.

    ``failures`` counts by kind; ``over`` has one count for each threshold, failures in each of them;
    ``buckets`` are those of `buckets.bucket_of`, of answered requests only. ``reconnects`` requests had to
    open a connection anew. Times in seconds.
    """

    endpoint: str
    block: int
    answered: int
    failures: dict[str, int]
    over: tuple[int, ...]
    buckets: dict[int, int]
    sum_s: float
    max_s: float
    reconnects: int = 0


class BlockHealth(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the generator itself did in one block, since the last frame.

    ``asked`` arrivals were due, ``offered`` of them left in time or waited for the target; ``lag`` are
    buckets of how late the generator was by itself; ``cpu_s`` is its own processor time of ``wall_s``.
    """

    block: int
    asked: int
    offered: int
    lag: dict[int, int]
    cpu_s: float
    wall_s: float


class Hello(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="hello"):
    """The first request is about to be sent, at ``started_s`` of the host's monotonic clock."""

    pid: int
    started_s: float


class Progress(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="progress"):
    """What was seen since the last frame, ``at_s`` seconds after the run's start."""

    at_s: float
    cells: tuple[Cell, ...]
    health: tuple[BlockHealth, ...]


class Bye(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="bye"):
    """The last frame. A run without it is no evidence."""

    reason: Literal["finished", "stopped", "failed"]
    because: str = ""


Frame = Hello | Progress | Bye
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Frame).decode


class FrameError(ValueError):
    """What came is no frame."""


def pack(frame: Frame) -> bytes:
    """Return a frame as it travels."""
    body = _encode(frame)
    return _length.pack(len(body)) + body


class FrameReader:
    """Cuts a stream of bytes into frames; ``FrameError`` for what is none."""

    def __init__(self) -> None:
        self._data = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Take some bytes and yield every frame that is whole."""
        self._data += data
        while len(self._data) >= _length.size:
            (length,) = _length.unpack_from(self._data)
            if length > LARGEST_BYTES:
                raise FrameError(f"a frame of {length:,} bytes; at most {LARGEST_BYTES:,} are read")
            end = _length.size + length
            if len(self._data) < end:
                return
            body = bytes(self._data[_length.size : end])
            del self._data[:end]
            try:
                yield _decode(body)
            except msgspec.DecodeError as error:
                raise FrameError(f"a frame does not fit: {error}") from error

    @property
    def rest(self) -> int:
        """How many bytes of an unfinished frame are left."""
        return len(self._data)
