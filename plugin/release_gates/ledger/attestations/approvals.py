"""A person's signed answer to one promotion; its envelope is kept in the ledger's own event."""

from __future__ import annotations

from datetime import datetime

import msgspec
from msgspec import UNSET

from release_gates.errors import TrustError
from release_gates.ledger.attestations.opening import opened
from release_gates.model.attestation import (
    PROMOTION_APPROVAL,
    STATEMENT,
    PromotionApproval,
    Resource,
    Statement,
)
from release_gates.model.event import Approved
from release_gates.model.record import canonical
from release_gates.model.trust import Trust

ROLE = "approval"
_SAID = ("environment", "candidate", "run", "verdict", "by", "role", "answer", "reason", "until")


def approval_statement(fact: Approved, signed: datetime) -> bytes:
    """Return what a person signs who answers: everything that the event says, and when it was signed."""
    return _statement(PromotionApproval(**{name: getattr(fact, name) for name in _SAID}, signed=signed))


def check_approval(fact: Approved, trust: Trust, *, now: datetime) -> datetime:
    """Return when the person whom an answer names signed exactly that answer; ``TrustError`` otherwise.

    In order: signature, what it is about, role and person of the key, its days (as it signed, and now).
    """
    if fact.envelope is UNSET:
        raise TrustError("it is not signed.", slug="approval-unsigned", hint="")
    payload, key, _ = opened(fact.envelope.encode("utf-8", "replace"), trust)
    said = _said(payload)
    for name in _SAID:
        if getattr(said, name) != getattr(fact, name):
            raise _unfit(f"what was signed is about another {name}")
    if not key.may(ROLE, fact.environment) or key.person != fact.by:
        raise TrustError(
            f"{key.title}, of a {key.holder} with the role(s) {', '.join(key.roles)}, may not say it for "
            f"{fact.by!a} and {fact.environment}.",
            slug="key-role",
            hint="",
        )
    for moment in (said.signed, now):
        if not key.is_valid(moment):
            raise TrustError(
                f"{key.title} is valid from {key.valid_from} to {key.valid_until}, and not on "
                f"{moment:%Y-%m-%d}.",
                slug="key-expired",
                hint="",
            )
    return said.signed


def _said(payload: bytes) -> PromotionApproval:
    try:
        statement = msgspec.json.decode(payload, type=Statement)
        if statement.predicate_type != PROMOTION_APPROVAL:
            raise _unfit("what was signed is no approval of a promotion")
        said = msgspec.json.decode(statement.predicate, type=PromotionApproval)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        raise _unfit("what was signed is not as release-gates writes it") from None
    if said.signed.tzinfo is None or _statement(said) != payload:
        raise _unfit("what was signed is not as release-gates writes it")
    return said


def _statement(said: PromotionApproval) -> bytes:
    return canonical(
        {
            "_type": STATEMENT,
            "subject": (
                Resource(name="candidate", digest={"sha256": said.candidate}),
                Resource(name="verdict", digest={"sha256": said.verdict}),
            ),
            "predicateType": PROMOTION_APPROVAL,
            "predicate": said,
        }
    )


def _unfit(why: str) -> TrustError:
    return TrustError(f"{why}.", slug="attestation-unfit", hint="")
