"""What an executable of Google Benchmark writes: the names that it lists, and its JSON, read strictly."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from release_gates.errors import MeasurementError

LARGEST_BYTES = 16 << 20
"""No results are read any further."""

_MOST_REPETITIONS = 1000
_NANOSECONDS = {"ns": 1.0, "us": 1e3, "ms": 1e6, "s": 1e9}
_NAME = re.compile(r"[\x20-\x7e]{1,500}", re.ASCII)


class _Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One line of results; user counters are further members of any name."""

    name: str
    run_name: str
    run_type: Literal["iteration", "aggregate"]
    repetitions: Annotated[int, msgspec.Meta(ge=1, le=_MOST_REPETITIONS)] = 1
    repetition_index: int = 0
    iterations: int = 0
    cpu_time: float = 0.0
    time_unit: Literal["ns", "us", "ms", "s"] = "ns"
    error_occurred: bool = False
    error_message: str = ""
    skipped: bool = False
    skip_message: str = ""


class _Results(msgspec.Struct, frozen=True, kw_only=True):
    context: dict[str, msgspec.Raw]
    benchmarks: list[_Entry]


_RESULTS = msgspec.json.Decoder(_Results)


class GoogleTimes(msgspec.Struct, frozen=True, kw_only=True):
    """What one process says of one benchmark: CPU nanoseconds of an iteration, for each repetition."""

    per_iteration_ns: tuple[float, ...]
    iterations: int


def read_names(data: bytes, program: Path) -> tuple[str, ...]:
    """Read what ``--benchmark_list_tests`` prints: one name a line, each once."""
    names = tuple(data.decode(errors="replace").removesuffix("\n").split("\n"))
    if len(data) >= LARGEST_BYTES or not all(_NAME.fullmatch(name) for name in names):
        raise refused(
            f"{program}: does not list benchmarks, one name a line: {names[0][:100]!r}",
            "benchmark-not-loaded",
            "It has to be an executable of Google Benchmark.",
        )
    if doubled := sorted({name for name in names if names.count(name) > 1}):
        raise refused(
            f"{program}: has {doubled[0]} twice",
            "benchmark-not-loaded",
            "Give each benchmark a name of its own.",
        )
    return names


def read_times_of(data: bytes, benchmark: str, place: str) -> GoogleTimes:
    """Read one benchmark's times from the JSON of a run of it alone.

    Raises MeasurementError for JSON that is not whole, a name that is not there or not alone, an error that
    the benchmark reports, repetitions that are missing, and times or iterations that are not above zero.
    """
    entries = [entry for entry in _entries(data, place) if entry.run_type == "iteration"]
    if others := sorted({entry.run_name for entry in entries} - {benchmark}):
        raise _torn(place, f"it has results of {others[0]!r}, and {benchmark!r} was asked for")
    if not entries:
        raise missing(place, benchmark)
    for entry in entries:
        _check_entry(entry, benchmark, place)
    if sorted(entry.repetition_index for entry in entries) != list(range(entries[0].repetitions)):
        raise _torn(
            place, f"it has {len(entries)} repetitions of {benchmark!r}, not {entries[0].repetitions}"
        )
    return GoogleTimes(
        per_iteration_ns=tuple(entry.cpu_time * _NANOSECONDS[entry.time_unit] for entry in entries),
        iterations=entries[0].iterations,
    )


def _entries(data: bytes, place: str) -> list[_Entry]:
    if not data or len(data) >= LARGEST_BYTES:
        raise _torn(place, "it wrote no results, or too many")
    try:
        return _RESULTS.decode(data).benchmarks
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _torn(place, str(error)) from None


def _check_entry(entry: _Entry, benchmark: str, place: str) -> None:
    if entry.error_occurred or entry.skipped:
        said = entry.error_message or entry.skip_message or "no word why"
        raise refused(
            f"{place}: {benchmark!r} reports an error: {said[:1000]}",
            "benchmark-threw",
            "Run it alone: nothing of it was used.",
        )
    if entry.iterations < 1 or not (entry.cpu_time > 0 and math.isfinite(entry.cpu_time)):
        raise refused(
            f"{place}: {benchmark!r} took {entry.cpu_time:g} {entry.time_unit} of CPU time in "
            f"{entry.iterations} iterations",
            "benchmark-idle",
            "It has to run, and to work on the thread that is measured.",
        )


def _torn(place: str, because: str) -> MeasurementError:
    return refused(
        f"{place}: its results cannot be used: {because}",
        "benchmark-stream-torn",
        "Look at what --benchmark_out writes, and run the benchmark alone.",
    )


def missing(place: str, benchmark: str) -> MeasurementError:
    """Return the error for a benchmark that one side does not have."""
    return refused(
        f"{place}: there is no result of {benchmark!r}",
        "benchmark-missing",
        "Was it removed or renamed, or does it report aggregates only?",
    )


def refused(message: str, slug: str, hint: str) -> MeasurementError:
    """Return the error for results that cannot be used."""
    return MeasurementError(f"{message}.", slug=slug, hint=hint)
