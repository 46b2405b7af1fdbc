"""Signatures by the identity of a workflow: sigstore's bundles, verified by sigstore itself, offline."""

from __future__ import annotations

import importlib.resources
import json
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plugin.tests.ledger.sigstore_instance import CLAIMS, REPOSITORY, WORKFLOW, Instance, b64
from plugin.tests.promotion.signed_world import NOW, RULES, SignedWorld, candidate, new_signer, trusted
from release_gates.errors import TrustError
from release_gates.ledger.attestations.ambient import ambient_seal
from release_gates.ledger.attestations.approvals import approval_statement, check_approval
from release_gates.ledger.attestations.envelope import sealed
from release_gates.ledger.attestations.files import signed_lines
from release_gates.ledger.attestations.opening import opened
from release_gates.ledger.attestations.rules import check_rules_approval, rules_statement
from release_gates.model.event import Approved
from release_gates.model.record import canonical
from release_gates.model.trust import Trust, TrustedIdentity
from release_gates.policy.identity import read_root
from release_gates.policy.mistake import Mistakes
from release_gates.policy.signatory import ROOT

ANN = "Ann Lee <ann@example.org>"


def identity(**changes: Any) -> TrustedIdentity:
    made = TrustedIdentity(
        name="gates",
        roles=("evidence", "verdict"),
        issuer=CLAIMS[8],
        workflow=WORKFLOW,
        repository=REPOSITORY,
        ref=CLAIMS[14],
        trigger=CLAIMS[20],
        valid_from=date(2026, 1, 1),
        valid_until=date(2026, 12, 31),
    )
    return msgspec.structs.replace(made, **changes)


@dataclass
class Certified:
    """A verdict of ``SignedWorld``, signed by the certificates of a sigstore of our own."""

    world: SignedWorld
    instance: Instance

    def __post_init__(self) -> None:
        self.lines = self.sign()

    @property
    def trust(self) -> Trust:
        return self.trusting()

    def trusting(self, *identities: TrustedIdentity, root: str = "") -> Trust:
        return Trust(
            identities=identities or (identity(),), trusted_root=root or self.instance.trusted_root()
        )

    def sign(self, instance: Instance | None = None, **facts: Any) -> tuple[bytes, ...]:
        by = instance or self.instance
        return signed_lines(
            [self.world.evidence],
            self.world.verdict,
            candidate(),
            lambda statement: by.bundle(statement, NOW, **facts),
            now=NOW,
        )

    def check(
        self, lines: tuple[bytes, ...] | None = None, trust: Trust | None = None, **changes: Any
    ) -> str:
        """Return the slug of the refusal, or the name of the identity that is believed."""
        try:
            return self.world.check(lines or self.lines, trust=trust or self.trust, **changes).key.name
        except TrustError as error:
            return error.slug


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Certified:
    return Certified(SignedWorld(tmp_path_factory.mktemp("certified")), Instance())


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def refuse(*_: Any) -> None:
        raise AssertionError("verification reached for the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    return


def test_what_a_workflow_signed_is_accepted_offline(signed: Certified) -> None:
    assert signed.check() == "gates"
    assert signed.check(now=None) == "gates"
    strangers = [identity(name=f"other{number}", ref=f"refs/tags/{number}") for number in range(3)]
    assert signed.check(trust=signed.trusting(*strangers, identity())) == "gates"


OTHERS: dict[str, dict[str, Any]] = {
    "workflow": {"workflow": WORKFLOW.replace("gates.yml", "other.yml")},
    "revision of the workflow": {"workflow": WORKFLOW.replace("heads/main", "heads/feature")},
    "issuer": {"claims": {**CLAIMS, 8: "https://gitlab.com"}},
    "repository that calls ours": {"claims": {**CLAIMS, 12: "https://github.com/mallory/engine"}},
    "ref": {"claims": {**CLAIMS, 14: "refs/heads/feature"}},
    "trigger": {"claims": {**CLAIMS, 20: "pull_request"}},
    "longer ref": {"claims": {**CLAIMS, 14: "refs/heads/main2"}},
    "claim left out": {"claims": {number: text for number, text in CLAIMS.items() if number != 20}},
    "no claims": {"claims": {}},
}


@pytest.mark.parametrize("facts", OTHERS.values(), ids=OTHERS)
def test_another_identity_is_refused(signed: Certified, facts: dict[str, Any]) -> None:
    lines = signed.sign(**facts)
    assert signed.check(lines) == "identity-unknown"
    with pytest.raises(TrustError, match="does not name"):
        opened(lines[0], signed.trust)


def test_whatever_is_not_of_the_trusted_root_is_refused(signed: Certified) -> None:
    stranger = Instance()
    ours = signed.instance
    halves: list[dict[str, Any]] = [
        {"by": stranger.authority},
        {"seen_by": stranger.certificates},
        {"log": stranger.log},
    ]
    for facts in halves:
        assert signed.check(signed.sign(**facts)) == "identity-unverified", facts
    assert signed.check(signed.sign(stranger)) == "identity-unverified"
    empty = [{name: []} for name in ("tlogs", "certificateAuthorities", "ctlogs")]
    for change in empty:
        root = ours.trusted_root(**change)
        assert signed.check(trust=signed.trusting(root=root)) == "identity-unverified"


def test_the_public_instance_is_a_root_like_any_other(signed: Certified) -> None:
    """Its trusted root, as sigstore brings it, is read; and what another instance signed is not of it."""
    folder = importlib.resources.files("sigstore._store") / "https%3A%2F%2Ftuf-repo-cdn.sigstore.dev"
    root, mistakes = (folder / ROOT).read_text("utf-8"), Mistakes("gates")
    assert read_root({ROOT: root}, mistakes, needed=True) == root
    assert not mistakes.found
    with pytest.raises(TrustError, match="failed to build timestamp certificate chain"):
        opened(signed.lines[0], signed.trusting(root=root))


def test_the_log_has_to_know_exactly_this_while_the_certificate_was_valid(signed: Certified) -> None:
    assert signed.check(signed.sign(entry_of=b"{}")) == "identity-unverified"
    for minutes in (-1, 11):
        late = NOW + timedelta(minutes=minutes)
        assert signed.check(signed.sign(logged=late)) == "identity-unverified"


Edit = Callable[[dict[str, Any]], object]
STATEMENT = b64(b'{"_type":"https://in-toto.io/Statement/v1"}')
EDITS: dict[str, tuple[Edit, str]] = {
    "payload": (lambda line: line["dsseEnvelope"].update(payload=STATEMENT), "identity-unverified"),
    "type": (lambda line: line["dsseEnvelope"].update(payloadType="text/plain"), "identity-unverified"),
    "no log entry": (lambda line: line["verificationMaterial"].update(tlogEntries=[]), "envelope-malformed"),
    "no promise": (lambda line: entry(line).pop("inclusionPromise"), "envelope-malformed"),
    "no proof": (lambda line: entry(line).pop("inclusionProof"), "envelope-malformed"),
    "no checkpoint": (lambda line: entry(line)["inclusionProof"].pop("checkpoint"), "envelope-malformed"),
    "other neighbour": (
        lambda line: entry(line)["inclusionProof"].update(hashes=[b64(bytes(32))]),
        "identity-unverified",
    ),
    "time moved": (lambda line: entry(line).update(integratedTime="1769860860"), "identity-unverified"),
    "time far away": (lambda line: entry(line).update(integratedTime=str(2**64 - 1)), "identity-unverified"),
    "two entries": (
        lambda line: line["verificationMaterial"]["tlogEntries"].append(entry(line)),
        "envelope-malformed",
    ),
    "unknown key": (lambda line: line.update(note="trust me"), "envelope-malformed"),
    "a plain key": (
        lambda line: line.update(
            verificationMaterial={
                "publicKey": {"hint": "ab" * 32},
                "tlogEntries": [entry(line)],
            }
        ),
        "envelope-malformed",
    ),
    "a signature of a plain key": (
        lambda line: line["dsseEnvelope"]["signatures"].append({"sig": b64(b"s"), "keyid": "ab" * 32}),
        "identity-unverified",
    ),
    "older form": (
        lambda line: line.update(mediaType="application/vnd.dev.sigstore.bundle+json;version=0.2"),
        "envelope-malformed",
    ),
}


def entry(line: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = line["verificationMaterial"]["tlogEntries"][0]
    return found


@pytest.mark.parametrize(("edit", "slug"), EDITS.values(), ids=EDITS)
def test_no_part_of_a_bundle_can_be_edited(signed: Certified, edit: Edit, slug: str) -> None:
    line = json.loads(signed.lines[-1])
    edit(line)
    assert signed.check((*signed.lines[:-1], canonical(line))) == slug


def test_it_is_canonical_or_refused(signed: Certified) -> None:
    for line in (b" " + signed.lines[1], json.dumps(json.loads(signed.lines[1])).encode()):
        assert signed.check((signed.lines[0], line)) == "envelope-malformed"


@given(st.data())
@settings(max_examples=60)
def test_whatever_byte_is_changed_it_never_says_another_thing(signed: Certified, data: st.DataObject) -> None:
    """A checkpoint names its log, which nobody signs; whatever else is changed is refused."""
    line = bytearray(signed.lines[1])
    line[data.draw(st.integers(0, len(line) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        found = opened(bytes(line), signed.trust)
    except TrustError:
        return
    assert found == opened(signed.lines[1], signed.trust)


def test_days_roles_and_environments_are_those_of_the_identity(signed: Certified) -> None:
    def said(**changes: Any) -> str:
        return signed.check(trust=signed.trusting(identity(**changes)))

    assert said(valid_until=date(2026, 1, 30)) == "key-expired"
    assert said(valid_from=date(2026, 2, 1)) == "key-expired"
    assert said(roles=("evidence",)) == "key-role"
    assert said(roles=("verdict",)) == "key-role"
    assert said(environments=("production",)) == "key-role"
    assert said(environments=("staging",)) == "gates"


def test_the_days_are_those_of_the_certificate_too(signed: Certified) -> None:
    """The clock of the job is half a minute ahead of its certificate, and so on the first day already."""
    night = NOW.replace(hour=23, minute=50)
    lines = signed_lines(
        [signed.world.evidence],
        signed.world.verdict,
        candidate(),
        lambda statement: signed.instance.bundle(statement, night),
        now=night + timedelta(minutes=10, seconds=30),
    )
    later = night + timedelta(hours=1)
    assert signed.check(lines, now=later) == "gates"
    first = signed.trusting(identity(valid_from=date(2026, 2, 1)))
    assert signed.check(lines, trust=first, now=later) == "key-expired"


def test_later_checks_are_those_of_every_envelope(signed: Certified) -> None:
    assert signed.check(candidate=candidate("2")) == "attested-another-candidate"
    assert signed.check((signed.lines[1], signed.lines[0])) == "attested-another-type"
    assert signed.check(rules="b" * 64) == "attested-other-rules"
    assert signed.check(now=NOW + timedelta(days=9)) == "attestation-stale"


def test_its_own_clock_counts_as_far_as_the_certificate_goes(signed: Certified) -> None:
    """Logged in its ten minutes, and says that it was signed an hour later, to seem fresh for longer."""
    lines = signed_lines(
        [signed.world.evidence],
        signed.world.verdict,
        candidate(),
        lambda statement: signed.instance.bundle(statement, NOW),
        now=NOW + timedelta(hours=1),
    )
    assert signed.check(lines, now=NOW + timedelta(hours=2)) == "attestation-stale"


def test_keys_and_identities_do_not_mix(signed: Certified) -> None:
    world = signed.world
    both = Trust(
        keys=(trusted(world.signer),),
        identities=(identity(),),
        trusted_root=signed.instance.trusted_root(),
    )
    assert signed.check(trust=both) == "gates"
    assert signed.check(world.lines, trust=both) == "ci"

    def by_turns(*turns: Callable[[bytes], bytes]) -> tuple[bytes, ...]:
        seals = iter(turns)

        def seal(statement: bytes) -> bytes:
            return next(seals)(statement)

        return signed_lines([world.evidence], world.verdict, candidate(), seal, now=NOW)

    def plain(statement: bytes) -> bytes:
        return sealed(statement, world.signer)

    def bundle(statement: bytes) -> bytes:
        return signed.instance.bundle(statement, NOW)

    for turns in ((plain, bundle), (bundle, plain)):
        assert signed.check(by_turns(*turns), trust=both) == "attestation-unfit"


def test_an_identity_never_passes_for_a_person(signed: Certified) -> None:
    """Even where the policy was read by something else, and gave it every role."""
    every = signed.trusting(identity(roles=("rules", "approval", "checkpoint", "verdict"), person=ANN))
    rules = signed.instance.bundle(rules_statement(RULES, by=ANN, signed=NOW), NOW)
    with pytest.raises(TrustError, match="of a machine, may not approve rules"):
        check_rules_approval(rules, every, RULES, "staging", now=NOW)
    fact = Approved(
        environment="staging",
        candidate=candidate().digest,
        run="run-1",
        verdict="v",
        by=ANN,
        role="risk",
        answer="yes",
        reason="r",
        until=NOW + timedelta(days=1),
    )
    line = signed.instance.bundle(approval_statement(fact, NOW), NOW).decode()
    with pytest.raises(TrustError, match="of a machine"):
        check_approval(msgspec.structs.replace(fact, envelope=line), every, now=NOW)


def test_without_a_root_an_identity_or_the_library_nothing_is_believed(
    signed: Certified, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert signed.check(trust=Trust(identities=(identity(),))) == "identity-unknown"
    assert signed.check(trust=Trust(keys=(trusted(new_signer()),))) == "identity-unknown"
    assert signed.check(trust=signed.trusting(root="{}")) == "identity-unverified"
    monkeypatch.setitem(sys.modules, "sigstore.verify", None)
    with pytest.raises(TrustError, match="not installed") as found:
        signed.world.check(signed.lines, trust=signed.trust)
    assert found.value.hint == "pip install 'pytest-release-gates[sigstore]'"


def test_nothing_is_signed_without_a_service_that_vouches(
    signed: Certified, monkeypatch: pytest.MonkeyPatch
) -> None:
    roles, always = ("evidence", "verdict"), {"valid_until": date.max}
    believed = signed.trusting(identity(**always))

    def slug(trust: Trust = believed) -> str:
        with pytest.raises(TrustError) as found:
            ambient_seal(trust, roles, "staging", None)
        return found.value.slug

    monkeypatch.setattr("sigstore.oidc.detect_credential", lambda: None)
    assert slug() == "no-credential"
    monkeypatch.undo()
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.delenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", raising=False)
    assert slug() == "no-credential"
    assert slug(signed.trusting(identity(**always, environments=("production",)))) == "key-role"
    assert slug(signed.trusting(identity(valid_until=date(2026, 1, 1)))) == "key-role"
    assert slug(Trust()) == "key-role"
    monkeypatch.setitem(sys.modules, "sigstore", None)
    assert slug() == "sigstore-unavailable"
