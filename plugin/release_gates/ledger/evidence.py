"""Evidence files: JSON Lines, written as tests finish; header, one line a test, end."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

import msgspec

from release_gates.errors import EvidenceError
from release_gates.model.evidence import Evidence, RunEnd, RunHeader, TestRecord
from release_gates.model.measurement import Measurement
from release_gates.model.record import SCHEMA

Line = RunHeader | TestRecord | RunEnd

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Line).decode


class EvidenceWriter:
    """Appends to one evidence file. Every record is with the operating system before the next test runs.

    After a write that failed it writes no more: what follows a torn line could not be read anyway.
    """

    def __init__(self, path: Path, header: RunHeader) -> None:
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("xb", buffering=0)
        except FileExistsError:
            raise EvidenceError(
                f"{path}: is there already, and evidence is never overwritten.",
                slug="evidence-exists",
                hint="Name another file by --gate-evidence.",
            ) from None
        except OSError as error:
            raise self._not_written(error) from error
        self._sha256 = hashlib.sha256()
        self._tests = 0
        self._put(header)

    def write(self, record: TestRecord) -> None:
        """Append one test; ``EvidenceError`` if it cannot be kept as it is."""
        if not _is_finite(record):
            raise EvidenceError(
                f"{self._path}: {record.id} holds a number that is not finite, which JSON cannot keep.",
                slug="evidence-not-finite",
                hint="Measure it so that NaN and infinity are refused.",
            )
        self._put(record)
        self._tests += 1

    def end(self, *, ended: datetime, problems: Sequence[str]) -> None:
        """Append how the run ended, bring everything to the disk, and close."""
        so_far = self._sha256.hexdigest()
        self._put(RunEnd(ended=ended, problems=tuple(problems), tests=self._tests, sha256=so_far))
        try:
            with self._file:
                os.fsync(self._file.fileno())
            _sync_folder(self._path.parent)
        except OSError as error:
            raise self._not_written(error) from error

    def _put(self, record: Line) -> None:
        line = _encode(record) + b"\n"
        self._sha256.update(line)
        try:
            written = self._file.write(line)
            while written < len(line):  # a short write: the rest fits, or says why not
                written += self._file.write(line[written:])
        except OSError as error:
            self._file.close()
            raise self._not_written(error) from error
        except ValueError as error:
            raise self._not_written("it was closed") from error

    def _not_written(self, why: OSError | str) -> EvidenceError:
        sentence = (why.strerror or str(why)) if isinstance(why, OSError) else why
        return EvidenceError(
            f"{self._path}: cannot be written ({sentence}).",
            slug="evidence-not-written",
            hint="Make room, check the right to write there, and run again.",
        )


def read_evidence(path: Path) -> Evidence:
    """Return the evidence in a file.

    A file that stops in the middle is that of a killed run: its whole lines are returned, with ``end``
    None. Anything else that is not as it was written is an ``EvidenceError`` with file, line and value.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise absent(path, error) from error
    return evidence_from(path, data)


def absent(path: Path, error: OSError) -> EvidenceError:
    """Return the error for a file of evidence that cannot be read at all."""
    return EvidenceError(
        f"{path}: cannot be read ({error.strerror or error}).",
        slug="evidence-absent",
        hint="Evidence lies in .gates/evidence/; run the gate again.",
    )


def evidence_from(path: Path, data: bytes) -> Evidence:
    """Return the evidence in some bytes, as ``read_evidence`` does; ``path`` is for messages only."""
    *lines, rest = data.split(b"\n")
    records = [_record(path, number, line) for number, line in enumerate(lines, start=1)]
    if rest and not _is_torn(rest):
        raise _wrong(path, len(lines) + 1, f"{_shown(rest)} is no beginning of a record")
    if not records or not isinstance(records[0], RunHeader):
        raise _wrong(path, 1, "is no evidence: the first line has to be the run's header")
    end = records[-1] if isinstance(records[-1], RunEnd) else None
    tests = _tests(path, records[1:-1] if end is not None else records[1:])
    if end is not None:
        _check_end(path, end, data, len(lines), rest)
    return Evidence(
        header=records[0],
        tests=tests,
        end=end,
        sha256=hashlib.sha256(data).hexdigest(),
    )


def _record(path: Path, number: int, line: bytes) -> Line:
    try:
        record: Line = _decode(line)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise _wrong(path, number, f"{_shown(line)}: {error}") from error
    if isinstance(record, RunHeader) and record.schema != SCHEMA:
        raise _wrong(path, number, f"has schema {record.schema}; this version reads {SCHEMA}")
    return record


def _tests(path: Path, records: Sequence[Line]) -> tuple[TestRecord, ...]:
    for number, record in enumerate(records, start=2):
        if isinstance(record, RunHeader):
            raise _wrong(path, number, "is a second header")
        if isinstance(record, RunEnd):
            raise _wrong(path, number + 1, "stands after the end of the run")
    return tuple(record for record in records if isinstance(record, TestRecord))


def _check_end(path: Path, end: RunEnd, data: bytes, number: int, rest: bytes) -> None:
    if rest:
        raise _wrong(path, number + 1, f"{_shown(rest)} stands after the end of the run")
    if end.tests != number - 2:
        raise _wrong(path, number, f"says {end.tests} tests; there are {number - 2}")
    last = data.rstrip(b"\n").rfind(b"\n") + 1
    if hashlib.sha256(data[:last]).hexdigest() != end.sha256:
        raise _wrong(path, number, "has another digest than the lines before it: one of them was changed")


def _is_torn(rest: bytes) -> bool:
    """Whether ``rest`` is what a killed writer leaves: a record, or the beginning of one."""
    try:
        _decode(rest)
    except msgspec.ValidationError:
        return False
    except (msgspec.DecodeError, UnicodeError) as error:
        return "truncated" in str(error) or "invalid number" in str(error)
    return True


def _is_finite(record: TestRecord) -> bool:
    """Whether every number can be kept: JSON has no NaN, and the encoder writes null in its place."""
    return math.isfinite(record.duration_s) and all(
        math.isfinite(number)
        for measurement in record.measurements
        for number in _numbers(measurement)
        if number is not None
    )


def _numbers(measurement: Measurement) -> Iterator[float | None]:
    yield from (measurement.value, measurement.baseline, *measurement.distribution.values())
    yield from measurement.interval or ()
    if measurement.series is not None:
        yield from (*measurement.series.at_s, *measurement.series.values, measurement.series.horizon_s)
    if measurement.windows is not None:
        yield from (measurement.windows.length_s, *measurement.windows.ratios)
    if measurement.share is not None:
        yield measurement.share.length_s
    if measurement.tail is not None:
        yield from (measurement.tail.quantile, measurement.tail.effective)
        yield measurement.tail.blocks.length_s if measurement.tail.blocks else None


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _shown(line: bytes) -> str:
    return repr(line[:60].decode("utf-8", "replace"))


def _wrong(path: Path, number: int, sentence: str) -> EvidenceError:
    return EvidenceError(
        f"{path}: line {number} {sentence}.", slug="evidence-damaged", hint="Run the gate again."
    )
