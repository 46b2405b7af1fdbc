"""Keys, signatures and bundles by the command line: signed here, checked elsewhere by public keys."""

from __future__ import annotations

import ast
import json
import os
import shutil
import stat
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import msgspec
import pytest

import release_gates
from release_gates.cli.bundles import checked
from release_gates.errors import TrustError
from release_gates.ledger.attestations.bundle import Bundle, read_bundle
from release_gates.ledger.attestations.envelope import sealed
from release_gates.ledger.attestations.files import signed_lines
from release_gates.ledger.attestations.keys import read_key
from release_gates.ledger.evidence import evidence_from
from release_gates.ledger.sqlite import SqliteLedger
from release_gates.model.candidate import ReleaseCandidate
from release_gates.model.event import RunFinished
from release_gates.model.record import canonical
from release_gates.model.trust import Trust
from release_gates.model.verdict import Verdict
from release_gates.policy.mistake import Mistakes
from release_gates.policy.trust import read_trust
from release_gates.testing import GateProject

TODAY = datetime.now(UTC).date()
KEY = """
[key.{name}]
public = "{public}"
holder = "machine"
roles = ["evidence", "verdict"]
valid_from = {since}
valid_until = {until}
"""


def key_toml(public: str, name: str = "ci", *, since: int = -1, until: int = 30) -> str:
    days = {"since": TODAY + timedelta(days=since), "until": TODAY + timedelta(days=until)}
    return KEY.format(name=name, public=public, **days)


class Signing:
    """A project whose entry takes no LOCAL verdict, and the key of its protected job."""

    def __init__(self, folder: Path) -> None:
        self.project = GateProject(folder / "project")
        self.key = folder / "ci.pem"
        self.project.write("gates/environments.toml", 'schema = 1\npath = ["staging"]\n')
        self.project.write(
            "suites/test_smoke.py", 'import pytest\n\n@pytest.mark.gate("smoke")\ndef test_a(): pass\n'
        )
        self.project.expect(["suites/test_smoke.py::test_a"])
        made = self.project.cli("--json", "keygen", str(self.key))
        assert made.status == 0, made.output
        self.public = str(json.loads(made.output)["public"])
        self.project.write("gates/trust.toml", "schema = 1\n" + key_toml(self.public))

    def measure(self) -> str:
        done = self.project.run("--gate-part", "--gate-evidence", "part.jsonl")
        assert done.status == 0, done.output
        return "part.jsonl"

    def decide(self) -> str:
        words = ("decide", "--environment", "staging", "--sign", str(self.key), self.measure())
        done = self.project.cli(*words)
        assert done.status == 0, done.output
        assert "LOCAL" not in done.output
        return self.project.runs()[-1].started.run

    @property
    def envelopes(self) -> Path:
        return next((self.project.root / ".gates/attestations").glob("*.intoto.jsonl"))


@pytest.fixture
def signing(tmp_path: Path) -> Signing:
    return Signing(tmp_path)


def test_a_key_is_a_file_that_nobody_else_reads(signing: Signing, tmp_path: Path) -> None:
    assert stat.S_IMODE(signing.key.stat().st_mode) == 0o600
    assert "[key-file]" in signing.project.cli("keygen", str(signing.key)).output
    assert "[key-file]" in signing.project.cli("keygen", "inside.pem").output
    assert not (signing.project.root / "inside.pem").exists()
    part = signing.measure()
    os.chmod(signing.key, 0o640)  # noqa: PTH101 - a mode is what this is about
    refused = signing.project.cli("decide", "--environment", "staging", "--sign", str(signing.key), part)
    assert "[key-file]" in refused.output
    assert signing.project.runs() == ()


def test_a_signed_verdict_promotes_where_local_may_not(signing: Signing) -> None:
    run = signing.decide()
    kept = signing.envelopes.read_bytes()
    signing.envelopes.write_bytes(kept.replace(b"cGF5", b"cGF6", 1) if b"cGF5" in kept else kept[:-9])
    assert signing.project.cli("promote", "--to", "staging").status == 2
    signing.envelopes.unlink()
    assert "[attestation-absent]" in signing.project.cli("promote", "--to", "staging").output
    assert signing.project.cli("attest", run, "--key", str(signing.key)).status == 0
    promoted = signing.project.cli("promote", "--to", "staging")
    assert promoted.status == 0, promoted.output
    everything = b"".join(path.read_bytes() for path in signing.project.root.rglob("*") if path.is_file())
    secret = signing.key.read_bytes().splitlines()[1]
    assert secret not in everything


def test_a_verdict_that_somebody_wrote_into_the_ledger_is_not_signed(signing: Signing) -> None:
    signing.decide()
    real = signing.project.runs()[-1]
    ledger = SqliteLedger.open(signing.project.root / ".gates/ledger.db", create=False)
    forged = msgspec.structs.replace(real.verdict, run="forged", attempts_allowed=9)
    ledger.append(msgspec.structs.replace(real.started, run="forged"), at=datetime.now(UTC))
    ledger.append(RunFinished(run="forged", verdict=forged), at=datetime.now(UTC))
    refused = signing.project.cli("attest", "forged", "--key", str(signing.key))
    assert "deciding again gives another verdict" in refused.output
    assert "[attestation-absent]" in signing.project.cli("promote", "--to", "staging").output


def test_without_a_signature_it_is_local(signing: Signing) -> None:
    done = signing.project.cli("decide", "--environment", "staging", signing.measure())
    assert done.status == 10
    assert "local and unsigned" in done.output
    run = signing.project.runs()[-1].started.run
    assert signing.project.cli("attest", run, "--key", str(signing.key)).status == 0
    assert "[verdict-is-hold]" in signing.project.cli("promote", "--to", "staging").output


def test_a_policy_from_elsewhere_is_local_however_it_is_signed(signing: Signing) -> None:
    shutil.copytree(signing.project.root / "gates", signing.project.root / "kind")
    measured = signing.project.run("--gate-part", "--gate-evidence", "p.jsonl", "--gate-policy", "kind")
    assert measured.status == 0, measured.output
    words = ("decide", "--environment", "staging", "--sign", str(signing.key), "p.jsonl")
    done = signing.project.cli("--gate-policy", "kind", *words)
    assert done.status == 10
    assert "which makes the verdict LOCAL" in " ".join(done.output.split())
    assert signing.project.runs()[-1].verdict.local


def test_a_key_that_policy_does_not_name_signs_nothing(signing: Signing, tmp_path: Path) -> None:
    part, other = signing.measure(), tmp_path / "other.pem"
    signing.project.cli("keygen", str(other))
    refused = signing.project.cli("decide", "--environment", "staging", "--sign", str(other), part)
    assert "[key-role]" in refused.output
    assert signing.project.runs() == ()
    signing.project.write("gates/trust.toml", "schema = 1\n" + key_toml(signing.public, until=-1))
    refused = signing.project.cli("decide", "--environment", "staging", "--sign", str(signing.key), part)
    assert "[key-expired]" in refused.output


def test_rules_are_approved_by_a_person(signing: Signing, tmp_path: Path) -> None:
    project, own = signing.project, tmp_path / "ann.pem"
    public = json.loads(project.cli("--json", "keygen", str(own)).output)["public"]
    person = key_toml(public, "ann").replace('"machine"', '"person"\nperson = "Ann Lee <ann@example.org>"')
    person = person.replace('["evidence", "verdict"]', '["rules"]')
    project.write("gates/trust.toml", "schema = 1\n" + key_toml(signing.public) + person)
    path = 'schema = 1\npath = ["staging"]\n[environment.staging]\napproved_rules = true\n'
    project.write("gates/environments.toml", path)
    assert "[key-role]" in project.cli("approve-rules", "--key", str(signing.key)).output
    signing.decide()
    assert "[rules-not-approved]" in project.cli("promote", "--to", "staging").output
    approved = project.cli("approve-rules", "--key", str(own))
    assert approved.status == 0, approved.output
    promoted = project.cli("promote", "--to", "staging")
    assert promoted.status == 0, promoted.output


def test_a_bundle_is_checked_elsewhere_by_public_keys_alone(signing: Signing, tmp_path: Path) -> None:
    run, bundle, elsewhere = signing.decide(), tmp_path / "run.zip", tmp_path / "elsewhere"
    assert signing.project.cli("bundle", run, "--output", str(bundle)).status == 0
    elsewhere.mkdir()
    shutil.copy(signing.project.root / "gates/trust.toml", elsewhere / "keys.toml")
    shutil.move(signing.project.root, tmp_path / "gone")
    signing.key.unlink()
    other = GateProject(elsewhere / "auditor")
    found = other.cli("verify", "--bundle", str(bundle), "--trust", "../keys.toml")
    assert found.status == 0, found.output
    assert "PROMOTE" in found.output
    assert "signed by key ci" in found.output
    other.write("other.toml", "schema = 1\n" + key_toml("ab" * 32))
    assert "[key-unknown]" in other.cli("verify", "--bundle", str(bundle), "--trust", "other.toml").output
    assert "[no-trust]" in other.cli("verify", "--bundle", str(bundle)).output
    assert other.cli("verify", "--trust", "../keys.toml").status == 2


@pytest.fixture(scope="module")
def deciding(tmp_path_factory: pytest.TempPathFactory) -> Signing:
    return Signing(tmp_path_factory.mktemp("bundle"))


@pytest.fixture(scope="module")
def whole(deciding: Signing) -> tuple[Bundle, Trust]:
    """A real bundle of two parts, and the keys that it is checked by."""
    signing, project = deciding, deciding.project
    project.write("suites/test_more.py", 'import pytest\n\n@pytest.mark.gate("smoke")\ndef test_b(): pass\n')
    project.expect(["suites/test_more.py::test_b", "suites/test_smoke.py::test_a"])
    for part in ("smoke", "more"):
        done = project.run("--gate-part", "--gate-evidence", f"{part}.jsonl", f"suites/test_{part}.py")
        assert done.status == 0, done.output
    words = ("decide", "--environment", "staging", "--sign", str(signing.key), "smoke.jsonl", "more.jsonl")
    assert project.cli(*words).status == 0
    file = project.root.parent / "run.zip"
    made = project.cli("bundle", project.runs()[-1].started.run, "--output", str(file))
    assert made.status == 0, made.output
    mistakes = Mistakes()
    trust = read_trust({"trust.toml": "schema = 1\n" + key_toml(signing.public)}, None, mistakes)
    assert trust is not None
    return read_bundle(file), trust


def test_a_bundle_of_two_parts_is_whole(whole: tuple[Bundle, Trust]) -> None:
    assert checked(*whole, Path("run.zip")).verdict.promotes


@pytest.mark.parametrize(
    ("part", "before", "after"),
    [
        ("verdict", b'"attempt":1', b'"attempt":2'),
        ("verdict", b'"PROMOTE"', b'"HOLD"'),
        ("verdict", b'"environment":"staging"', b'"environment":"production"'),
        ("candidate", b'"sha256":"', b'"sha256":"0'),
        ("candidate", b'"name":"engine"', b'"name":"other"'),
        ("rules", b"somebody", b"nobody"),
        ("history", b'"unproven_runs":[]', b'"unproven_runs":["r"]'),
        ("attestations", b"\n", b""),
        ("attestations", b"payload", b"Payload"),
    ],
)
def test_no_part_of_a_bundle_can_be_changed(
    whole: tuple[Bundle, Trust], part: str, before: bytes, after: bytes
) -> None:
    bundle, trust = whole
    data = getattr(bundle, part)
    assert before in data
    with pytest.raises(TrustError):
        checked(replace(bundle, **{part: data.replace(before, after)}), trust, Path("run.zip"))


def test_no_evidence_of_a_bundle_can_be_swapped_left_out_or_edited(whole: tuple[Bundle, Trust]) -> None:
    bundle, trust = whole
    one, other = bundle.evidence
    for evidence in ((other, one), (one,), (one, other, other), (one.replace(b"test_a", b"test_b"), other)):
        with pytest.raises(TrustError):
            checked(replace(bundle, evidence=evidence), trust, Path("run.zip"))


def test_whoever_holds_the_key_cannot_sign_another_decision(
    deciding: Signing, whole: tuple[Bundle, Trust]
) -> None:
    bundle, trust = whole
    signer = read_key(deciding.key, deciding.project.root)
    evidence = [evidence_from(Path("part"), each) for each in bundle.evidence]
    verdict = msgspec.json.decode(bundle.verdict, type=Verdict)
    candidate = msgspec.json.decode(bundle.candidate, type=ReleaseCandidate)

    def signed(of: Verdict) -> Bundle:
        lines = signed_lines(evidence, of, candidate, partial(sealed, signer=signer), now=datetime.now(UTC))
        return replace(bundle, verdict=canonical(of), attestations=b"".join(each + b"\n" for each in lines))

    assert checked(signed(verdict), trust, Path("run.zip")).verdict.promotes
    with pytest.raises(TrustError, match="deciding again gives another verdict"):
        checked(signed(msgspec.structs.replace(verdict, gates=verdict.gates[:0])), trust, Path("run.zip"))


def test_pytest_never_comes_near_a_key() -> None:
    package = Path(release_gates.__file__).parent
    for path in [*(package / "session").rglob("*.py"), package / "pytest_plugin.py"]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [
                getattr(node, "module", "") or "",
                *(each.name for each in getattr(node, "names", ()) if hasattr(each, "name")),
            ]
            assert not any("attestations" in name or "securesystemslib" in name for name in names), path
