"""The attack table: each row is refused with its own reason, where signatures are asked for."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from plugin.tests.cli.test_signing import Signing
from plugin.tests.promotion.signed_world import (
    NOW,
    RULES,
    SignedWorld,
    candidate,
    new_signer,
    trusted,
    verdict,
)
from release_gates.errors import PromotionRefused
from release_gates.ledger.attestations.envelope import sealed
from release_gates.ledger.attestations.files import attestations_of, write_lines
from release_gates.ledger.attestations.rules import approval_file, rules_statement
from release_gates.ledger.sqlite import SqliteLedger
from release_gates.model.candidate import ReleaseCandidate
from release_gates.model.event import Promoted, RunFinished, RunStarted
from release_gates.model.gate import EnvironmentPolicy, GateSpec
from release_gates.model.trust import Trust, TrustedKey
from release_gates.model.verdict import Verdict
from release_gates.promotion.promote import promote

LATER = NOW + timedelta(hours=1)


class World(SignedWorld):
    """A ledger of ours, local and unsigned, whose entry takes signed verdicts only."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.ledger = SqliteLedger.open(self.folder / "ledger.db", create=True)
        self.tell(self.verdict)
        self.keep(self.lines)

    def tell(self, of: Verdict) -> None:
        started = RunStarted(
            run=of.run,
            environment="staging",
            candidate=candidate(),
            rules=RULES,
            actor="ci",
            evidence=("run-1.jsonl",),
        )
        self.ledger.append(started, at=NOW)
        self.ledger.append(RunFinished(run=of.run, verdict=of), at=NOW)

    def keep(self, lines: tuple[bytes, ...], run: str = "run-1") -> None:
        write_lines(attestations_of(self.folder / ".gates", run), lines)

    def promote(
        self,
        *,
        keys: tuple[TrustedKey, ...] | None = None,
        of: ReleaseCandidate | None = None,
        rules: str = RULES,
        now: datetime = LATER,
        **changes: Any,
    ) -> Promoted:
        trust = Trust(keys=(trusted(self.signer),) if keys is None else keys)
        entry = EnvironmentPolicy(name="staging", gates=(GateSpec(name="smoke", owner="me"),), trust=trust)
        event = promote(
            self.ledger,
            environment=msgspec.structs.replace(entry, **changes),
            candidate=of or candidate(),
            rules=rules,
            by="bob",
            now=now,
            root=self.folder,
        )
        assert isinstance(event.fact, Promoted)
        return event.fact


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_what_was_signed_goes_through(world: World) -> None:
    assert world.promote().run == "run-1"


class Attack(NamedTuple):
    """What somebody does, and the refusal that meets it."""

    name: str
    do: Callable[[World], Any]
    slug: str


def signed_about(**changes: Any) -> Callable[[World], Any]:
    """Sign a verdict that differs from the ledger's, by a key that is trusted."""
    return lambda world: (
        world.keep(world.sign(msgspec.structs.replace(world.verdict, **changes))),
        world.promote(),
    )


def under_other_rules(world: World) -> None:
    inputs = msgspec.structs.replace(world.verdict.inputs, rules="b" * 64)
    signed_about(inputs=inputs)(world)


def another_candidate(world: World) -> None:
    world.keep(world.sign(about=candidate("2")))
    world.promote()


def edited_evidence(world: World) -> None:
    path = world.folder / "run-1.jsonl"
    path.write_bytes(path.read_bytes().replace(b"smoke", b"smok3"))
    world.promote()


def edited_signature(world: World) -> None:
    world.keep((world.lines[0], world.lines[1].replace(b'"payload":"', b'"payload":"AAAA', 1)))
    world.promote()


def replayed(world: World) -> None:
    """The newest run has a verdict of its own; what lies beside it is the older run's."""
    world.tell(verdict(world.evidence, run="run-2"))
    world.keep(world.lines, "run-2")
    world.promote()


def unsigned(world: World) -> None:
    attestations_of(world.folder / ".gates", "run-1").unlink()
    world.promote()


def by_stranger(world: World) -> None:
    world.keep(world.sign(by=new_signer()))
    world.promote()


def backdated(world: World) -> None:
    world.keep(world.sign(at=NOW - timedelta(days=3)))
    world.promote()


def as_keys(**changes: Any) -> Callable[[World], Any]:
    """Keep the signature, and let the key be another kind of key."""
    return lambda world: world.promote(keys=(trusted(world.signer, **changes),))


PERSON = {"holder": "person", "person": "Ann <ann@example.org>"}
ATTACKS = [
    Attack("a verdict of another candidate", another_candidate, "attested-another-candidate"),
    Attack("a verdict of another environment", signed_about(environment="dev"), "attestation-unfit"),
    Attack("a verdict under other rules", under_other_rules, "attested-other-rules"),
    Attack("rules that changed since", lambda world: world.promote(rules="b" * 64), "rules-changed"),
    Attack("another verdict of the same run", signed_about(attempt=2), "attestation-unfit"),
    Attack("edited evidence", edited_evidence, "evidence-changed"),
    Attack("edited signature", edited_signature, "signature-invalid"),
    Attack("no signature", unsigned, "attestation-absent"),
    Attack("a key that nobody named", by_stranger, "key-unknown"),
    Attack("no key is named", lambda world: world.promote(keys=()), "key-unknown"),
    Attack("an expired key", as_keys(valid_until=date(2026, 1, 30)), "key-expired"),
    Attack("a key of next year", as_keys(valid_from=date(2027, 1, 1)), "key-expired"),
    Attack("a person's key as a machine's", as_keys(roles=("rules",), **PERSON), "key-role"),
    Attack("a person's key with a machine's roles", as_keys(**PERSON), "key-role"),
    Attack("a machine's key with a person's role", as_keys(roles=("rules",)), "key-role"),
    Attack("a key that may attest evidence only", as_keys(roles=("evidence",)), "key-role"),
    Attack("a key of another environment", as_keys(environments=("dev",)), "key-role"),
    Attack("an older verdict, replayed", replayed, "attestation-unfit"),
    Attack("signed before it was decided", backdated, "attestation-stale"),
    Attack("too old", lambda world: world.promote(now=NOW + timedelta(days=2)), "verdict-stale"),
    Attack("an artifact swapped after the run", lambda w: w.promote(of=candidate("2")), "never-measured"),
    Attack("no trust.toml, so nobody signs", lambda world: world.promote(trust=None), "local-verdict"),
]


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_refused(world: World, attack: Attack) -> None:
    with pytest.raises(PromotionRefused) as found:
        attack.do(world)
    assert found.value.slug == attack.slug
    assert not any(isinstance(event.fact, Promoted) for event in world.ledger.events())


ANN = "Ann <ann@example.org>"


def rules_approved(
    world: World,
    *,
    rules: str = RULES,
    by: str = ANN,
    at: datetime = NOW,
    now: datetime = LATER,
    statement: bytes | None = None,
    **changes: Any,
) -> Promoted:
    """Approve rules by a person's key, and promote where approved rules are asked for."""
    ann = new_signer()
    person = {"name": "ann", "holder": "person", "person": ANN, "roles": ("rules",)}
    line = sealed(statement or rules_statement(rules, by=by, signed=at), ann)
    write_lines(approval_file(world.folder / "gates", RULES), [line])
    keys = (trusted(world.signer), trusted(ann, **{**person, **changes}))
    return world.promote(keys=keys, approved_rules=True, now=now)


def test_approved_rules_go_through(world: World) -> None:
    assert rules_approved(world).run == "run-1"


@pytest.mark.parametrize(
    ("facts", "says"),
    [
        ({"rules": "b" * 64}, "about other rules"),
        ({"by": "Eve <eve@example.org>"}, "may not approve"),
        ({"holder": "machine", "person": "", "by": ""}, "may not approve"),
        ({"roles": ("verdict",)}, "may not approve"),
        ({"environments": ("dev",)}, "may not approve"),
        ({"valid_until": date(2026, 1, 30)}, "valid from"),
        ({"at": NOW - timedelta(days=99)}, "valid from"),
        ({"at": NOW + timedelta(hours=2)}, "in the future"),
        ({"public": "ef" * 32}, "does not name"),
    ],
)
def test_rules_that_nobody_approved(world: World, facts: dict[str, Any], says: str) -> None:
    with pytest.raises(PromotionRefused) as found:
        rules_approved(world, **facts)
    assert found.value.slug == "rules-not-approved"
    assert says in found.value.message


def test_no_approval_and_another_statement_in_its_place(world: World) -> None:
    with pytest.raises(PromotionRefused) as found:
        world.promote(approved_rules=True)
    assert found.value.slug == "rules-not-approved"
    approval = rules_statement(RULES, by=ANN, signed=NOW)
    other = approval.replace(b"rules-approval:v1", b"rules-approval:v2")
    with pytest.raises(PromotionRefused, match="is no approval of rules"):
        rules_approved(world, statement=other)


def test_a_name_cannot_move_the_cursor(world: World) -> None:
    evil = candidate("2", name="\x1b[2J\x1b]0;owned\x07engine")
    world.keep(world.sign(about=evil))
    with pytest.raises(PromotionRefused) as found:
        world.promote()
    assert str(found.value).isprintable()
    hostile = world.lines[1].replace(world.lines[1][11:19], b"\x1b[2J\x1b[H!")
    world.keep((world.lines[0], hostile))
    with pytest.raises(PromotionRefused) as found:
        world.promote()
    assert str(found.value).isprintable()


def test_an_artifact_that_was_swapped_on_disk(tmp_path: Path) -> None:
    signing = Signing(tmp_path)
    signing.decide()
    (signing.project.root / "artifact").write_text("engine 1, with a door in its back")
    refused = signing.project.cli("promote", "--to", "staging")
    assert "[artifact-changed]" in refused.output
    assert refused.status == 2
