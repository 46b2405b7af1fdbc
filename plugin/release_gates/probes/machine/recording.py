"""Facts that were recorded on another host: a file by the digest of the program that they are about.

A recording is the kernel's own files, word for word, and nothing that was concluded from them. Here they are
read by the same functions as those of a living host.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

import msgspec

from release_gates.errors import MeasurementError
from release_gates.probes.machine.faults import malformed

LARGEST_BYTES = 64 << 20
MOST_FILES = 20_000
ROOTS = ("proc", "sys")
Sha256 = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]


class Recording(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One program on one host: files by path before and after it worked, and the memory matrix ("": none).

    ``program`` is the SHA-256 of the running binary, taken on that host; ``pid`` its number there.
    """

    schema: Literal[1]
    recorded: Annotated[datetime, msgspec.Meta(tz=True)]
    program: Sha256
    pid: Annotated[int, msgspec.Meta(ge=1, le=1 << 22)]
    before: dict[str, str]
    after: dict[str, str]
    matrix: str = ""


def read_recording(file: Path, *, program: str, now: datetime, max_age_s: float) -> Recording:
    """Return the recording in a file, if it is about this program and fresh.

    ``MeasurementError`` for a file that is absent, larger than 64 MiB, malformed, about another program,
    older than ``max_age_s`` or from the future.
    """
    try:
        with file.open("rb") as opened:
            content = opened.read(LARGEST_BYTES + 1)
    except OSError as error:
        raise malformed(str(file), f"cannot be read: {error.strerror}") from None
    recording = parse_recording(content, str(file))
    _check_subject(recording, str(file), program)
    _check_age(recording, str(file), now, max_age_s)
    return recording


def parse_recording(content: bytes, file: str) -> Recording:
    """Return the recording in the bytes of a file; every path in it lies below ``proc`` or ``sys``."""
    if len(content) > LARGEST_BYTES:
        raise malformed(file, f"is larger than {LARGEST_BYTES >> 20} MiB")
    try:
        recording = msgspec.json.decode(content, type=Recording)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise malformed(file, f"is no recording: {error}") from None
    paths = (*recording.before, *recording.after)
    if len(paths) > MOST_FILES:
        raise malformed(file, f"has {len(paths)} files, more than {MOST_FILES}")
    for path in paths:
        parts = PurePosixPath(path).parts
        if "\0" in path or not parts or parts[0] not in ROOTS or ".." in parts or "/".join(parts) != path:
            raise malformed(file, f"{path[:80]!r} is no path below {' or '.join(ROOTS)}")
    return recording


def lay_out(recording: Recording, folder: Path, file: str) -> tuple[Path, Path]:
    """Write the recorded files below a folder and return the roots of what was before and after."""
    roots = (folder / "before", folder / "after")
    for root, files in zip(roots, (recording.before, recording.after), strict=True):
        root.mkdir(parents=True)
        for path, text in files.items():
            try:
                (root / path).parent.mkdir(parents=True, exist_ok=True)
                (root / path).write_text(text, encoding="utf-8", newline="")
            except (OSError, UnicodeEncodeError) as error:
                raise malformed(file, f"{path[:80]!r} cannot be laid out: {error}") from None
    return roots


def _check_subject(recording: Recording, file: str, program: str) -> None:
    if recording.program != program:
        raise MeasurementError(
            f"{file}: is about a program with SHA-256 {recording.program[:12]}, "
            f"the candidate's has {program[:12]}.",
            slug="facts-of-another-program",
            hint="Record this candidate.",
        )


def _check_age(recording: Recording, file: str, now: datetime, max_age_s: float) -> None:
    age = now - recording.recorded
    if not timedelta(0) <= age <= timedelta(seconds=max_age_s):
        state = "from the future" if age < timedelta(0) else f"older than {max_age_s / 3600:g} h"
        raise MeasurementError(
            f"{file}: was recorded {recording.recorded:%Y-%m-%d %H:%M} UTC, which is {state}.",
            slug="facts-stale",
            hint="Record this candidate again, and compare the clocks of both hosts.",
        )
