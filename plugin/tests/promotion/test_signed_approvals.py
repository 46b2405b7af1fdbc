"""Signed approvals: a yes counts by that person's own key, for exactly what was signed, and for no more."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from securesystemslib.signer import CryptoSigner

from plugin.tests.cli.test_signing import Signing, key_toml
from plugin.tests.promotion.signed_world import new_signer, trusted
from plugin.tests.promotion.test_approvals import (
    ANN,
    BOB,
    CANDIDATE,
    ENTRY,
    EVE,
    HOUR,
    NOW,
    TABLE,
    by_hand,
    said,
    verdict,
    view,
)
from release_gates.errors import PromotionRefused
from release_gates.ledger.attestations.approvals import approval_statement
from release_gates.ledger.attestations.envelope import sealed
from release_gates.ledger.attestations.rules import rules_statement
from release_gates.model.event import Approved, Event
from release_gates.model.trust import Trust, TrustedKey
from release_gates.promotion.approvals import check_answer, check_approvals

KEYS = {person: new_signer() for person in (ANN, BOB, EVE)}
SECOND = new_signer()


def key_of(owner: str, signer: CryptoSigner | None = None, **changes: Any) -> TrustedKey:
    own = {"name": owner[:3].lower(), "holder": "person", "person": owner, "roles": ("approval",)}
    return trusted(signer or KEYS[owner], **{**own, **changes})


TRUST = tuple(key_of(person) for person in KEYS)


def signed(event: Event, signer: CryptoSigner | None = None, **changes: Any) -> Event:
    """Sign an answer as the command does; ``changes`` are made after it was signed."""
    fact = event.fact
    assert isinstance(fact, Approved)
    envelope = sealed(approval_statement(fact, event.at), signer or KEYS[fact.by]).decode()
    return by_hand(event, **{"envelope": envelope, **changes})


def check(*events: Event, keys: tuple[TrustedKey, ...] = TRUST, at: Any = NOW + HOUR) -> None:
    entry = msgspec.structs.replace(ENTRY, trust=Trust(keys=keys))
    check_approvals(events, view(verdict()), verdict(), entry, CANDIDATE, now=at)


ONE, OTHER = said(ANN, "release"), said(EVE, "risk")
GOOD = signed(OTHER)


def test_what_was_signed_counts() -> None:
    check(signed(ONE), GOOD)


def swapped(**changes: Any) -> TrustedKey:
    return key_of(ANN, **changes)


def fact_of(event: Event) -> Approved:
    assert isinstance(event.fact, Approved)
    return event.fact


def envelope_of(event: Event) -> object:
    return fact_of(event).envelope


ANNS = approval_statement(fact_of(ONE), NOW)
ROWS: list[tuple[str, Event, tuple[TrustedKey, ...], str]] = [
    ("unsigned", ONE, TRUST, "it is not signed"),
    ("by a key that nobody named", signed(ONE, new_signer()), TRUST, "does not name"),
    ("by another person's key", signed(ONE, KEYS[EVE]), TRUST, "key eve, .* may not say it for"),
    ("by a machine's key", signed(ONE), (swapped(holder="machine", person=""), *TRUST[1:]), "of a machine"),
    ("by a machine named Ann", signed(ONE), (swapped(holder="machine"), *TRUST[1:]), "of a machine"),
    ("by a key for rules", signed(ONE), (swapped(roles=("rules",)), *TRUST[1:]), r"role\(s\) rules, may not"),
    ("by a key of staging", signed(ONE), (swapped(environments=("staging",)), *TRUST[1:]), "may not say it"),
    (
        "by a key that ended since",
        signed(said(ANN, "release", at=NOW - timedelta(hours=1))),
        (swapped(valid_until=date(2026, 1, 30)), *TRUST[1:]),
        "valid from .* and not on 2026-01-31",
    ),
    ("by a key of next month", signed(ONE), (swapped(valid_from=date(2026, 2, 1)), *TRUST[1:]), "valid from"),
    (
        "of another verdict, replayed",
        by_hand(ONE, envelope=envelope_of(signed(said(ANN, "release", to=verdict(attempt=2))))),
        TRUST,
        "about another verdict",
    ),
    (
        "of another run, replayed",
        by_hand(ONE, envelope=envelope_of(signed(said(ANN, "release", to=verdict("r0"))))),
        TRUST,
        "about another run",
    ),
    (
        "of another environment",
        by_hand(ONE, envelope=envelope_of(signed(by_hand(ONE, environment="staging")))),
        TRUST,
        "about another environment",
    ),
    (
        "of another candidate",
        by_hand(ONE, envelope=envelope_of(signed(by_hand(ONE, candidate="1" * 64)))),
        TRUST,
        "about another candidate",
    ),
    (
        "a no, told as a yes",
        by_hand(ONE, envelope=envelope_of(signed(by_hand(ONE, answer="no")))),
        TRUST,
        "about another answer",
    ),
    ("longer than signed", signed(ONE, until=NOW + 99 * HOUR), TRUST, "about another until"),
    ("for another role", signed(said(BOB, "release"), role="risk"), TRUST, "about another role"),
    ("in another name", signed(ONE, by=BOB), TRUST, "about another by"),
    (
        "told again later",
        msgspec.structs.replace(signed(said(ANN, "release", at=NOW - 2 * HOUR)), at=NOW),
        TRUST,
        "said so until",
    ),
    ("from the future", signed(said(ANN, "release", at=NOW + 2 * HOUR)), TRUST, "in the future"),
    (
        "another statement",
        by_hand(ONE, envelope=sealed(rules_statement("a" * 64, by=ANN, signed=NOW), KEYS[ANN]).decode()),
        TRUST,
        "no approval of a promotion",
    ),
    (
        "not in canonical form",
        by_hand(ONE, envelope=sealed(ANNS.replace(b",", b", ", 1), KEYS[ANN]).decode()),
        TRUST,
        "not as release-gates writes it",
    ),
    (
        "about other digests",
        by_hand(ONE, envelope=sealed(ANNS.replace(b"0", b"1", 1), KEYS[ANN]).decode()),
        TRUST,
        "Not counted: Ann",
    ),
    ("no envelope", by_hand(ONE, envelope=""), TRUST, "no envelope"),
    ("no text", by_hand(ONE, envelope="\ud800"), TRUST, "no envelope"),
]


@pytest.mark.parametrize(("event", "keys", "says"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_refused(event: Event, keys: tuple[TrustedKey, ...], says: str) -> None:
    with pytest.raises(PromotionRefused, match=rf"release 0 of 1.*{says}") as found:
        check(event, GOOD, keys=keys)
    assert found.value.slug == "not-approved"


def test_one_person_under_two_keys_counts_once() -> None:
    keys = (*TRUST, key_of(BOB, SECOND, name="bob2"))
    twice = (signed(said(BOB, "release")), signed(said(BOB, "risk"), SECOND))
    with pytest.raises(PromotionRefused, match=r"risk 0 of 1. Not counted: Bob Roe .*is counted already"):
        check(*twice, keys=keys)
    check(*twice, GOOD, keys=keys)


def test_an_unsigned_yes_before_hers_takes_nothing_away() -> None:
    check(ONE, signed(ONE), GOOD)


def test_a_no_needs_no_signature() -> None:
    with pytest.raises(PromotionRefused, match="the risk report is late"):
        check(signed(ONE), GOOD, said(BOB, "risk", yes=False))


def test_where_local_is_enough_nobody_has_to_sign() -> None:
    entry = msgspec.structs.replace(ENTRY, trust=Trust(keys=TRUST), local_may_promote=True)
    check_approvals((ONE, OTHER), view(verdict()), verdict(), entry, CANDIDATE, now=NOW + HOUR)
    check_answer(fact_of(ONE), entry, now=NOW)
    with pytest.raises(PromotionRefused, match="may not say it"):  # what is signed is signed well
        check_answer(fact_of(signed(ONE, KEYS[EVE])), entry, now=NOW)


@given(st.data())
@settings(max_examples=100)
def test_no_byte_of_it_can_be_changed(data: st.DataObject) -> None:
    event = signed(ONE)
    text = list(str(envelope_of(event)))
    at = data.draw(st.integers(0, len(text) - 1))
    text[at] = data.draw(st.characters().filter(lambda new: new != text[at]))
    with pytest.raises(PromotionRefused, match="release 0 of 1"):
        check(by_hand(event, envelope="".join(text)), GOOD)


def person_toml(public: str, name: str, person: str) -> str:
    toml = key_toml(public, name).replace('"machine"', f'"person"\nperson = "{person}"')
    return toml.replace('["evidence", "verdict"]', '["approval"]')


def test_a_real_promotion_waits_for_signed_approvals(tmp_path: Path) -> None:
    signing = Signing(tmp_path)
    project, own = signing.project, tmp_path / "eve.pem"
    public = json.loads(project.cli("--json", "keygen", str(own)).output)["public"]
    project.write(
        "gates/trust.toml", f"schema = 1\n{key_toml(signing.public)}{person_toml(public, 'eve', EVE)}"
    )
    path = 'schema = 1\npath = ["staging"]\n'
    project.write("gates/environments.toml", path + TABLE.format(least=1, persons=f'["{EVE}", "{BOB}"]'))
    toml = project.root / "candidate.toml"
    toml.write_text(toml.read_text().replace("authors = []", f'authors = ["{ANN}"]'))
    signing.decide()
    assert "[not-approved]" in project.cli("promote", "--to", "staging").output
    assert "[approval-unsigned]" in project.cli("approve", "staging", "--by", EVE).output
    assert "[key-role]" in project.cli("approve", "staging", "--key", str(signing.key)).output
    assert "[key-role]" in project.cli("approve", "staging", "--key", str(own), "--by", BOB).output
    done = project.cli("approve", "staging", "--key", str(own))
    assert done.status == 0, done.output
    promoted = project.cli("promote", "--to", "staging")
    assert promoted.status == 0, promoted.output
