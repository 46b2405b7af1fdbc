"""What was measured in one evidence file, read quickly: of 100,000 tests only those that have a value."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec

from release_gates.errors import EvidenceError
from release_gates.ledger.evidence import absent
from release_gates.model.evidence import Evidence, RunEnd, RunHeader, TestRecord
from release_gates.model.record import SCHEMA

LARGEST_BYTES = 256 * 1024 * 1024
_MEASURED = b'"measurements":[{'
_header = msgspec.json.Decoder(RunHeader).decode
_test = msgspec.json.Decoder(TestRecord).decode
_end = msgspec.json.Decoder(RunEnd).decode


def read_measured(path: Path, sha256: str) -> Evidence:
    """Return an evidence file with only its tests that measured something.

    ``sha256`` is the digest that a verdict names: a file that is absent, larger than 256 MiB or not
    exactly that one is an ``EvidenceError``.
    """
    data = _bytes(path)
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise EvidenceError(
            f"{path}: is not what the verdict was decided on: its SHA-256 is {found[:12]}, "
            f"the verdict names {sha256[:12]}.",
            slug="evidence-changed",
            hint="Bring the original back, or run again.",
        )
    lines = data.splitlines()
    try:
        return Evidence(
            header=_readable(path, _header(lines[0])),
            tests=tuple(_test(line) for line in lines[1:] if _MEASURED in line),
            end=_end(lines[-1]) if b'"record":"end"' in lines[-1] else None,
            sha256=sha256,
        )
    except (msgspec.MsgspecError, UnicodeError, IndexError) as error:
        raise EvidenceError(
            f"{path}: cannot be read as evidence ({error}).",
            slug="evidence-damaged",
            hint="Run the gate again.",
        ) from error


def _bytes(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size <= LARGEST_BYTES:
            return path.read_bytes()
    except OSError as error:
        raise absent(path, error) from error
    raise EvidenceError(
        f"{path}: has {size:,} bytes; a report reads at most {LARGEST_BYTES:,}.",
        slug="evidence-too-large",
        hint="`release-gates explain` needs the ledger only.",
    )


def _readable(path: Path, header: RunHeader) -> RunHeader:
    if header.schema != SCHEMA:
        raise EvidenceError(
            f"{path}: has schema {header.schema}; this version reads {SCHEMA}.",
            slug="evidence-damaged",
            hint="Read it with the release-gates that wrote it.",
        )
    return header
