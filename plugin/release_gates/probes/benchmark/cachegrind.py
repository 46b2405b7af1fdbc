"""Instruction counts by valgrind's cachegrind."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from release_gates.errors import MeasurementError, ProbeUnavailable

_LARGEST_BYTES = 64 << 20
_SUMMARY = re.compile(r"^summary: ([0-9]{1,18})$", re.ASCII)


def valgrind(environ: Mapping[str, str], counts: Path) -> tuple[str, ...]:
    """Return the words that a command is put behind, so that its instructions are counted into a file.

    Raises ProbeUnavailable where there is no valgrind.
    """
    program = shutil.which("valgrind", path=environ.get("PATH", os.defpath))
    if program is None:
        raise ProbeUnavailable(
            "instructions are counted by valgrind, which is not installed.",
            slug="benchmark-valgrind-missing",
            hint="Install it: apt-get install valgrind",
        )
    return (program, "-q", "--tool=cachegrind", "--cache-sim=no", f"--cachegrind-out-file={counts}")


def counted_instructions(counts: Path) -> int:
    """Return the sum in cachegrind's file. Raises MeasurementError unless it counts ``Ir`` alone."""
    try:
        with counts.open("rb") as file:
            data = file.read(_LARGEST_BYTES)
    except OSError as error:
        raise _unusable(counts, error.strerror or "it cannot be read") from error
    return read_summary(data, counts)


def read_summary(data: bytes, place: Path) -> int:
    """Return the sum in the text of such a file."""
    lines = data.decode(errors="replace").split("\n")
    events = [line for line in lines if line.startswith("events:")]
    if events != ["events: Ir"]:
        raise _unusable(place, f"it must count 'events: Ir' alone, once, and not {events[:3]}")
    sums = [match for line in lines if (match := _SUMMARY.match(line))]
    if len(sums) != 1 or len(data) >= _LARGEST_BYTES:
        raise _unusable(place, f"it must have one summary, and not {len(sums)}")
    return int(sums[0].group(1))


def _unusable(place: Path, because: str) -> MeasurementError:
    return MeasurementError(
        f"{place.name}: no count of instructions: {because}.",
        slug="benchmark-count-unusable",
        hint="Run valgrind --tool=cachegrind --cache-sim=no by hand and look at its file.",
    )
