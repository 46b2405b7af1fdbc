"""The attestations of a run as a file: one envelope a line, beside its evidence."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from release_gates.errors import TrustError
from release_gates.ledger.attestations.envelope import LARGEST_BYTES
from release_gates.ledger.attestations.statements import evidence_statement, verdict_statement
from release_gates.model.candidate import ReleaseCandidate
from release_gates.model.evidence import Evidence
from release_gates.model.verdict import Verdict

Seal = Callable[[bytes], bytes]
"""Signs a statement: returns the line that says it."""


def attestations_of(state: Path, run: str) -> Path:
    """Return the file of a run's attestations in the state folder (``.gates``).

    ``TrustError`` for a run whose name would lead elsewhere.
    """
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", run) is None:
        raise TrustError(f"{run[:100]!a} is no name of a run.", slug="attestation-absent", hint="")
    return state / "attestations" / f"{run}.intoto.jsonl"


def signed_lines(
    evidence: Sequence[Evidence],
    verdict: Verdict,
    candidate: ReleaseCandidate,
    seal: Seal,
    *,
    now: datetime,
) -> tuple[bytes, ...]:
    """Return the envelopes of a verdict: one for each evidence file, then its own."""
    results = [seal(evidence_statement(each, verdict, candidate, signed=now)) for each in evidence]
    inputs = [hashlib.sha256(line).hexdigest() for line in results]
    return (*results, seal(verdict_statement(verdict, candidate, inputs, signed=now)))


def write_lines(path: Path, lines: Sequence[bytes]) -> None:
    """Write the envelopes of a run, all or none; earlier ones of the same run are replaced."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".signing-", dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(b"".join(line + b"\n" for line in lines))
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except OSError as error:
        raise TrustError(
            f"{path}: cannot be written ({error.strerror}).",
            slug="attestation-not-written",
            hint="Make room, then `release-gates attest RUN`.",
        ) from None


def read_lines(path: Path) -> tuple[bytes, ...]:
    """Return the envelopes of a file; ``TrustError`` if it is absent, too large, or torn."""
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_BYTES + 1)
    except OSError as error:
        raise TrustError(
            f"{path}: the attestations of this run cannot be read ({error.strerror}), so nobody signed it.",
            slug="attestation-absent",
            hint="Decide by `release-gates decide --sign KEYFILE`, or `release-gates attest RUN`.",
        ) from None
    return split_lines(data, str(path))


def split_lines(data: bytes, name: str) -> tuple[bytes, ...]:
    """Return the lines of a file of envelopes; ``TrustError`` unless every line has its end."""
    if len(data) > LARGEST_BYTES or not data.endswith(b"\n"):
        raise TrustError(
            f"{name}: is no whole file of attestations.",
            slug="envelope-malformed",
            hint="Bring the original back, or `release-gates attest RUN` again.",
        )
    return tuple(data[:-1].split(b"\n"))
