"""``release-gates report --history``: the whole ledger of a real project."""

from __future__ import annotations

import csv
import json
import re
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from release_gates.ledger.chronicle import chronicle
from release_gates.ledger.opening import open_ledger
from release_gates.report.ledger_page import ledger_page
from release_gates.testing import GateProject


@pytest.fixture
def project(tmp_path: Path) -> GateProject:
    made = GateProject(tmp_path)
    made.write("suites/test_a.py", 'import pytest\n@pytest.mark.gate("smoke")\ndef test_a(gate): pass\n')
    made.expect(["suites/test_a.py::test_a"])
    return made


def test_from_an_empty_ledger_to_a_delivery(project: GateProject) -> None:
    result = project.cli("report", "--history", "--output", "out/ledger.html")
    assert result.status == 0, result.output
    assert "0 events of 0 candidates; its chain is whole" in result.output
    assert "The ledger is empty" in (project.root / "out/ledger.html").read_text(encoding="utf-8")
    project.run()
    assert project.cli("promote", "--to", "staging").status == 0
    told = json.loads(project.cli("report", "--history", "--json").output)
    assert told["candidates"][0]["entries"][0]["runs"][0]["title"] == "PROMOTE"
    assert told["deliveries"][0]["whole"]["deliveries"] == 1
    (run,) = csv.DictReader(project.cli("report", "--history", "--csv").output.splitlines())
    assert (run["verdict"], run["actor"]) == ("PROMOTE", "tester")
    (live,) = csv.DictReader(project.cli("report", "--history", "--csv", "live").output.splitlines())
    assert (live["by"], live["delivery"]) == ("tester", "yes")


def test_waivers_are_shown_with_their_end(project: GateProject) -> None:
    suite = (
        'import pytest\n@pytest.mark.gate("smoke")\ndef test_a(gate): gate.measure("order.time", 6, "ms")\n'
    )
    project.write("suites/test_a.py", suite)
    project.limits("smoke", {"order.time": "<= 5 ms"})
    now = datetime.now(UTC)
    named = ("--environment", "staging", "--gate", "smoke", "--limit", "order.time", "--bound", "<= 7 ms")
    people = ("--ticket", "OPS-12", "--owner", "ann", "--approver", "bob")
    until = ("--reason", "the new check", "--expires", f"{now + timedelta(days=3):%Y-%m-%d}")
    assert project.cli("waive", "slow", *named, *people, *until).status == 0
    assert project.run().status == 0
    said = "order.time (FAIL) within &lt;= 7 ms, OPS-12: the new check. engine 1.0.0"
    html = project.cli("report", "--history").output
    assert said in html
    assert f"{said}, <b>live</b>" not in html
    assert "always green" not in html  # it was red, and waived
    assert re.search(r'<b class="o">in [34]\.\d days</b>', html)
    assert project.cli("promote", "--to", "staging").status == 0
    assert f"{said}, <b>live</b>" in project.cli("report", "--history").output
    (row,) = csv.DictReader(project.cli("report", "--history", "--csv", "waivers").output.splitlines())
    assert (row["approver"], row["was"], row["live_rests_on_it"]) == ("bob", "FAIL", "yes")
    ledger = open_ledger(None, base=project.root, state=project.root / ".gates")
    events = tuple(ledger.events())
    late = ledger_page(chronicle(events, made=now + timedelta(days=9), head=ledger.head(), local=True))
    assert "ENDED, and what is live rests on it" in late


def test_a_policy_that_cannot_be_read_hides_no_history(project: GateProject) -> None:
    project.run()
    project.write("gates/staging.toml", "schema = [")
    assert "engine 1.0.0" in project.cli("report", "--history").output


def test_a_changed_ledger_says_so(project: GateProject) -> None:
    project.run()
    with sqlite3.connect(project.root / ".gates/ledger.db") as store:
        name, guard = store.execute(
            "SELECT name, sql FROM sqlite_master WHERE name LIKE '%no_update'"
        ).fetchone()
        store.execute(f'DROP TRIGGER "{name}"')
        store.execute("UPDATE events SET body = replace(body, 'tester', 'nobody')")
        store.execute(guard)
    result = project.cli("report", "--history", "--output", "ledger.html")
    assert "DAMAGED: event 1" in result.output
    assert "believe nothing on this page" in (project.root / "ledger.html").read_text(encoding="utf-8")


def test_an_event_of_a_newer_version_is_refused_in_words(project: GateProject) -> None:
    project.run()
    with sqlite3.connect(project.root / ".gates/ledger.db") as store:
        found = store.execute("SELECT name, sql FROM sqlite_master WHERE name LIKE '%no_update'").fetchone()
        store.execute(f'DROP TRIGGER "{found[0]}"')
        store.execute('UPDATE events SET body = replace(body, \'"schema":1,"seq"\', \'"schema":2,"seq"\')')
        store.execute(found[1])
    process = project.start("release_gates", "report", "--history", "--output", "ledger.html")
    said = process.communicate(timeout=60)[0]
    assert process.returncode == 2
    assert "it has schema 2; this version reads 1" in said
    assert not (project.root / "ledger.html").exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--history", "staging"), "leave out ENVIRONMENT"),
        (("--history", "--environment", "staging"), "leave out --environment"),
        (("--history", "--format", "sarif"), "leave out --format"),
        (("--history", "--since", "14d"), "leave out --since"),
        (("--environment", "staging", "--csv"), "--csv belongs to --history"),
        (("--history", "--csv", "nonsense"), "is not one of"),
    ],
)
def test_what_makes_no_sense_is_refused(project: GateProject, words: tuple[str, ...], says: str) -> None:
    result = project.cli("report", *words)
    assert result.status == 2
    assert says in result.output
