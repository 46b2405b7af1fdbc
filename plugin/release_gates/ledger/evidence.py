"""Evidence files: JSON Lines, written as tests finish; header, one line a test, end."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import msgspec

from release_gates.errors import EvidenceError
from release_gates.model.evidence import Evidence, RunEnd, RunHeader, TestRecord
from release_gates.model.record import SCHEMA

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(RunHeader | TestRecord | RunEnd).decode


class EvidenceWriter:
    """Appends to one evidence file. Every record is with the operating system before the next test runs."""

    def __init__(self, path: Path, header: RunHeader) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._file = path.open("xb", buffering=0)
        except FileExistsError:
            raise EvidenceError(
                f"{path}: is there already, and evidence is never overwritten.",
                slug="evidence-exists",
                hint="Name another file by --gate-evidence.",
            ) from None
        self._tests = 0
        self._file.write(_encode(header) + b"\n")

    def write(self, record: TestRecord) -> None:
        """Append one test."""
        self._tests += 1
        self._file.write(_encode(record) + b"\n")

    def end(self, *, ended: datetime, problems: Sequence[str]) -> None:
        """Append how the run ended, bring everything to the disk, and close."""
        self._file.write(_encode(RunEnd(ended=ended, problems=tuple(problems), tests=self._tests)) + b"\n")
        os.fsync(self._file.fileno())
        self._file.close()


def read_evidence(path: Path) -> Evidence:
    """Return the evidence in a file.

    A file that stops in the middle is that of a killed run: its whole lines are returned, with ``end``
    None. Anything else that is not as it was written is an ``EvidenceError`` with file, line and value.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise EvidenceError(
            f"{path}: cannot be read ({error.strerror or error}).",
            slug="evidence-absent",
            hint="Evidence lies in .gates/evidence/; run the gate again.",
        ) from error
    return _evidence(path, data.split(b"\n"), hashlib.sha256(data).hexdigest())


def _evidence(path: Path, lines: list[bytes], sha256: str) -> Evidence:
    torn = lines.pop()  # after the last line break: empty unless the writer was killed
    records = [_record(path, number, line) for number, line in enumerate(lines, start=1)]
    header, end = records[0] if records else None, records[-1] if records else None
    if not isinstance(header, RunHeader):
        raise _wrong(path, 1, "is no evidence: the first line has to be the run's header")
    tests = tuple(record for record in records if isinstance(record, TestRecord))
    ended = isinstance(end, RunEnd)
    if len(tests) + 1 + ended != len(records) or (ended and torn):
        raise _wrong(path, len(records), "has a second header, or lines after the end of the run")
    if isinstance(end, RunEnd) and end.tests != len(tests):
        raise _wrong(path, len(records), f"says {end.tests} tests; there are {len(tests)}")
    return Evidence(header=header, tests=tests, end=end if isinstance(end, RunEnd) else None, sha256=sha256)


def _record(path: Path, number: int, line: bytes) -> RunHeader | TestRecord | RunEnd:
    try:
        record: RunHeader | TestRecord | RunEnd = _decode(line)
    except (msgspec.MsgspecError, UnicodeError) as error:
        shown = line[:60].decode("utf-8", "replace")
        raise _wrong(path, number, f"is '{shown}': {error}") from error
    if isinstance(record, RunHeader) and record.schema != SCHEMA:
        raise _wrong(path, number, f"has schema {record.schema}; this version reads {SCHEMA}")
    return record


def _wrong(path: Path, number: int, sentence: str) -> EvidenceError:
    return EvidenceError(
        f"{path}: line {number} {sentence}.", slug="evidence-damaged", hint="Run the gate again."
    )
