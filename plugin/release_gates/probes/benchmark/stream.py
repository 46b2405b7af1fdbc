"""What the native runner writes: JSON Lines, read strictly. A stream without its last line is a crash."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, TypeVar

import msgspec

from release_gates.errors import MeasurementError
from release_gates.model.paired import Side

LARGEST_BYTES = 16 << 20
"""No stream is read any further; 100,000 pairs are a third of that."""

AnyLine = TypeVar("AnyLine")
_MOST = 2**53
_Count = Annotated[int, msgspec.Meta(ge=0, le=_MOST)]
_Positive = Annotated[int, msgspec.Meta(ge=1, le=_MOST)]
_Text = Annotated[str, msgspec.Meta(max_length=4096)]


class _Line(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all lines: unknown members are refused."""


class Header(_Line, frozen=True, kw_only=True, tag="header"):
    """The first line of a pair: what is measured, and which builds were really loaded."""

    benchmark: _Text
    seed: _Count
    first: Side
    pairs: _Positive
    slice_ns: _Positive
    iterations: _Positive
    operations: _Positive
    resolution_ns: _Count
    baseline_build: _Text
    candidate_build: _Text
    baseline_compiler: _Text
    candidate_compiler: _Text
    baseline_flags: _Text
    candidate_flags: _Text


class Pair(_Line, frozen=True, kw_only=True, tag="pair"):
    """CPU time of two slices that ran in turn; ``kept`` unless one of them was preempted."""

    baseline_ns: _Count
    candidate_ns: _Count
    kept: bool


class End(_Line, frozen=True, kw_only=True, tag="end"):
    """The last line of a pair, with the totals of all others."""

    kept: _Count
    dropped: _Count
    baseline_ns: _Count
    candidate_ns: _Count
    same_work: bool
    baseline_works: bool
    candidate_works: bool
    cpu_s: Annotated[float, msgspec.Meta(ge=0, le=1e9)]


class Refused(_Line, frozen=True, kw_only=True, tag="refused"):
    """The last line of a run that could not be measured."""

    because: Literal["missing", "not-loaded", "threw"]
    side: Literal["baseline", "candidate", "library"]
    text: str


class _Benchmark(_Line, frozen=True, kw_only=True, tag="benchmark"):
    name: _Text


class Fact(_Line, frozen=True, kw_only=True, tag="fact"):
    """What is known of a build without measuring, such as the size of a structure."""

    name: _Text
    value: _Count
    unit: _Text


class _Listed(_Line, frozen=True, kw_only=True, tag="end"):
    benchmarks: _Positive
    facts: _Count
    release: _Text
    build: _Text


class _Counted(_Line, frozen=True, kw_only=True, tag="end"):
    iterations: _Positive


class _Times(_Line, frozen=True, kw_only=True, tag="times"):
    ns: Annotated[tuple[_Count, ...], msgspec.Meta(min_length=1)]


class _Timed(_Line, frozen=True, kw_only=True, tag="end"):
    samples: _Positive


_PAIR: msgspec.json.Decoder[Header | Pair | End | Refused] = msgspec.json.Decoder(
    Header | Pair | End | Refused
)
_LIST: msgspec.json.Decoder[_Benchmark | Fact | _Listed | Refused] = msgspec.json.Decoder(
    _Benchmark | Fact | _Listed | Refused
)
_TIMES: msgspec.json.Decoder[_Times | _Timed | Refused] = msgspec.json.Decoder(_Times | _Timed | Refused)
_SINGLE: msgspec.json.Decoder[_Counted | Refused] = msgspec.json.Decoder(_Counted | Refused)


@dataclass(frozen=True, slots=True, kw_only=True)
class PairStream:
    """One whole stream of a pair."""

    header: Header
    pairs: tuple[Pair, ...]
    end: End


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """What a shared object exports. ``release`` is the version that it says it belongs to, ``build`` its
    build id; each is empty where the build did not say.
    """

    benchmarks: tuple[str, ...]
    facts: tuple[Fact, ...]
    release: str
    build: str


def read_pair(data: bytes) -> PairStream | Refused:
    """Read the stream of ``runner pair``. Raises MeasurementError for anything but a whole one."""
    lines = _lines(data, _PAIR)
    if isinstance(lines[-1], Refused):
        return lines[-1]
    if not isinstance(lines[0], Header) or not isinstance(lines[-1], End):
        raise _torn("it has no header or no last line")
    between = lines[1:-1]
    pairs = tuple(line for line in between if isinstance(line, Pair))
    if len(pairs) != len(between) or len(pairs) != lines[0].pairs:
        raise _torn(f"it has {len(pairs)} pairs, and {lines[0].pairs} were asked for")
    _check_totals(pairs, lines[-1])
    return PairStream(header=lines[0], pairs=pairs, end=lines[-1])


def read_list(data: bytes) -> Table | Refused:
    """Read the stream of ``runner list``, in the library's order."""
    *lines, last = _lines(data, _LIST)
    if isinstance(last, Refused):
        return last
    names = tuple(line.name for line in lines if isinstance(line, _Benchmark))
    facts = tuple(line for line in lines if isinstance(line, Fact))
    counts = (len(names), len(facts), len(names) + len(facts))
    if not isinstance(last, _Listed) or counts != (last.benchmarks, last.facts, len(lines)):
        raise _torn("it does not list what its last line says")
    if len({*names, *(fact.name for fact in facts)}) != len(lines):
        raise _torn("it lists a name twice")
    return Table(benchmarks=names, facts=facts, release=last.release, build=last.build)


def read_single(data: bytes) -> int | Refused:
    """Read the stream of ``runner single``: how many iterations were run."""
    lines = _lines(data, _SINGLE)
    if len(lines) != 1:
        raise _torn("it has more than one line")
    return lines[0] if isinstance(lines[0], Refused) else lines[0].iterations


def read_times(data: bytes) -> tuple[int, ...] | Refused:
    """Read the stream of ``runner times``: nanoseconds of each iteration in the order in which they ran."""
    lines = _lines(data, _TIMES)
    end = lines[-1]
    if isinstance(end, Refused):
        return end
    parts = [line for line in lines[:-1] if isinstance(line, _Times)]
    times = tuple(ns for part in parts for ns in part.ns)
    if not isinstance(end, _Timed) or len(parts) != len(lines) - 1 or len(times) != end.samples:
        raise _torn("it does not hold as many times as its last line says")
    return times


def _lines(data: bytes, decoder: msgspec.json.Decoder[AnyLine]) -> Sequence[AnyLine]:
    if not data.endswith(b"\n"):
        raise _torn("its last line is cut short" if data else "it is empty")
    if len(data) >= LARGEST_BYTES:
        raise _torn(f"it is larger than {LARGEST_BYTES} bytes")
    try:
        return [decoder.decode(line) for line in data[:-1].split(b"\n")]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _torn(str(error)) from None


def _check_totals(pairs: Sequence[Pair], end: End) -> None:
    kept = sum(pair.kept for pair in pairs)
    found = (kept, len(pairs) - kept, sum(p.baseline_ns for p in pairs), sum(p.candidate_ns for p in pairs))
    if found != (end.kept, end.dropped, end.baseline_ns, end.candidate_ns):
        raise _torn("its totals are not those of its lines")
    if any(pair.kept and not (pair.baseline_ns and pair.candidate_ns) for pair in pairs):
        raise _torn("a slice took no time at all: the clock is too coarse")


def _torn(because: str) -> MeasurementError:
    return MeasurementError(
        f"the runner's results cannot be used: {because}.",
        slug="benchmark-stream-torn",
        hint="Something wrote where only the runner may, or the disk is full: run the benchmark alone.",
    )
