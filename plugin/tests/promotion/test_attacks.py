"""The attack table: each row is refused with its own reason, where signatures are asked for.

What needs more than a ledger and a file stands where that is: artifact paths and links in ``candidate/``
(``test_file``, ``test_create``, ``test_verify``), a poisoned store in ``candidate/test_store`` and
``test_deploying``, a moved tag in ``test_oci_executor``, a ledger that is absent or was written by hand in
``ledger/test_stores`` and ``test_tampering``, hostile text in pages and CI forms in ``report/``, bundles and
exports that were edited in ``cli/``.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
from securesystemslib.signer import CryptoSigner

from plugin.tests.cli.test_signing import Signing
from plugin.tests.promotion.signed_world import (
    NOW,
    RULES,
    SignedWorld,
    candidate,
    judged,
    new_signer,
    trusted,
    verdict,
)
from release_gates.errors import PromotionRefused
from release_gates.ledger.attestations.approvals import approval_statement
from release_gates.ledger.attestations.envelope import sealed
from release_gates.ledger.attestations.files import attestations_of, write_lines
from release_gates.ledger.attestations.rules import approval_file, rules_statement
from release_gates.ledger.chain import to_row
from release_gates.ledger.sqlite import SqliteLedger
from release_gates.model.approval import AskedRole
from release_gates.model.candidate import ReleaseCandidate
from release_gates.model.checkpoint import Checkpoint, Noted
from release_gates.model.event import (
    Approved,
    FirstRelease,
    GateFailed,
    Promoted,
    RunFinished,
    RunInvalidated,
    RunStarted,
)
from release_gates.model.gate import EnvironmentPolicy, GateSpec
from release_gates.model.outcome import Outcome
from release_gates.model.record import digest
from release_gates.model.route import BREAK_GLASS, Route
from release_gates.model.trust import Trust, TrustedKey
from release_gates.model.verdict import TestProblem, Verdict
from release_gates.model.waiver import Waived
from release_gates.policy.load import policy_from_snapshot
from release_gates.promotion.promote import promote
from release_gates.testing import GateProject

LATER = NOW + timedelta(hours=1)
ANN, EVE, BOB = "Ann <ann@example.org>", "Eve <eve@example.org>", "Bob <bob@example.org>"
ANNS = "Ann Lee <ann@example.org>"
WAIVER = """
schema = 1
[waiver.slow]
environment = "staging"
gate = "smoke"
limit = "order.p99"
candidate = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
bound = "<= {} ms"
reason = "known"
ticket = "T-1"
owner = "eve"
approver = "bob"
created = 2026-01-30
expires = 2026-02-05
"""


class World(SignedWorld):
    """A ledger of ours, local and unsigned, whose entry takes signed verdicts only."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.ledger = SqliteLedger.open(self.folder / "ledger.db", create=True)
        self.tell(self.verdict)
        self.keep(self.lines)

    @property
    def started(self) -> RunStarted:
        return RunStarted(
            run="run-1",
            environment="staging",
            candidate=candidate(),
            rules=RULES,
            actor="ci",
            evidence=("run-1.jsonl",),
        )

    def tell(self, of: Verdict) -> None:
        started = msgspec.structs.replace(self.started, run=of.run, rules=of.inputs.rules)
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
        heads: tuple[str, ...] = (),
        noted: Noted | None = None,
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
            heads=heads,
            noted=noted,
        )
        assert isinstance(event.fact, Promoted)
        return event.fact


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_what_was_signed_goes_through(world: World) -> None:
    assert world.promote(checkpoint=True, noted=note_of(world)).run == "run-1"


def test_what_people_signed_goes_through(world: World) -> None:
    approving((ANN, ANN, {}), (EVE, EVE, {}), least=2)(world)
    assert any(isinstance(event.fact, Promoted) for event in world.ledger.events())


class Attack(NamedTuple):
    """What somebody does, and the refusal that meets it."""

    name: str
    do: Callable[[World], Any]
    slug: str
    says: str = ""


def signed_about(**changes: Any) -> Callable[[World], Any]:
    """Sign a verdict that differs from the ledger's, by a key that is trusted."""
    return lambda world: (
        world.keep(world.sign(msgspec.structs.replace(world.verdict, **changes))),
        world.promote(),
    )


HOTFIX = Route(name="hotfix", gates=("smoke",), full_within_s=3600.0)
GLASS = Route(name=BREAK_GLASS, gates=("smoke",), full_within_s=3600.0, any_time=True)


def on_a_route(world: World, *, started: bool = True, as_if: Route | None = None) -> None:
    """Tell a run of a shorter route, signed, where none on another counts; promote as if it were of that."""
    world.ledger.append(RunInvalidated(run="run-1", by="eve", reason="wrong host"), at=NOW)
    made = verdict(world.evidence, run="run-2", route="hotfix", left_out=("load",))
    run = msgspec.structs.replace(world.started, run="run-2", route="hotfix" if started else msgspec.UNSET)
    world.ledger.append(run, at=NOW)
    world.ledger.append(RunFinished(run="run-2", verdict=made), at=NOW)
    world.keep(world.sign(made), "run-2")
    world.promote(route=as_if)


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


def fails(world: World, run: str) -> None:
    """Let a gate fail for these digests in a run, as a process does before it can be killed."""
    fact = GateFailed(
        run=run, environment="staging", candidate=candidate().digest, gate="smoke", test="t", because="b"
    )
    world.ledger.append(fact, at=NOW)


def failing_run_hidden(world: World) -> None:
    """Measure again, see it fail, kill it, and show the older PROMOTE, which is signed and fresh."""
    started = msgspec.structs.replace(world.started, run="run-2")
    world.ledger.append(started, at=NOW)
    fails(world, "run-2")
    world.promote()


def failing_file_left_out(world: World) -> None:
    """The run had two evidence files; its verdict is on the one that passed."""
    started = msgspec.structs.replace(world.started, run="run-2", evidence=("run-1.jsonl", "red.jsonl"))
    made = verdict(world.evidence, run="run-2")
    world.ledger.append(started, at=NOW)
    world.ledger.append(RunFinished(run="run-2", verdict=made), at=NOW)
    world.keep(world.sign(made), "run-2")
    world.promote()


def signed_part_left_out(world: World) -> None:
    world.keep(world.lines[1:])
    world.promote()


def promote_written_over_a_hold(world: World) -> None:
    """Sign and tell a PROMOTE for a run that ended in a HOLD: the worse of two counts."""
    hold = verdict(world.evidence, judged(Outcome.FAIL))
    world.ledger.append(RunFinished(run="run-1", verdict=hold), at=NOW)
    world.promote()


def evidence_behind_a_link(world: World) -> None:
    """Evidence that leads elsewhere is what it leads to, and that was not measured."""
    path = world.folder / "run-1.jsonl"
    (world.folder / "elsewhere").write_bytes(path.read_bytes() + b"{}")
    path.unlink()
    path.symlink_to(world.folder / "elsewhere")
    world.promote()


def run_that_leads_elsewhere(world: World) -> None:
    of = verdict(world.evidence, run="../../evil")
    world.tell(of)
    (world.folder / "evil.intoto.jsonl").write_bytes(b"".join(each + b"\n" for each in world.sign(of)))
    world.promote()


def waiver_that_ended(world: World) -> None:
    """A verdict that rests on a waiver is signed; the waiver ends before the promotion."""
    waived = Waived(
        waiver="slow",
        was=Outcome.FAIL,
        bounds="<= 6 ms",
        reason="known",
        ticket="T-1",
        owner=EVE,
        approver=BOB,
        expires=NOW,
    )
    problem = TestProblem(test="s.py::a", outcome=Outcome.WAIVED, because="x", waived=waived)
    of = verdict(world.evidence, judged(Outcome.WAIVED, problems=(problem,)), run="run-2")
    world.tell(of)
    world.keep(world.sign(of), "run-2")
    world.promote()


def rules_with(**files: str) -> str:
    """Return the digest of a policy with these files."""
    plain = {"/tool": "t", "staging.toml": 'schema = 1\n[gate.smoke]\nowner = "me"\n'}
    environments = {"environments.toml": 'schema = 1\npath = ["staging"]\n'}
    given = {f"{name}.toml": text for name, text in files.items()}
    return policy_from_snapshot({**plain, **environments, **given}).digest


def waiver_widened(world: World) -> None:
    """Decided and signed with a waiver of 6 ms; by now the file says 60 ms."""
    before, after = (rules_with(staging=LIMIT.format(5), waivers=WAIVER.format(most)) for most in (6, 60))
    inputs = msgspec.structs.replace(world.verdict.inputs, rules=before)
    of = verdict(world.evidence, run="run-2", inputs=inputs)
    world.tell(of)
    world.keep(world.sign(of), "run-2")
    world.promote(rules=after)


LIMIT = 'schema = 1\n[gate.smoke]\nowner = "me"\n[gate.smoke.limits]\n"order.p99" = "<= {} ms"\n'


def policy_weakened_with_the_candidate(world: World) -> None:
    """The merge request brings a candidate and a softer limit; somebody approved the old limit."""
    old, new = (rules_with(staging=LIMIT.format(most)) for most in (5, 50))
    inputs = msgspec.structs.replace(world.verdict.inputs, rules=new)
    of = verdict(world.evidence, run="run-2", inputs=inputs)
    world.tell(of)
    world.keep(world.sign(of), "run-2")
    approved(world, old, as_if=new)


def approved(world: World, rules: str, *, as_if: str) -> Promoted:
    """Promote under the rules ``as_if``, where a person signed ``rules`` and the file was renamed."""
    ann = new_signer()
    write_lines(
        approval_file(world.folder / "gates", as_if),
        [sealed(rules_statement(rules, by=ANN, signed=NOW), ann)],
    )
    person = trusted(ann, name="ann", holder="person", person=ANN, roles=("rules",))
    return world.promote(keys=(trusted(world.signer), person), approved_rules=True, rules=as_if)


def note_of(world: World, **changes: Any) -> Noted:
    """Return a signed note of where the ledger is, and what somebody makes of it."""
    last = to_row(list(world.ledger.events())[-1])
    made = Checkpoint(seq=last.seq, at=NOW, digest=last.digest)
    key = trusted(world.signer, roles=("checkpoint",))
    return Noted(checkpoint=msgspec.structs.replace(made, **changes), name="the tag ledger-9", key=key)


def noted(asked: bool = True, key: Any = True, **changes: Any) -> Callable[[World], Any]:
    """Promote where a checkpoint is asked for, with one that differs from the ledger."""

    def do(world: World) -> None:
        note = note_of(world, **changes)
        note = note if key is True else msgspec.structs.replace(note, key=key)
        world.promote(checkpoint=True, noted=note if asked else None)

    return do


def checkpoint_of_before(world: World) -> None:
    note = note_of(world)
    fact = FirstRelease(environment="staging", by="x", reason="y")
    world.ledger.append(fact, at=NOW - timedelta(seconds=1))
    of = verdict(world.evidence, run="run-2")
    world.tell(of)
    world.keep(world.sign(of), "run-2")
    world.promote(checkpoint=True, noted=note)


def answered(
    world: World, by: str, signer: CryptoSigner | None, signed: dict[str, Any] | None = None, **changes: Any
) -> None:
    """Write an answer into the ledger, as somebody may who may write it; ``signed`` is what was signed."""
    fact = Approved(
        environment="staging",
        candidate=candidate().digest,
        run=world.verdict.run,
        verdict=digest(world.verdict),
        by=by,
        role="risk",
        answer="yes",
        reason="",
        until=NOW + timedelta(hours=12),
    )
    if signer is not None:
        said = msgspec.structs.replace(fact, **(signed or {}))
        changes["envelope"] = sealed(approval_statement(said, NOW), signer).decode()
    world.ledger.append(msgspec.structs.replace(fact, **changes), at=NOW)


def approving(
    *answers: tuple[Any, ...], authors: tuple[str, ...] = (BOB,), least: int = 1, **changes: Any
) -> Callable[[World], Any]:
    """Promote where ``least`` people have to say yes; an answer is a person, a key, and what is signed."""

    def do(world: World) -> None:
        for person, which, signed in answers:
            answered(world, person, KEYS.get(which), signed)
        keys = [trusted(world.signer)]
        for number, (name, key) in enumerate(KEYS.items()):
            person = {"holder": "person", "person": name.removesuffix("'"), "roles": ("approval",)}
            keys.append(trusted(key, name=f"k{number}", **{**person, **changes}))
        asked = AskedRole(name="risk", least=least, persons=(ANN, EVE, BOB))
        of = msgspec.structs.replace(candidate(), authors=authors)
        world.promote(keys=tuple(keys), of=of, approvals=(asked,))

    return do


def author_taken_out(world: World) -> None:
    """The run knew its author; by now candidate.toml names somebody else, and its digests are the same."""
    of = msgspec.structs.replace(candidate(), authors=(ANN,))
    world.ledger.append(msgspec.structs.replace(world.started, run="run-2", candidate=of), at=NOW)
    made = verdict(world.evidence, run="run-2")
    world.ledger.append(RunFinished(run="run-2", verdict=made), at=NOW)
    world.keep(world.sign(made), "run-2")
    world.verdict = made
    approving((ANN, ANN, {"run": "run-2"}), authors=(BOB,))(world)


KEYS = {ANN: new_signer(), EVE: new_signer(), BOB: new_signer(), f"{ANN}'": new_signer()}
"""The last is another key of the first person."""

PERSON = {"holder": "person", "person": "Ann <ann@example.org>"}
ATTACKS = [
    Attack("a verdict of another candidate", another_candidate, "attested-another-candidate"),
    Attack("a verdict of another environment", signed_about(environment="dev"), "attestation-unfit"),
    Attack("a verdict under other rules", under_other_rules, "attested-other-rules"),
    Attack("rules that changed since", lambda world: world.promote(rules="b" * 64), "rules-changed"),
    Attack("another verdict of the same run", signed_about(attempt=2), "attestation-unfit"),
    Attack("a shorter route told as the normal one", on_a_route, "route-differs", "was for the route hotfix"),
    Attack(
        "a shorter route told as an emergency", lambda w: on_a_route(w, as_if=GLASS), "emergency-unexplained"
    ),
    Attack("a normal verdict on a shorter route", lambda w: w.promote(route=HOTFIX), "route-differs"),
    Attack(
        "a shorter route's verdict of a normal run", lambda w: on_a_route(w, started=False), "run-unfinished"
    ),
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
    Attack(
        "the clock set back", lambda w: w.promote(now=NOW - timedelta(hours=1)), "verdict-from-the-future"
    ),
    Attack("a failing run hidden", failing_run_hidden, "run-unfinished"),
    Attack("a failure after the verdict", lambda w: (fails(w, "run-1"), w.promote()), "failed-since"),
    Attack("a failing file left out", failing_file_left_out, "evidence-changed"),
    Attack("a signed part left out", signed_part_left_out, "attestation-unfit"),
    Attack("a PROMOTE written over a HOLD", promote_written_over_a_hold, "verdict-is-hold"),
    Attack("evidence behind a link", evidence_behind_a_link, "evidence-changed"),
    Attack("a run's name that leads elsewhere", run_that_leads_elsewhere, "attestation-absent"),
    Attack("a waiver that ended", waiver_that_ended, "waiver-expired"),
    Attack("a waiver widened", waiver_widened, "rules-changed"),
    Attack("policy weakened in the same change", policy_weakened_with_the_candidate, "rules-not-approved"),
    Attack("ledger rewound", noted(seq=9), "ledger-rewound", "it was rewound"),
    Attack("ledger rebuilt", noted(digest="f" * 64), "ledger-rewound", "the ledger was rebuilt"),
    Attack("ledger rebuilt since a verdict", lambda w: w.promote(heads=("f" * 64,)), "ledger-damaged"),
    Attack("checkpoint left out", noted(asked=False), "no-checkpoint"),
    Attack("checkpoint unsigned", noted(key=None), "checkpoint-unsigned"),
    Attack("checkpoint of before", checkpoint_of_before, "checkpoint-behind"),
]
YES, NO = (ANN, ANN, {}), "not-approved"
ATTACKS += [
    Attack("approved by nobody", approving(), NO, "0 of 1."),
    Attack("approved, unsigned", approving((ANN, None, {})), NO, "is not signed"),
    Attack("approved by an author", approving((BOB, BOB, {})), NO, "is an author"),
    Attack("approved by an author's other name", approving(YES, authors=(ANNS,)), NO, "is an author"),
    Attack("an author taken out of the candidate", author_taken_out, NO, "is an author"),
    Attack("authors unknown", approving(YES, authors=()), "authors-unknown"),
    Attack("one person, two keys", approving(YES, (ANN, f"{ANN}'", {}), least=2), NO, "counted already"),
    Attack("one key, two people", approving(YES, (EVE, ANN, {}), least=2), NO, "may not say it for"),
    Attack("approved by a machine", approving(YES, holder="machine", person=""), NO, "of a machine"),
    Attack("approved by a key for rules", approving(YES, roles=("rules",)), NO, r"role\(s\) rules"),
    Attack(
        "approval of another verdict", approving((ANN, ANN, {"verdict": "b" * 64})), NO, "another verdict"
    ),
    Attack("approval of another entry", approving((ANN, ANN, {"environment": "dev"})), NO, "another environ"),
    Attack("a key of another entry", approving(YES, environments=("dev",)), NO, "may not say it for"),
    Attack("a person's key that ended", approving(YES, valid_until=date(2026, 1, 30)), NO, "not on 2026"),
    Attack("a no told as a yes", approving((ANN, ANN, {"answer": "no"})), NO, "another answer"),
]


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_refused(world: World, attack: Attack) -> None:
    with pytest.raises(PromotionRefused, match=attack.says or None) as found:
        attack.do(world)
    assert found.value.slug == attack.slug
    assert not any(isinstance(event.fact, Promoted) for event in world.ledger.events())


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


UNSEEN = "value-that-nobody-may-see"
EVIL = "\x1b[2J\x1b]0;owned\x07 <script>alert(1)</script> ![x](https://evil.example/y)"
SUITE = """
import os
import pytest

@pytest.mark.gate("smoke")
def test_a(gate):
    assert os.environ.get("API_TOKEN")
    gate.measure("order.time", 3, "ms")
"""


def test_hostile_reasons_and_secret_variables_are_in_no_output(tmp_path: Path) -> None:
    """A no with escapes and markup in its reason is told everywhere; the values of variables are nowhere."""
    project = GateProject(tmp_path)
    project.write("suites/test_smoke.py", SUITE)
    project.limits("smoke", {"order.time": "<= 5 ms"})
    project.expect(["suites/test_smoke.py::test_a"])
    with (project.root / "gates/environments.toml").open("a") as file:
        file.write(f'[environment.staging.approvals.role.risk]\nleast = 1\npersons = ["{EVE}"]\n')
    toml = project.root / "candidate.toml"
    toml.write_text(toml.read_text().replace("authors = []", f'authors = ["{BOB}"]'))
    variables = {"API_TOKEN": UNSEEN, "GATE_ACTOR": "ci"}
    said = [project.run(env=variables).output]
    said.append(project.cli("approve", "staging", "--by", EVE, "--refuse", "--reason", EVIL).output)
    words = [("promote", "--to", "staging"), ("status",), ("explain", "staging"), ("verify",)]
    words += [("report", "staging", "--format", form) for form in ("text", "markdown", "junit", "github")]
    for each in words:
        done = project.cli(*each, env=variables)
        assert done.output, each
        said.append(done.output)
    assert "owned" in said[2], "the reason is told"
    for text in said:
        assert not {"\x1b", "\x07"} & set(text)
        assert UNSEEN not in text
    page = project.cli("report", "staging", "--output", "page.html", env=variables)
    assert page.status == 0, page.output
    assert "<script>alert" not in (tmp_path / "page.html").read_text()
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or UNSEEN.encode() not in path.read_bytes(), path
