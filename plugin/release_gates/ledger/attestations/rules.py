"""A person's signed yes to exactly one rules digest, kept beside the rules and outside of their digest."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

import msgspec

from release_gates.errors import TrustError
from release_gates.ledger.attestations.opening import opened
from release_gates.model.attestation import RULES_APPROVAL, STATEMENT, Resource, RulesApproval, Statement
from release_gates.model.record import canonical
from release_gates.model.trust import Trust, TrustedIdentity, TrustedKey

FOLDER = ".approved"
"""In the policy folder: names with a dot are no rules, so that an approval does not change what it is for."""
ROLE = "rules"


def approval_file(policy: Path, rules: str) -> Path:
    """Return where the approval of a rules digest lies in a policy folder."""
    if re.fullmatch(r"[0-9a-f]{64}", rules) is None:
        raise TrustError(f"{rules[:80]!a} is no digest of rules.", slug="attestation-absent", hint="")
    return policy / FOLDER / f"{rules}.intoto.jsonl"


def rules_statement(rules: str, *, by: str, signed: datetime) -> bytes:
    """Return what a person signs who approves a rules digest."""
    return canonical(
        {
            "_type": STATEMENT,
            "subject": _subject(rules),
            "predicateType": RULES_APPROVAL,
            "predicate": RulesApproval(by=by, signed=signed),
        }
    )


def check_rules_approval(
    line: bytes, trust: Trust, rules: str, environment: str, *, now: datetime
) -> TrustedKey | TrustedIdentity:
    """Return the key that approved the rules, or refuse by ``TrustError``.

    In order: signature, digest of the rules, predicate type, role of the key, its days.
    """
    payload, key, _ = opened(line, trust)
    try:
        statement = msgspec.json.decode(payload, type=Statement)
        if statement.subject != _subject(rules):
            raise _unfit("it is about other rules")
        if statement.predicate_type != RULES_APPROVAL:
            raise _unfit("it is no approval of rules")
        approval = msgspec.json.decode(statement.predicate, type=RulesApproval)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        raise _unfit("it is not as release-gates writes it") from None
    if not key.may(ROLE, environment) or approval.by != key.person:
        raise _unfit(f"{key.title}, of a {key.holder}, may not approve rules for {environment}")
    if approval.signed.tzinfo is None or approval.signed > now:
        raise _unfit("it was signed in the future")
    if not key.is_valid(approval.signed) or not key.is_valid(now):
        raise _unfit(f"{key.title} is valid from {key.valid_from} to {key.valid_until}")
    return key


def _subject(rules: str) -> tuple[Resource, ...]:
    return (Resource(name="gates", digest={"sha256": rules}),)


def _unfit(why: str) -> TrustError:
    return TrustError(
        f"The approval of the rules is refused: {why}.",
        slug="attestation-unfit",
        hint="Approve these rules: `release-gates approve-rules --key KEYFILE`.",
    )
