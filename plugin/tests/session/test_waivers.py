"""Real runs with waivers: what is waived is xfailed and WAIVED, and nothing else gets through behind it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from release_gates.candidate.file import read_candidate
from release_gates.testing import GateProject

BOOK = "suites/test_smoke.py::test_book"
SPEED = """
import pytest, time
pytestmark = pytest.mark.gate("smoke")

def test_speed(gate):
    gate.measure("order.time", {speed}, "ms")
    gate.measure("order.rate", 10, "count")
"""
LOST = "assert False, f'3 orders are lost, at {object()!r}'"
OWN = {
    "limit": '"order.time"',
    "bound": '"<= 6 ms"',
    "environment": '"staging"',
    "gate": '"smoke"',
    "reason": '"known"',
    "ticket": '"https://tickets.example/OPS-1"',
    "owner": '"ann"',
    "approver": '"bob"',
}


@pytest.fixture
def project(tmp_path: Path) -> GateProject:
    """A project of which a limit and a test fail."""
    made = GateProject(tmp_path / "project")
    made.limits("smoke", {"order.time": "<= 5 ms", "order.rate": ">= 5 count"})
    made.expect(["suites/test_smoke.py::test_speed", BOOK])
    suite(made)
    return made


def suite(project: GateProject, *, speed: str = "6", book: str = LOST) -> None:
    test = f"\ndef test_book():\n    {book}\n" if book else ""
    project.write("suites/test_smoke.py", SPEED.format(speed=speed) + test)


def waivers(project: GateProject, *entries: dict[str, str]) -> None:
    """Write the waivers; each is for the limit and three days, but for what its entry says; "" is left out."""
    digest = read_candidate(project.root / "candidate.toml").digest
    today = datetime.now(UTC).date()
    days = {"created": str(today - timedelta(days=1)), "expires": str(today + timedelta(days=3))}
    text = "schema = 1\n"
    for number, entry in enumerate(entries):
        values = {"candidate": f'"{digest}"', **OWN, **days, **entry}
        lines = (f"{key} = {value}\n" for key, value in values.items() if value)
        text += f"[waiver.w{number}]\n{''.join(lines)}"
    project.write("gates/waivers.toml", text)


def of_book(fingerprint: str) -> dict[str, str]:
    return {"limit": "", "bound": "", "test": f'"{BOOK}"', "fingerprint": f'"{fingerprint}"'}


def seen(project: GateProject) -> str:
    """Return the fingerprint of what fails now, as `explain` tells it."""
    result = project.run()
    assert result.status == 1, result.output
    told = project.cli("explain", "staging").output
    found = re.search(r"fingerprint of .*?([0-9a-f]{32})", told, re.DOTALL)
    assert found is not None, told
    return found[1]


def test_a_failed_candidate_is_waived_promoted_and_replayed(project: GateProject) -> None:
    fingerprint = seen(project)  # this run's FAIL sticks to the digests: the waivers have to cover it too
    waivers(project, {}, of_book(fingerprint))
    for workers in (0, 2):
        result = project.run("-rx", "--junitxml=junit.xml", workers=workers)
        assert (result.status, "2 xfailed" in result.output) == (0, True), result.output
        assert result.verdict is not None
        assert result.verdict.title == "PROMOTE with 2 waivers"
        assert "waived by bob until the end of" in _flat(result.output)
        gate = result.verdict_file["gates"][0]
        limit = gate["limits"][0]
        assert (gate["outcome"], limit["outcome"], limit["waived"]["was"]) == ("WAIVED", "WAIVED", "FAIL")
        assert (project.root / "junit.xml").read_text().count('type="pytest.xfail"') == 2
    evidence = "".join(path.read_text() for path in (project.root / ".gates/evidence").iterdir())
    of_the_book = [line for line in evidence.splitlines() if f'"id":"{BOOK}"' in line]
    assert len(of_the_book) == 3
    assert all('"outcome":"FAIL"' in line for line in of_the_book), "evidence holds facts"
    assert project.cli("replay", result.verdict.run).status == 0
    assert "waiver w0 (smoke, order.time): within <= 6 ms until" in _flat(project.cli("status").output)
    assert "staging: waiver w0 (smoke, order.time)" in _flat(project.cli("check").output)
    assert "Waived: smoke: order.time is 6 ms" in _flat(project.cli("explain", "staging").output)
    assert project.cli("promote", "--to", "staging").status == 0
    (project.root / "gates/waivers.toml").unlink()
    suite(project, speed="3", book="pass")
    assert "failed for these digests in run" in project.run().sentences, "what was waived is no PASS"


def _flat(text: str) -> str:
    return " ".join(text.split())


@dataclass(frozen=True, kw_only=True)
class Row:
    """One way to get more out of a waiver than it says. ``waivers`` change the one for the limit."""

    id: str
    says: str
    waivers: tuple[dict[str, str], ...] = ({},)
    speed: str = "6"
    book: str = "pass"
    gate: str = ""
    xdist: bool = False


VERSIONS = {"candidate": "", "versions": '"1.0.0 .. 1.0.9"'}
ROWS = [
    Row(
        id="another limit",
        waivers=({"limit": '"order.rate"', "bound": '">= 1 count"'},),
        says="order.time is 6 ms",
    ),
    Row(
        id="another candidate", waivers=({"candidate": f'"{"1" * 64}"'},), says="it is for another candidate"
    ),
    Row(id="worse than its bound", speed="6.01", says="not within the bound", xdist=True),
    Row(
        id="expired",
        waivers=({"created": "2026-01-01", "expires": "2026-01-02"},),
        says="does not count: it expired at",
        xdist=True,
    ),
    Row(
        id="from the future",
        waivers=({"created": "2999-01-01", "expires": "2999-01-02"},),
        says="created in the future",
    ),
    Row(id="approved by its owner", waivers=({"approver": '"Ann"'},), says="its owner and its approver"),
    Row(id="unbounded", waivers=({"bound": '">= 0 ms"'},), says="is no bound for <= 5 ms"),
    Row(
        id="widened by a second entry",
        waivers=({}, {"bound": '"<= 9 ms"'}),
        speed="7",
        says="not within the bound of waiver w0",
    ),
    Row(
        id="two overlapping",
        waivers=({"bound": '"<= 9 ms"'}, {**VERSIONS, "bound": '"<= 6 ms"'}),
        speed="7",
        says="not within the bound of waiver w1",
    ),
    Row(id="unwaivable gate", gate="unwaivable = true", says="gate smoke may not be waived"),
    Row(
        id="waived test vanished",
        waivers=({}, of_book("a" * 32)),
        book="",
        says="1 expected test did not run",
    ),
    Row(
        id="waived test skipped", waivers=({}, of_book("a" * 32)), book="pytest.skip('later')", says="skipped"
    ),
    Row(
        id="xfail by hand",
        waivers=({}, of_book("a" * 32)),
        book="pytest.xfail('WAIVED')",
        says="expected to fail",
    ),
    Row(
        id="another failure",
        waivers=({}, of_book("a" * 32)),
        book=LOST,
        says="another failure than",
        xdist=True,
    ),
    Row(id="another test", book=LOST, says="3 orders are lost"),
    Row(id="not finite", speed="float('nan')", says="is finite"),
    Row(id="malformed", waivers=({"ticket": "7"},), says="must be a text"),
    Row(id="incomplete", waivers=({"reason": ""},), says="is absent, and every waiver says it"),
    Row(id="unknown key", waivers=({"forever": "true"},), says="unknown key 'forever'"),
]
CASES = [(row, workers) for row in ROWS for workers in ((0, 2) if row.xdist else (0,))]


@pytest.mark.parametrize(
    ("row", "workers"), CASES, ids=[f"{row.id}{' -n 2' if workers else ''}" for row, workers in CASES]
)
def test_no_promote(project: GateProject, row: Row, workers: int) -> None:
    policy = project.root / "gates/staging.toml"
    policy.write_text(policy.read_text().replace('"somebody"', f'"somebody"\n{row.gate}'))
    suite(project, speed=row.speed, book=row.book)
    waivers(project, *row.waivers)
    result = project.run(workers=workers)
    assert not result.promotes, result.output
    assert re.search(row.says, _flat(result.sentences or result.output)), (
        f"{result.sentences}\n---\n{result.output}"
    )
    assert project.cli("promote", "--to", "staging").status == 2


def test_a_waiver_that_ends_during_the_run_does_not_count(project: GateProject) -> None:
    end = datetime.now(UTC) + timedelta(seconds=6)
    waivers(project, {"expires": f"{end:%Y-%m-%dT%H:%M:%SZ}"})
    suite(project, book=f"time.sleep(max(0, {end.timestamp()} - time.time()))")
    result = project.run()
    assert not result.promotes, result.output
    assert "waiver w0 does not count: it expired at" in _flat(result.sentences)


def test_allure_and_every_report_show_it_as_waived(project: GateProject) -> None:
    pytest.importorskip("allure_pytest")
    waivers(project, {})
    suite(project, book="pass")
    assert project.run("--alluredir=results").status == 0
    found = [json.loads(path.read_text()) for path in (project.root / "results").glob("*-result.json")]
    (speed,) = (each for each in found if "test_speed" in each["fullName"])
    assert speed["status"] == "skipped"
    assert "WAIVED: order.time is 6 ms" in speed["statusDetails"]["message"]
    assert [step["status"] for step in speed["steps"]] == ["skipped", "passed"]
    assert [(link["type"], link["url"]) for link in speed["links"]] == [("issue", OWN["ticket"].strip('"'))]
    for form in ("html", "markdown", "junit", "github"):
        told = _flat(project.cli("report", "staging", "--format", form).output)
        assert "waived by bob until the end of" in told, form
        assert "PROMOTE with 1 waiver" in told, form


@pytest.mark.parametrize(("speed", "status"), [("6", 0), ("7", 1)])
def test_parts_that_are_joined_are_waived_by_the_decision_alone(
    project: GateProject, speed: str, status: int
) -> None:
    waivers(project, {})
    suite(project, speed=speed, book="pass")
    project.run("--gate-part", "--gate-evidence", "part.jsonl")
    assert "WAIVED" not in (project.root / "part.jsonl").read_text()
    assert project.cli("decide", "part.jsonl", "--environment", "staging").status == status
