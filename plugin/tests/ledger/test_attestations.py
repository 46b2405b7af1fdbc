"""Signed statements: what they say, that no byte of them can change, in which order they are checked."""

from __future__ import annotations

import base64
import json
import sys
import zipfile
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plugin.tests.promotion.signed_world import (
    NOW,
    RULES,
    SignedWorld,
    candidate,
    evidence,
    judged,
    new_signer,
    trusted,
    verdict,
)
from release_gates.errors import TrustError
from release_gates.ledger.attestations.bundle import Bundle, packed, read_bundle
from release_gates.ledger.attestations.envelope import sealed
from release_gates.ledger.attestations.keys import make_key, read_key
from release_gates.ledger.attestations.opening import opened
from release_gates.ledger.attestations.statements import evidence_statement, verdict_statement
from release_gates.model.evidence import Evidence
from release_gates.model.outcome import Outcome, Severity
from release_gates.model.trust import Trust
from release_gates.model.verdict import GateJudgement, TestProblem


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> SignedWorld:
    return SignedWorld(tmp_path_factory.mktemp("signed"))


def test_what_was_signed_is_accepted(world: SignedWorld) -> None:
    assert world.check().key.name == "ci"
    assert world.check(now=None).at == NOW


def test_the_forms_are_those_of_in_toto_and_slsa(world: SignedWorld) -> None:
    result, summary = (json.loads(base64.b64decode(json.loads(line)["payload"])) for line in world.lines)
    for statement in (result, summary):
        assert statement["_type"] == "https://in-toto.io/Statement/v1"
        assert statement["subject"][0]["digest"]["sha256"] == candidate().artifacts[0].sha256
    assert result["predicateType"] == "https://in-toto.io/attestation/test-result/v0.1"
    assert result["predicate"]["result"] == "PASSED"
    assert result["predicate"]["passedTests"] == ["s.py::a"]
    assert result["predicate"]["configuration"][0]["digest"] == {"sha256": RULES}
    assert summary["predicateType"] == "https://slsa.dev/verification_summary/v1"
    assert summary["predicate"]["policy"]["digest"] == {"sha256": RULES}
    assert summary["predicate"]["verificationResult"] == "PASSED"
    assert len(summary["predicate"]["inputAttestations"]) == 1


@given(st.data())
@settings(max_examples=300)
def test_no_byte_of_an_envelope_can_be_changed(world: SignedWorld, data: st.DataObject) -> None:
    which = data.draw(st.integers(0, 1))
    line = bytearray(world.lines[which])
    at = data.draw(st.integers(0, len(line) - 1))
    line[at] ^= data.draw(st.integers(1, 255))
    lines = list(world.lines)
    lines[which] = bytes(line)
    with pytest.raises(TrustError):
        world.check(tuple(lines))
    with pytest.raises(TrustError):
        opened(bytes(line), world.trust)


@given(st.binary(max_size=200) | st.text(max_size=50).map(str.encode))
@settings(max_examples=100)
def test_anything_else_is_no_envelope(world: SignedWorld, junk: bytes) -> None:
    with pytest.raises(TrustError):
        opened(junk, world.trust)


@pytest.mark.parametrize("lines", [(), (0,), (1,), (1, 0), (0, 0, 1), (0, 1, 1)])
def test_none_is_left_out_doubled_or_moved(world: SignedWorld, lines: tuple[int, ...]) -> None:
    with pytest.raises(TrustError):
        world.check(tuple(world.lines[each] for each in lines))


def test_the_order_of_checks_is_fixed(world: SignedWorld, tmp_path: Path) -> None:
    """Everything is wrong at once; each thing that is put right shows the next."""
    stranger, other = new_signer(), candidate("2")
    old = verdict(world.evidence, run="run-0", decided=NOW + timedelta(hours=2))
    facts: dict[str, Any] = {"candidate": other, "rules": "b" * 64, "verdict": old}
    person = trusted(world.signer, holder="person", roles=("rules",), person="Ann <a@x.org>")
    expired = trusted(world.signer, valid_until=date(2026, 1, 1))
    swapped = (world.lines[1], world.lines[0])
    slugs = []

    def refused(lines: tuple[bytes, ...], *keys: Any) -> None:
        with pytest.raises(TrustError) as found:
            world.check(lines, trust=Trust(keys=keys), **facts)
        slugs.append(found.value.slug)

    refused(swapped, trusted(stranger))
    torn = json.loads(swapped[1])
    torn["signatures"][0]["sig"] = base64.b64encode(bytes(64)).decode()
    refused((swapped[0], msgspec.json.encode(torn, order="sorted")), person)
    refused(swapped, person)
    facts["candidate"] = candidate()
    refused(swapped, person)
    refused(world.lines, person)
    refused(world.lines, expired)
    refused(world.lines, trusted(world.signer))
    facts["rules"] = RULES
    refused(world.lines, trusted(world.signer))
    facts["verdict"] = verdict(world.evidence, run="run-0")
    refused(world.lines, trusted(world.signer))
    assert slugs == [
        "key-unknown",
        "signature-invalid",
        "attested-another-candidate",
        "attested-another-type",
        "key-role",
        "key-expired",
        "attested-other-rules",
        "attestation-stale",
        "attestation-unfit",
    ]


def result_of(of: Evidence, *gates: GateJudgement) -> dict[str, Any]:
    statement = evidence_statement(of, verdict(of, *gates), candidate(), signed=NOW)
    found: dict[str, Any] = json.loads(statement)["predicate"]
    return found


WORDS = [
    (Outcome.WARN, "", "warnedTests", "WARNED"),
    (Outcome.WAIVED, "", "waived", "WARNED"),
    (Outcome.INCONCLUSIVE, "", "inconclusive", "FAILED"),
    (Outcome.INCONCLUSIVE, "skipped: no NUMA here", "skipped", "FAILED"),
    (Outcome.ERROR, "", "failedTests", "FAILED"),
    (Outcome.FAIL, "", "failedTests", "FAILED"),
]


@pytest.mark.parametrize(("outcome", "because", "word", "result"), WORDS)
def test_whatever_blocks_is_failed(
    tmp_path: Path, outcome: Outcome, because: str, word: str, result: str
) -> None:
    own = Outcome.PASS if outcome in (Outcome.WARN, Outcome.WAIVED) else outcome
    of = evidence(tmp_path, outcome=own, because=because)
    found = result_of(of, judged(outcome))
    assert found["result"] == result
    assert {**found, **found["releasegates_run"]}[word] == ["s.py::a"]
    assert found["passedTests"] == []
    shown = result_of(of, judged(outcome, severity=Severity.ADVISORY))
    assert shown["result"] == "WARNED"


def test_what_is_missing_is_named_and_failed(tmp_path: Path) -> None:
    of = evidence(tmp_path)
    absent = TestProblem(test="s.py::b", outcome=Outcome.MISSING, because="did not come")
    found = result_of(of, judged(), judged(Outcome.MISSING, name="load", ran=0, problems=(absent,)))
    assert found["result"] == "FAILED"
    assert found["releasegates_run"]["missing"] == ["s.py::b"]
    killed = msgspec.structs.replace(of, end=None)
    assert result_of(killed, judged())["result"] == "FAILED"


def test_a_hold_is_signed_as_failed_and_never_passes_for_a_promote(world: SignedWorld) -> None:
    hold = verdict(world.evidence, judged(Outcome.FAIL))
    lines = world.sign(hold)
    world.check(lines, verdict=hold)
    with pytest.raises(TrustError):
        world.check(lines)
    # A decider that is told to say PASSED of a HOLD: its own words contradict the ledger.
    lie = json.loads(verdict_statement(hold, candidate(), [], signed=NOW))
    lie["predicate"]["verificationResult"] = "PASSED"
    lying = (lines[0], sealed(msgspec.json.encode(lie, order="sorted"), world.signer))
    with pytest.raises(TrustError):
        world.check(lying, verdict=hold)


def test_private_keys_are_read_from_safe_places_only(tmp_path: Path) -> None:
    project, key = tmp_path / "project", tmp_path / "key.pem"
    project.mkdir()
    public = make_key(key, project)
    assert read_key(key, project).public_key.keyid == public
    link, junk = tmp_path / "link.pem", tmp_path / "junk.pem"
    link.symlink_to(key)
    junk.write_text("secret words")
    junk.chmod(0o600)
    (project / "inside.pem").symlink_to(key)
    for path in (link, junk, tmp_path / "absent", tmp_path, project / "inside.pem"):
        with pytest.raises(TrustError) as found:
            read_key(path, project)
        assert found.value.slug == "key-file"
        assert "secret words" not in str(found.value)


def test_without_the_library_nothing_is_accepted(world: SignedWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "securesystemslib", None)
    with pytest.raises(TrustError) as found:
        world.check()
    assert found.value.slug == "attest-unavailable"


WHOLE = Bundle(
    attestations=b"a",
    verdict=b"v",
    candidate=b"c",
    rules=b"r",
    history=b"h",
    events=b"v",
    evidence=(b"e", b"f"),
    checkpoint=b"p",
)


def slug_of(path: Path) -> str:
    try:
        read_bundle(path)
    except TrustError as error:
        return error.slug
    return ""


def test_a_bundle_is_read_as_it_was_packed(tmp_path: Path) -> None:
    path = tmp_path / "b.zip"
    path.write_bytes(packed(WHOLE))
    assert read_bundle(path) == WHOLE
    assert packed(WHOLE) == packed(WHOLE)


def test_an_entry_that_swallows_the_next_is_refused(tmp_path: Path) -> None:
    """The length of a comment in zip's list of files decides where the next file's entry begins."""
    content = bytearray(packed(WHOLE))
    last = content.rindex(b"PK\x01\x02")
    before = content.rindex(b"PK\x01\x02", 0, last)
    content[before + 32] = len(content) - 22 - last
    path = tmp_path / "damaged.zip"
    path.write_bytes(bytes(content))
    assert slug_of(path) == "bundle-damaged"


@given(st.data())
@settings(max_examples=100)
def test_damaged_bundles_are_refused_in_words(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    content = bytearray(packed(WHOLE))
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    path = tmp_path_factory.getbasetemp() / "damaged.zip"
    path.write_bytes(bytes(content))
    said = slug_of(path)
    assert said == "bundle-damaged" or read_bundle(path) == WHOLE


@pytest.mark.parametrize("name", ["../evil", "/etc/passwd", "evidence-0003.jsonl", "evidence-0004.jsonl"])
def test_a_bundle_holds_nothing_else(tmp_path: Path, name: str) -> None:
    path = tmp_path / "b.zip"
    path.write_bytes(packed(WHOLE))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(name, b"x")
    if name == "evidence-0003.jsonl":
        assert len(read_bundle(path).evidence) == 3  # the signed verdict says how many there are
        return
    with pytest.raises(TrustError):
        read_bundle(path)
