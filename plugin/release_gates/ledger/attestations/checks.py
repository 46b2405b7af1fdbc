"""Whether signed statements are about exactly this verdict. Pure: the clock and all bytes come in.

Each envelope is checked in one order, and the first that does not hold is said: signature, subject digest,
predicate type, role of the key, rules digest, freshness, verdict.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

import msgspec

from release_gates.errors import TrustError
from release_gates.ledger.attestations.opening import opened
from release_gates.model.attestation import (
    TEST_RESULT,
    VERIFICATION_SUMMARY,
    About,
    Predicate,
    Statement,
    TestResult,
    VerificationSummary,
    subjects,
)
from release_gates.model.candidate import ReleaseCandidate
from release_gates.model.record import CLOCK_TOLERANCE, digest
from release_gates.model.trust import Trust, TrustedIdentity, TrustedKey
from release_gates.model.verdict import Verdict

MOST = 1000
"""More envelopes for one verdict are refused."""
Kind = TypeVar("Kind", bound=Predicate)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the statements have to be about.

    ``now`` is None for an archive: then a key has to be valid at the moment of signing only, and nothing is
    too old. ``most`` is how old a signature may be.
    """

    candidate: ReleaseCandidate
    environment: str
    rules: str
    verdict: Verdict
    now: datetime | None
    most: timedelta


@dataclass(frozen=True, slots=True)
class Signed:
    """Who signed a verdict, and when."""

    key: TrustedKey | TrustedIdentity
    at: datetime


def check_attestations(lines: Sequence[bytes], trust: Trust, wanted: Wanted) -> Signed:
    """Return who signed the verdict, if all that it rests on is signed too; ``TrustError`` otherwise.

    ``lines`` are envelopes: a test result for each evidence file in the verdict's order, then its summary.
    """
    if not 1 < len(lines) <= MOST:
        raise _not_about(f"it has {len(lines)} envelope(s): one for each evidence file, and the verdict's")
    *results, last = lines
    key, summary = _checked(last, VERIFICATION_SUMMARY, VerificationSummary, "verdict", trust, wanted)
    files = wanted.verdict.inputs.evidence
    if summary.about.evidence != files or len(results) != len(files):
        raise _not_about(f"it is about {len(results)} evidence file(s), the verdict about {len(files)}")
    if (summary.result == "PASSED") is not wanted.verdict.promotes:
        raise _not_about(f"it says {summary.result}, the verdict says {wanted.verdict.verdict}")
    if [each.digest.get("sha256") for each in summary.inputs] != [_sha256(line) for line in results]:
        raise _not_about("the test results beside it are not those that it was signed with")
    for line, file in zip(results, files, strict=True):
        by, result = _checked(line, TEST_RESULT, TestResult, "evidence", trust, wanted)
        if type(by) is not type(key):
            raise _not_about("one part of it is signed by a key, and another by the identity of a workflow")
        if result.about.evidence != (file,):
            raise _not_about("a test result is about another evidence file than the verdict")
        if wanted.verdict.promotes and not wanted.verdict.is_observed and result.result == "FAILED":
            raise _not_about("a test result says FAILED, and the verdict PROMOTE")
    return Signed(key, summary.about.signed)


def _checked(
    line: bytes, type_: str, kind: type[Kind], role: str, trust: Trust, wanted: Wanted
) -> tuple[TrustedKey | TrustedIdentity, Kind]:
    payload, key, period = opened(line, trust)
    statement = _statement(payload)
    if statement.subject != subjects(wanted.candidate):
        raise TrustError(
            f"An attestation is refused: it is about other artifacts than {wanted.candidate.name!a} "
            f"{wanted.candidate.version!a} ({wanted.candidate.digest[:12]}).",
            slug="attested-another-candidate",
            hint="Run the gate for this candidate, and sign that verdict.",
        )
    if statement.predicate_type != type_:
        raise TrustError(
            f"An attestation is refused: it is a {statement.predicate_type[:80]!a}, and not {type_}.",
            slug="attested-another-type",
            hint="Bring the original file back, or `release-gates attest RUN` again.",
        )
    predicate = _predicate(statement.predicate, kind)
    _check_key(key, role, (predicate.about.signed, *(period or ()), wanted.now), wanted)
    _check_rules(predicate, wanted)
    _check_fresh(predicate.about, period, wanted)
    _check_about(predicate.about, wanted)
    return key, predicate


def _statement(payload: bytes) -> Statement:
    try:
        return msgspec.json.decode(payload, type=Statement)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        raise _not_about("what is signed is no in-toto statement v1 as release-gates writes it") from None


def _predicate(raw: msgspec.Raw, kind: type[Kind]) -> Kind:
    try:
        return msgspec.json.decode(raw, type=kind)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        raise _not_about("its predicate is not as release-gates writes it") from None


def _check_key(
    key: TrustedKey | TrustedIdentity, role: str, moments: Sequence[datetime | None], wanted: Wanted
) -> None:
    if not key.may(role, wanted.environment):
        raise TrustError(
            f"An attestation is refused: {key.title}, of a {key.holder} with the role(s) "
            f"{', '.join(key.roles)}, may not sign as {role} for the entry to {wanted.environment}.",
            slug="key-role",
            hint="Sign by a key that gates/trust.toml names for it.",
        )
    for moment in moments:
        if moment is not None and not key.is_valid(moment):
            raise TrustError(
                f"An attestation is refused: {key.title} is valid from {key.valid_from} to "
                f"{key.valid_until}, and not on {moment:%Y-%m-%d}.",
                slug="key-expired",
                hint="Sign by a key that is valid: `release-gates keygen`, then gates/trust.toml.",
            )


def _check_rules(predicate: Predicate, wanted: Wanted) -> None:
    given = predicate.configuration if isinstance(predicate, TestResult) else (predicate.policy,)
    if [each.digest for each in given] != [{"sha256": wanted.rules}]:
        found = given[0].digest.get("sha256", "none") if given else "none"
        raise TrustError(
            f"An attestation is refused: it was signed under the rules {found[:12]!a}, not "
            f"{wanted.rules[:12]}.",
            slug="attested-other-rules",
            hint=f"Run the gate again: `release-gates run {wanted.environment}`.",
        )


def _check_fresh(about: About, period: tuple[datetime, datetime] | None, wanted: Wanted) -> None:
    decided = wanted.verdict.decided
    if None in (about.signed.tzinfo, decided.tzinfo) or about.signed < decided:
        raise _stale(f"it says that it was signed at {about.signed}, before the verdict was decided")
    if period and not period[0] - CLOCK_TOLERANCE <= about.signed <= period[1] + CLOCK_TOLERANCE:
        days = f"{period[0]:%Y-%m-%d %H:%M} to {period[1]:%Y-%m-%d %H:%M} UTC"
        raise _stale(f"it says that it was signed at {about.signed}, and its certificate is of {days}")
    if wanted.now is None:
        return
    if about.signed > wanted.now + CLOCK_TOLERANCE:
        raise _stale(f"it says that it was signed at {about.signed}, which is in the future")
    if wanted.now - about.signed > wanted.most:
        raise _stale(f"it was signed at {about.signed:%Y-%m-%d %H:%M} UTC, which is too long ago")


def _check_about(about: About, wanted: Wanted) -> None:
    verdict = wanted.verdict
    asked = (verdict.run, wanted.environment, wanted.candidate.digest, digest(verdict))
    said = (about.run, about.environment, about.candidate, about.verdict)
    names = ("run", "environment", "candidate", "verdict")
    for name, found, expected in zip(names, said, asked, strict=True):
        if found != expected:
            raise _not_about(f"it is about another {name}: {found[:40]!a}, not {expected[:40]!a}")


def _stale(why: str) -> TrustError:
    return TrustError(
        f"An attestation is refused: {why}.",
        slug="attestation-stale",
        hint="Set the clock right, and sign again: `release-gates attest RUN`.",
    )


def _not_about(why: str) -> TrustError:
    return TrustError(
        f"An attestation is refused: {why}.",
        slug="attestation-unfit",
        hint="Sign the verdict that is in the ledger: `release-gates attest RUN`.",
    )


def _sha256(line: bytes) -> str:
    return hashlib.sha256(line).hexdigest()
