"""A ledger from before there was a mode: it reads, verifies and replays as it did, byte for byte."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from release_gates.ledger.chain import START
from release_gates.ledger.sqlite import SqliteLedger
from release_gates.model.record import canonical
from release_gates.testing import GateProject

OLD: dict[str, Any] = json.loads((Path(__file__).parent / "data" / "before-observe.json").read_text("utf-8"))


@pytest.fixture
def project(tmp_path: Path) -> GateProject:
    made = GateProject(tmp_path)
    state = tmp_path / ".gates"
    SqliteLedger.open(state / "ledger.db", create=True)
    with closing(sqlite3.connect(state / "ledger.db")) as connection, connection:
        for event in OLD["events"]:
            body = canonical(event)
            row = (event["seq"], event["fact"]["kind"], body.decode(), hashlib.sha256(body).hexdigest())
            connection.execute("INSERT INTO events VALUES (?, ?, ?, ?)", row)
    rules = canonical(OLD["rules"])
    for name, data in {
        **{f"evidence/{name}": _lines(records) for name, records in OLD["evidence"].items()},
        f"artifacts/{hashlib.sha256(rules).hexdigest()}": rules,
    }.items():
        made.write(f".gates/{name}", data.decode())
    return made


def _lines(records: list[object]) -> bytes:
    return b"".join(
        json.dumps(record, separators=(",", ":"), ensure_ascii=False).encode() + b"\n" for record in records
    )


def test_it_verifies_and_every_run_replays(project: GateProject) -> None:
    head = hashlib.sha256(canonical(OLD["events"][-1])).hexdigest()
    assert project.cli("verify", "--head", head).status == 0
    runs = project.runs()
    assert [run.verdict.title for run in runs if run.verdict] == [
        "HOLD (not proven)",
        "PROMOTE",
        "HOLD (broken)",
    ]
    for run in runs:
        result = project.cli("replay", run.started.run)
        assert (result.status, "byte for byte" in result.output) == (0, True), result.output
        assert not run.observed


def test_nothing_in_it_is_observed(project: GateProject) -> None:
    status = project.cli("status")
    assert "observ" not in status.output
    assert "engine 1.0.0" in status.output


def test_its_events_say_what_they_said(project: GateProject) -> None:
    ledger = SqliteLedger.open(project.root / ".gates/ledger.db", create=False)
    digest = START
    for event, old in zip(ledger.events(), OLD["events"], strict=True):
        assert event.prev == digest
        assert canonical(event) == canonical(old)
        digest = hashlib.sha256(canonical(event)).hexdigest()
