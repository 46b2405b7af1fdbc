"""Exports: the same bytes from the same ledger, checked by sha256sum and by verify; no byte can change."""

from __future__ import annotations

import hashlib
import subprocess
import zipfile
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plugin.tests.cli.test_bundle_of_promotion import World
from plugin.tests.cli.test_bundle_of_promotion import world as world  # noqa: PLC0414 - a fixture
from plugin.tests.cli.test_signing import TODAY
from plugin.tests.promotion.signed_world import candidate
from release_gates.errors import LedgerError, TrustError
from release_gates.ledger.archive import period, sums_text
from release_gates.ledger.archived import check_export
from release_gates.ledger.chain import to_row
from release_gates.ledger.segment import read_segment, segment_bytes
from release_gates.ledger.sqlite import SqliteLedger
from release_gates.model.event import Approved, Event, FirstRelease, RunStarted
from release_gates.model.export import Export
from release_gates.model.record import canonical
from release_gates.testing import GateProject

NOW = datetime.now(UTC) + timedelta(hours=1)


@pytest.fixture(scope="module")
def exported(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export")
    words = ("export", "--since", str(TODAY), "--until", str(TODAY + timedelta(days=1)), "--output")
    for name in ("one.zip", "other.zip"):
        done = world.project.cli(*words, str(folder / name), env={"GATE_CHECKPOINT": "seen"})
        assert done.status == 0, done.output
    assert (folder / "one.zip").read_bytes() == (folder / "other.zip").read_bytes()
    assert "[export-not-written]" in world.project.cli(*words, str(folder / "one.zip")).output
    return folder / "one.zip"


def test_it_checks_itself_and_is_checked_elsewhere(world: World, exported: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(exported) as file:
        file.extractall(tmp_path)
    checked = subprocess.run(
        ["sha256sum", "-c", "SHA256SUMS"], cwd=tmp_path, capture_output=True, check=False
    )
    assert checked.returncode == 0, checked.stdout
    told = (tmp_path / "README.txt").read_text()
    assert "can support an audit" in told
    assert "complian" not in told.lower()
    found = check_export(exported, world.trust, now=NOW)
    assert (found.verdicts, found.evidence, found.signed_verdicts) == (1, 1, 1)
    assert (found.answers, found.signed_answers) == (1, 1)
    assert "key clock signed the chain up to event" in found.signed_end
    shown = world.project.cli("verify", "--export", str(exported), "--trust", "gates/trust.toml")
    assert (shown.status, "1 verdict(s) and 1 of 1 answer(s)" in " ".join(shown.output.split())) == (0, True)
    blind = world.project.cli("verify", "--export", str(exported))
    assert "no signature was looked at" in " ".join(blind.output.split())


def test_what_is_missing_is_named(world: World, tmp_path: Path) -> None:
    root, day = world.project.root, str(TODAY)
    evidence = next(iter(world.project.runs()[-1].started.evidence))
    kept = (root / evidence).read_bytes()
    for change in (lambda path: path.unlink(), lambda path: path.write_bytes(kept + b"\n")):
        change(root / evidence)
        file = tmp_path / "lost.zip"
        words = ("export", "--since", day, "--until", str(TODAY + timedelta(days=1)), "--output", str(file))
        done = world.project.cli(*words)
        (root / evidence).write_bytes(kept)
        assert (done.status, "missing: " in done.output) == (1, True), done.output
        found = check_export(file, None, now=NOW)
        assert [each.file for each in found.export.missing] == [evidence]
        assert world.project.cli("verify", "--export", str(file)).status == 1
        file.unlink()


def test_a_run_without_verdict_brings_no_foreign_file(tmp_path: Path) -> None:
    """Who may write the ledger may name any file as evidence; only a verdict's digest makes it one."""
    project = GateProject(tmp_path / "project")
    assert project.cli("first-release", "staging", "--reason", "new").status == 0
    (tmp_path / "private").write_text("nobody's business")
    ledger = SqliteLedger.open(project.root / ".gates/ledger.db", create=False)
    for run, evidence in (("r1", "../private"), ("../r2", str(tmp_path / "private"))):
        started = RunStarted(
            run=run, environment="staging", candidate=candidate(), rules="r", actor="x", evidence=(evidence,)
        )
        ledger.append(started, at=datetime.now(UTC))
    file = tmp_path / "export.zip"
    words = (
        "export",
        "--since",
        str(TODAY),
        "--until",
        str(TODAY + timedelta(days=1)),
        "--output",
        str(file),
    )
    assert project.cli(*words).status == 1
    assert b"nobody's business" not in b"".join(parts(file).values())
    shown = project.cli("verify", "--export", str(file))
    said = " ".join(shown.output.split())
    assert (shown.status, "2 run(s) have no verdict" in said, "outside of the project" in said) == (
        1,
        True,
        True,
    )
    assert "is no name of a run" in said


def test_periods() -> None:
    days = [datetime(2026, 1, day, 12, tzinfo=UTC) for day in (1, 2, 3)]
    fact = FirstRelease(environment="staging", by="x", reason="y")
    events = [Event(seq=seq, at=at, prev="0" * 64, fact=fact) for seq, at in enumerate(days, start=1)]
    assert [event.seq for event in period(events, date(2026, 1, 2), date(2026, 1, 2))] == [2]
    assert [event.seq for event in period(events, date(2025, 1, 2), date(2026, 1, 2))] == [1, 2]
    with pytest.raises(LedgerError, match="export-empty"):
        period(events, date(2026, 2, 1), date(2026, 3, 1))


def parts(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as file:
        return {name: file.read(name) for name in file.namelist()}


def written(path: Path, files: dict[str, bytes], *, sums: bool = True) -> Path:
    """Write an export as somebody would who edits it and repairs its sums."""
    if sums:
        own = {name: hashlib.sha256(data).hexdigest() for name, data in files.items() if name != "SHA256SUMS"}
        files["SHA256SUMS"] = sums_text(own).encode()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in files.items():
            file.writestr(zipfile.ZipInfo(name), data)
    return path


def rehung(files: dict[str, bytes], change: Callable[[Event], Event | None]) -> dict[str, bytes]:
    """Change events, chain them anew, and let the index say what they say."""
    kept = [new for event in read_segment(files["events.jsonl"]) if (new := change(event)) is not None]
    made, prev = [], kept[0].prev
    for number, event in enumerate(kept):
        made.append(msgspec.structs.replace(event, seq=kept[0].seq + number, prev=prev))
        prev = to_row(made[-1]).digest
    index = msgspec.json.decode(files["export.json"], type=Export)
    index = msgspec.structs.replace(index, last=made[-1].seq, head=prev, ledger=to_row(made[0]).digest)
    return {**files, "events.jsonl": segment_bytes(made), "export.json": canonical(index)}


def edited(name: str, old: bytes, new: bytes) -> Callable[[dict[str, bytes]], dict[str, bytes]]:
    return lambda files: {**files, name: files[name].replace(old, new)}


def named(end: str, data: bytes | None) -> Callable[[dict[str, bytes]], dict[str, bytes]]:
    """Change, or take out, the files with that end of their name."""

    def change(files: dict[str, bytes]) -> dict[str, bytes]:
        found = {name: data for name in files if name.endswith(end)}
        assert found
        return {name: found.get(name, old) for name, old in files.items() if found.get(name, old) is not None}  # type: ignore[misc]

    return change


def longer(files: dict[str, bytes]) -> dict[str, bytes]:
    """Put one more event at the end, so that the number of the checkpoint is there again."""
    events = read_segment(files["events.jsonl"])
    fact = FirstRelease(environment="staging", by="x", reason="y")
    last = msgspec.structs.replace(
        events[-1], seq=events[-1].seq + 1, prev=to_row(events[-1]).digest, fact=fact
    )
    index = msgspec.json.decode(files["export.json"], type=Export)
    index = msgspec.structs.replace(index, last=last.seq, head=to_row(last).digest)
    return {**files, "events.jsonl": segment_bytes([*events, last]), "export.json": canonical(index)}


def another_reason(event: Event) -> Event:
    fact = event.fact
    changed = msgspec.structs.replace(fact, reason="fine") if isinstance(fact, Approved) else fact
    return msgspec.structs.replace(event, fact=changed)


ROWS: list[tuple[str, Any, str]] = [
    ("evidence edited", named("evidence-0001.jsonl", b"{}\n"), "is not what its verdict names"),
    ("evidence left out", named("evidence-0001.jsonl", None), "is not what its verdict names"),
    ("one file more", lambda f: {**f, "runs/00000001/evidence-0009.jsonl": b""}, "is not what its verdict"),
    ("verdict left out", named("verdict.json", None), "is not what"),
    ("verdict edited", named("verdict.json", b"{}"), "cannot be read"),
    ("other rules", lambda f: {**f, f"rules/{'a' * 64}.json": b"{}"}, "is not what its name says"),
    ("rules edited", lambda f: {n: b"{}" if n.startswith("rules/") else d for n, d in f.items()}, "its name"),
    ("rules left out", lambda f: {n: d for n, d in f.items() if not n.startswith("rules/")}, "neither there"),
    ("a foreign name", lambda f: {**f, "../evil": b""}, "belongs into no export"),
    ("a run of nobody", lambda f: {**f, "runs/00000099/verdict.json": b"{}"}, "of no run of the export"),
    ("README edited", edited("README.txt", b"can support", b"proves"), "README.txt is not the one"),
    ("index edited", edited("export.json", b'"first":', b'"first": '), "not in canonical form"),
    (
        "runs hidden",
        lambda f: {**f, "export.json": f["export.json"].replace(b'"runs":[{', b'"x":[{')},
        "read",
    ),
    ("period widened", edited("export.json", str(TODAY).encode(), b"2020-01-01"), "."),
    ("no events", named("events.jsonl", None), "it has no events.jsonl"),
    ("an event edited", edited("events.jsonl", b'"yes"', b'"no"'), "."),
    ("chained anew", lambda f: rehung(f, another_reason), "about another reason"),
    ("attestation edited", named("attestations.intoto.jsonl", b"{}\n"), "1 envelope"),
]


@pytest.mark.parametrize(("name", "attack", "says"), ROWS, ids=[row[0] for row in ROWS])
def test_refused(world: World, exported: Path, tmp_path: Path, name: str, attack: Any, says: str) -> None:
    assert name
    path = written(tmp_path / "bad.zip", attack(parts(exported)))
    with pytest.raises(TrustError, match=says):
        check_export(path, world.trust, now=NOW)


def test_only_a_signed_end_shows_that_an_event_was_left_out(
    world: World, exported: Path, tmp_path: Path
) -> None:
    """Who may write a chain may write a shorter one: without the checkpoint's event nobody signed it."""
    shorter = rehung(parts(exported), lambda event: None if isinstance(event.fact, Approved) else event)
    found = check_export(written(tmp_path / "short.zip", shorter), world.trust, now=NOW)
    assert "which is not in it" in found.signed_end
    with pytest.raises(TrustError, match="checkpoint is of another chain"):
        check_export(written(tmp_path / "pad.zip", longer(shorter)), world.trust, now=NOW)


def test_sums_that_were_not_repaired(exported: Path, tmp_path: Path) -> None:
    files = parts(exported) | {"README.txt": b"nothing\n"}
    with pytest.raises(TrustError, match="SHA256SUMS are not those"):
        check_export(written(tmp_path / "bad.zip", files, sums=False), None, now=NOW)
    with pytest.raises(TrustError, match="export-damaged"):
        check_export(tmp_path / "absent.zip", None, now=NOW)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_damaged_exports_are_refused_in_words(
    exported: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    content = bytearray(exported.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    path = tmp_path_factory.getbasetemp() / "damaged-export.zip"
    path.write_bytes(bytes(content))
    told = parts(exported)["export.json"]
    try:
        assert canonical(check_export(path, None, now=NOW).export) == told
    except TrustError as error:
        if error.slug != "export-damaged":
            raise
