"""Attestations: an in-toto Statement v1 about a candidate, and the envelope (DSSE) that carries it signed.

The names of the fields are those of in-toto and SLSA; what is ours stands in ``releasegates_run`` alone.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType, field

from release_gates.model.candidate import ReleaseCandidate
from release_gates.model.record import Record

PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT = "https://in-toto.io/Statement/v1"
TEST_RESULT = "https://in-toto.io/attestation/test-result/v0.1"
VERIFICATION_SUMMARY = "https://slsa.dev/verification_summary/v1"
RULES_APPROVAL = "urn:pytest-release-gates:rules-approval:v1"
LEDGER_CHECKPOINT = "urn:pytest-release-gates:ledger-checkpoint:v1"
PROMOTION_APPROVAL = "urn:pytest-release-gates:promotion-approval:v1"


class Signature(Record, frozen=True, kw_only=True):
    """One signature, in base64; ``keyid`` is the public key itself, in hexadecimal digits."""

    keyid: str
    sig: str


class Envelope(Record, frozen=True, kw_only=True):
    """A signed statement (DSSE): ``payload`` is its base64."""

    payload: str
    payload_type: str = field(name="payloadType")
    signatures: tuple[Signature, ...]


class Resource(Record, frozen=True, kw_only=True, omit_defaults=True):
    """What in-toto calls a resource descriptor: a thing by its digest."""

    name: str = ""
    uri: str = ""
    digest: dict[str, str] = {}
    annotations: dict[str, str] = {}


class Statement(Record, frozen=True, kw_only=True):
    """A statement as it was signed, its predicate not yet read."""

    type_: Literal["https://in-toto.io/Statement/v1"] = field(name="_type")
    subject: tuple[Resource, ...]
    predicate_type: str = field(name="predicateType")
    predicate: msgspec.Raw


class About(Record, frozen=True, kw_only=True):
    """Our own words in a predicate: which run this is, and what in-toto has no field for.

    ``verdict`` is the digest of the verdict and ``evidence`` those of its evidence files: all of them in a
    summary, the one that it is about in a test result.
    """

    run: str
    environment: str
    candidate: str
    signed: datetime
    verdict: str
    evidence: tuple[str, ...]
    skipped: tuple[str, ...] = ()
    waived: tuple[str, ...] = ()
    inconclusive: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    route: str | UnsetType = UNSET
    """The route that the verdict is for, left out for the normal one."""


class TestResult(Record, frozen=True, kw_only=True):
    """The predicate of evidence (test-result v0.1); ``configuration`` is the rules, by digest."""

    __test__ = False

    result: Literal["PASSED", "WARNED", "FAILED"]
    configuration: tuple[Resource, ...]
    passed: tuple[str, ...] = field(name="passedTests")
    warned: tuple[str, ...] = field(name="warnedTests")
    failed: tuple[str, ...] = field(name="failedTests")
    about: About = field(name="releasegates_run")


class VerificationSummary(Record, frozen=True, kw_only=True):
    """The predicate of a verdict (SLSA verification summary v1)."""

    verifier: dict[str, str]
    verified: datetime = field(name="timeVerified")
    resource: str = field(name="resourceUri")
    policy: Resource
    inputs: tuple[Resource, ...] = field(name="inputAttestations")
    result: Literal["PASSED", "FAILED"] = field(name="verificationResult")
    levels: tuple[str, ...] = field(name="verifiedLevels")
    about: About = field(name="releasegates_run")


class RulesApproval(Record, frozen=True, kw_only=True):
    """The predicate of a person's yes to rules; the subject of its statement is their digest."""

    by: str
    signed: datetime


class PromotionApproval(Record, frozen=True, kw_only=True):
    """The predicate of a person's answer to one promotion; its subjects are the two digests."""

    environment: str
    candidate: str
    run: str
    verdict: str
    by: str
    role: str
    answer: Literal["yes", "no"]
    reason: str
    until: datetime
    signed: datetime


Predicate = TestResult | VerificationSummary


def subjects(candidate: ReleaseCandidate) -> tuple[Resource, ...]:
    """Return a candidate's artifacts as subjects, sorted by name and digest."""
    return tuple(
        Resource(name=each.name, digest={"sha256": each.sha256}, annotations={"kind": each.kind})
        for each in sorted(candidate.artifacts, key=lambda each: (each.name, each.sha256))
    )
