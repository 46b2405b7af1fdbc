"""Where policy asks for a checkpoint, the ledger holds one that is new enough, and signed as verdicts are."""

from __future__ import annotations

from collections.abc import Sequence

from release_gates.errors import PromotionRefused
from release_gates.ledger.attestations.checkpoints import ROLE
from release_gates.ledger.checkpoint import contradictions
from release_gates.ledger.history import live_since
from release_gates.model.checkpoint import Noted
from release_gates.model.event import Event
from release_gates.model.gate import EnvironmentPolicy
from release_gates.promotion.attested import asks_signature


def check_noted(environment: EnvironmentPolicy, noted: Noted | None, events: Sequence[Event]) -> None:
    """Refuse where a checkpoint is asked for and none is named, or the ledger does not hold what it says.

    It has to cover what told last what is live: what was appended after a checkpoint can be cut off unseen.
    """
    if not environment.checkpoint:
        return
    name = environment.name
    if noted is None:
        raise PromotionRefused(
            f"{name} asks for a checkpoint of the ledger, and none is named.",
            slug="no-checkpoint",
            hint="--gate-checkpoint FILE or git:PREFIX, or GATE_CHECKPOINT; one is made by "
            "`release-gates ledger checkpoint`.",
        )
    if asks_signature(environment) and (noted.key is None or not noted.key.may(ROLE, name)):
        who = f"signed by key {noted.key.name}, which may not" if noted.key else "not signed"
        raise PromotionRefused(
            f"{noted.name}: the checkpoint is {who}; {name} takes signatures only.",
            slug="checkpoint-unsigned",
            hint=f"A machine's key with the role {ROLE} for {name}: `ledger checkpoint --key KEYFILE`.",
        )
    for found in contradictions(noted, events):
        raise PromotionRefused(
            f"{found.sentence}.", slug="ledger-rewound", hint="Bring the ledger back from its backup."
        )
    if (last := live_since(events, name)) > noted.checkpoint.seq:
        raise PromotionRefused(
            f"{noted.name} is of event {noted.checkpoint.seq}, and what is live in {name} was told by event "
            f"{last}: nobody would see that one cut off.",
            slug="checkpoint-behind",
            hint="Write a checkpoint after each promotion: `release-gates ledger checkpoint`.",
        )
