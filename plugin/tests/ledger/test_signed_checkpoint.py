"""Signed checkpoints, in files and in git tags: which count, and what an entry that asks for one refuses."""

from __future__ import annotations

import json
import subprocess
from datetime import date, timedelta
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from securesystemslib.signer import CryptoSigner

from plugin.tests.cli.test_signing import key_toml
from plugin.tests.ledger.test_checkpoint import NOW, fact, fill
from plugin.tests.promotion.signed_world import new_signer, trusted
from release_gates.errors import LedgerError, PromotionRefused
from release_gates.ledger.attestations.checkpoints import checkpoint_statement
from release_gates.ledger.attestations.envelope import sealed
from release_gates.ledger.checkpoint import check_checkpoint, read_checkpoint, write_checkpoint
from release_gates.ledger.notes import FileNote, Note, TagNote, note_of
from release_gates.ledger.sqlite import SqliteLedger
from release_gates.model.checkpoint import Checkpoint, Noted
from release_gates.model.gate import EnvironmentPolicy, GateSpec
from release_gates.model.trust import Trust, TrustedKey
from release_gates.promotion.noted import check_noted
from release_gates.testing import GateProject

SIGNER = new_signer()
KEY = trusted(SIGNER, name="clock", roles=("checkpoint",))
TRUST = Trust(keys=(KEY,))
MADE = Checkpoint(seq=3, at=NOW, digest="a" * 64, ledger="b" * 64)


def read(note: Note, trust: Trust = TRUST) -> Noted:
    return read_checkpoint(note, trust, now=NOW)


def write(note: Note, ledger: SqliteLedger, signer: CryptoSigner | None = SIGNER) -> Noted:
    return write_checkpoint(note, ledger, TRUST, now=NOW, signer=signer)


def repository(folder: Path) -> TagNote:
    folder.mkdir()
    who = ("-c", "user.name=x", "-c", "user.email=x@example.org")
    for words in (("init", "-q"), (*who, "commit", "-q", "--allow-empty", "-m", "first")):
        subprocess.run(["git", *words], cwd=folder, check=True)
    return TagNote(folder, "gates/ledger")


@pytest.fixture(params=["file", "git"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Note:
    return repository(tmp_path / "repo") if request.param == "git" else FileNote(tmp_path / "seen")


def test_what_was_signed_is_read_and_finds_a_rewound_ledger(
    place: Note, ledger: SqliteLedger, tmp_path: Path
) -> None:
    fill(ledger, 3)
    assert write(place, ledger).checkpoint == read(place).checkpoint
    ledger.append(fact(9), at=NOW + timedelta(minutes=1))
    made, again = write(place, ledger), write(place, ledger)
    assert made.checkpoint == again.checkpoint == read(place).checkpoint
    assert made.key == KEY
    check_checkpoint(read(place), ledger.events())
    other = SqliteLedger.open(tmp_path / "other.db", create=True)
    fill(other, 4)
    with pytest.raises(LedgerError, match="ledger-rewound"):
        check_checkpoint(read(place), other.events())
    with pytest.raises(LedgerError, match="ledger-rewound"):
        write(place, other)


def test_unsigned_counts_only_where_nobody_signs(place: Note, ledger: SqliteLedger) -> None:
    fill(ledger, 1)
    with pytest.raises(LedgerError, match="checkpoint-unsigned"):
        write(place, ledger, signer=None)
    assert place.newest() is None
    write_checkpoint(place, ledger, Trust(), now=NOW)
    assert read(place, Trust()).key is None
    with pytest.raises(LedgerError, match="checkpoint-unsigned"):
        read(place)


@pytest.mark.parametrize(
    ("key", "slug"),
    [
        (trusted(new_signer(), roles=("checkpoint",)), "key-unknown"),
        (trusted(SIGNER), "key-role"),
        (trusted(SIGNER, roles=("checkpoint",), holder="person", person="Ann <a@x.org>"), "key-role"),
        (trusted(SIGNER, roles=("checkpoint",), valid_until=date(2026, 1, 30)), "key-expired"),
        (trusted(SIGNER, roles=("checkpoint",), valid_from=date(2026, 2, 1)), "key-expired"),
    ],
)
def test_by_whom(key: TrustedKey, slug: str, ledger: SqliteLedger, tmp_path: Path) -> None:
    note = FileNote(tmp_path / "seen")
    fill(ledger, 1)
    write(note, ledger)
    for trust in (
        Trust(keys=(key,)),
        Trust(keys=(key, trusted(new_signer(), name="x", roles=("checkpoint",)))),
    ):
        with pytest.raises(LedgerError, match=slug):
            read(note, trust)
    with pytest.raises(LedgerError, match=slug):
        write_checkpoint(FileNote(tmp_path / "b"), ledger, Trust(keys=(key,)), now=NOW, signer=SIGNER)
    assert not (tmp_path / "b").exists()


def test_of_the_future_and_of_another_kind(tmp_path: Path) -> None:
    path = tmp_path / "seen"
    path.write_bytes(sealed(checkpoint_statement(MADE, NOW + timedelta(hours=1)), SIGNER))
    with pytest.raises(LedgerError, match="in the future"):
        read(FileNote(path))
    other = checkpoint_statement(MADE, NOW).replace(b"ledger-checkpoint:v1", b"rules-approval:v1")
    path.write_bytes(sealed(other, SIGNER))
    with pytest.raises(LedgerError, match="it is no checkpoint"):
        read(FileNote(path))
    loose = checkpoint_statement(MADE, NOW).replace(b"{", b"{ ", 1)
    path.write_bytes(sealed(loose, SIGNER))
    with pytest.raises(LedgerError, match="not as release-gates writes it"):
        read(FileNote(path))


@given(st.data())
@settings(max_examples=100)
def test_no_byte_of_it_can_be_changed(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    line = bytearray(sealed(checkpoint_statement(MADE, NOW), SIGNER) + b"\n")
    line[data.draw(st.integers(0, len(line) - 1))] ^= data.draw(st.integers(1, 255))
    path = tmp_path_factory.getbasetemp() / "damaged"
    path.write_bytes(bytes(line))
    with pytest.raises(LedgerError):
        read(FileNote(path))


def tag(note: TagNote, name: str, data: bytes) -> None:
    who = ("-c", "user.name=x", "-c", "user.email=x@example.org")
    subprocess.run(
        ["git", *who, "tag", "-a", "--cleanup=verbatim", "-F", "-", name],
        cwd=note.folder,
        input=data,
        check=True,
    )


def test_tags_that_were_moved_copied_or_made_by_others(ledger: SqliteLedger, tmp_path: Path) -> None:
    note = repository(tmp_path / "repo")
    fill(ledger, 3)
    write(note, ledger)
    for name in ("gates/ledger-x", "gates/ledger-009", "gates/ledger-fix-12", "other-99"):
        tag(note, name, b"no checkpoint")  # no numbers of ours
    assert read(note).checkpoint.seq == 3
    newest = note.newest()
    assert newest is not None
    tag(note, "gates/ledger-7", newest.data)
    with pytest.raises(LedgerError, match="it is of event 3: the tag was moved or copied"):
        read(note)
    tag(note, "gates/ledger-8", b"x" * 50_000)
    with pytest.raises(LedgerError, match="checkpoint-unreadable"):
        read(note)
    subprocess.run(["git", "tag", "gates/ledger-9"], cwd=note.folder, check=True)  # says nothing
    with pytest.raises(LedgerError, match="checkpoint-unreadable"):
        read(note)


def test_no_repository_no_tag_and_no_prefix(ledger: SqliteLedger, tmp_path: Path) -> None:
    fill(ledger, 1)
    for note in (TagNote(tmp_path, "ledger"), TagNote(tmp_path / "absent", "ledger")):
        with pytest.raises(LedgerError, match="checkpoint-unreadable"):
            read(note)
        with pytest.raises(LedgerError, match="checkpoint-unreadable"):
            write(note, ledger)
    with pytest.raises(LedgerError, match="there is none"):
        read(repository(tmp_path / "repo"))
    for text in ("git:", "git:-d", "git:a*", "git:a b", "git:../x", "git:a/", "git:\x1b[2J"):
        with pytest.raises(LedgerError, match="names no tags") as found:
            note_of(text, base=tmp_path, root=tmp_path)
        assert str(found.value).isprintable()


ENTRY = EnvironmentPolicy(
    name="staging", gates=(GateSpec(name="smoke", owner="x"),), checkpoint=True, trust=TRUST
)


def test_an_entry_that_asks_for_a_checkpoint(ledger: SqliteLedger, tmp_path: Path) -> None:
    fill(ledger, 3)
    note = FileNote(tmp_path / "seen")
    write(note, ledger)
    noted, events = read(note), tuple(ledger.events())
    check_noted(ENTRY, noted, events)
    check_noted(msgspec.structs.replace(ENTRY, checkpoint=False), None, ())

    def refused(slug: str, given: Noted | None = noted, entry: EnvironmentPolicy = ENTRY) -> None:
        with pytest.raises(PromotionRefused) as found:
            check_noted(entry, given, tuple(ledger.events()))
        assert found.value.slug == slug

    refused("no-checkpoint", None)
    refused("checkpoint-unsigned", msgspec.structs.replace(noted, key=None))
    elsewhere = msgspec.structs.replace(KEY, environments=("dev",))
    refused("checkpoint-unsigned", msgspec.structs.replace(noted, key=elsewhere))
    check_noted(
        msgspec.structs.replace(ENTRY, local_may_promote=True),
        msgspec.structs.replace(noted, key=None),
        events,
    )
    ahead = msgspec.structs.replace(noted, checkpoint=msgspec.structs.replace(noted.checkpoint, seq=9))
    refused("ledger-rewound", ahead)
    ledger.append(fact(9), at=NOW + timedelta(minutes=1))  # one more that says what is live
    refused("checkpoint-behind")


SUITE = 'import pytest\n\n@pytest.mark.gate("smoke")\ndef test_a(): pass\n'
ENVIRONMENTS = (
    'schema = 1\npath = ["staging"]\n[environment.staging]\nlocal_may_promote = true\ncheckpoint = true\n'
)


def test_a_real_promotion_asks_for_its_tag(tmp_path: Path) -> None:
    folder, key = tmp_path / "project", tmp_path / "clock.pem"
    repository(folder)
    project = GateProject(folder)
    project.write("suites/test_smoke.py", SUITE)
    project.write("gates/environments.toml", ENVIRONMENTS)
    project.expect(["suites/test_smoke.py::test_a"])
    public = json.loads(project.cli("--json", "keygen", str(key)).output)["public"]
    project.write(
        "gates/trust.toml",
        "schema = 1\n" + key_toml(public).replace('["evidence", "verdict"]', '["checkpoint"]'),
    )
    seen = {"GATE_CHECKPOINT": "git:ledger"}
    assert project.cli("first-release", "staging", "--reason", "new").status == 0
    assert project.run().promotes
    assert "[no-checkpoint]" in project.cli("promote", "--to", "staging").output
    assert "[checkpoint-unreadable]" in project.cli("promote", "--to", "staging", env=seen).output
    assert "[checkpoint-unsigned]" in project.cli("ledger", "checkpoint", "git:ledger").output
    made = project.cli("ledger", "checkpoint", "git:ledger", "--key", str(key))
    assert (made.status, "signed by key ci" in made.output) == (0, True), made.output
    promoted = project.cli("promote", "--to", "staging", env=seen)
    assert promoted.status == 0, promoted.output
    assert project.cli("verify", env=seen).status == 0
    for file in (folder / ".gates").glob("ledger.db*"):
        file.unlink()
    assert project.cli("first-release", "staging", "--reason", "another").status == 0
    assert "[ledger-rewound]" in project.cli("status", env=seen).output
