"""Each command as a user calls it: text, JSON, and a non-zero status on "no"."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from release_gates.testing import GateProject

SUITE = """
import pytest
pytestmark = pytest.mark.gate("smoke")

def test_speed(gate):
    gate.measure("order.time", {value}, "ms")
"""


@pytest.fixture
def project(tmp_path: Path) -> GateProject:
    made = GateProject(tmp_path)
    made.write("suites/test_smoke.py", SUITE.format(value=3))
    made.limits("smoke", {"order.time": "<= 5 ms"})
    made.expect()
    return made


def data(project: GateProject, *words: str) -> object:
    return json.loads(project.cli("--json", *words).output)


def test_check_lists_every_mistake(project: GateProject) -> None:
    assert project.cli("check").status == 0
    project.write(
        "gates/staging.toml",
        """
        schema = 1
        [gate.smoke]
        ownr = "me"
        [gate.smoke.limits]
        "a" = "<= 5 mss"
        "b" = "5"
        "c" = { limt = "<= 5 ms" }
        d.e = "<= 5 ms"
        """,
    )
    result = project.cli("check")
    assert result.status == 1
    for part in ("ownr", "Did you mean 'ms'", "limits.b", "limt", "quote the key"):
        assert part.lower() in result.output.lower(), result.output
    found = data(project, "check")
    assert isinstance(found, dict)
    assert len(found["mistakes"]) >= 5


def test_list_shows_limits_and_expected_tests(project: GateProject) -> None:
    result = project.cli("list")
    assert "smoke  (blocking, owner somebody, 1 expected tests)" in result.output
    assert "order.time  <= 5 ms" in result.output


def test_expect_check_notices_a_new_test(project: GateProject) -> None:
    assert project.cli("expect", "--check").status == 0
    project.write("suites/test_more.py", SUITE.format(value=3))
    result = project.cli("expect", "--check")
    assert (result.status, "+ suites/test_more.py::test_speed" in result.output) == (1, True)
    assert project.cli("expect").status == 0
    assert project.cli("expect", "--check").status == 0


def test_expect_shows_why_nothing_was_collected(project: GateProject) -> None:
    project.write("suites/test_smoke.py", "import no_such_module\n")
    result = project.cli("expect")
    assert (result.status, "no_such_module" in result.output) == (2, True)


def test_candidate_create_and_verify(project: GateProject) -> None:
    created = project.cli(
        "candidate",
        "create",
        "--name",
        "e",
        "--version",
        "2",
        "--commit",
        "abc",
        "--artifact",
        "engine=artifact",
    )
    assert created.status == 0, created.output
    assert project.cli("candidate", "verify").status == 0
    project.write("artifact", "swapped")
    result = project.cli("candidate", "verify")
    assert (result.status, "SHA-256" in result.output) == (1, True)


@pytest.mark.parametrize("artifact", ["engine", "engine=", "engine=nowhere"])
def test_candidate_create_refuses(project: GateProject, artifact: str) -> None:
    words = (
        "candidate",
        "create",
        "--name",
        "e",
        "--version",
        "2",
        "--commit",
        "abc",
        "--artifact",
        artifact,
    )
    result = project.cli(*words)
    assert result.status == 2
    assert "[" in result.output


def test_run_explain_status_replay_promote_verify(project: GateProject) -> None:
    assert project.cli("run", "staging").status == 0
    assert project.cli("explain", "staging").status == 0
    run = project.runs()[-1].started.run
    assert "byte for byte" in project.cli("replay", run).output
    assert project.cli("adopt", "staging", "--reason", "it runs there").status == 0
    assert "live is engine 1.0.0" in project.cli("status").output
    assert project.cli("promote", "--to", "staging").status == 2  # it is live already
    verified = data(project, "verify")
    assert isinstance(verified, dict)
    assert verified["ok"] is True


def test_held_run_is_explained(project: GateProject) -> None:
    project.write("suites/test_smoke.py", SUITE.format(value=9))
    result = project.cli("run", "staging")
    assert result.status == 1
    explained = project.cli("explain", "staging")
    assert explained.status == 1
    assert "order.time is 9 ms; the limit is <= 5 ms" in explained.output
    assert "pytest -m 'gate_staging(gate=\"smoke\")'" in explained.output
    assert all(len(line) <= 80 for line in explained.output.splitlines())


def test_run_in_json_prints_the_verdict_alone(project: GateProject) -> None:
    found = json.loads(project.cli("--json", "run", "staging").output.partition("\n}\n")[0] + "\n}")
    assert found["verdict"] == "PROMOTE"
    assert {"schema", "because", "environment", "candidate", "run", "gates", "reasons", "inputs"} <= set(
        found
    )


def test_first_release_then_baseline_rules_warn(project: GateProject) -> None:
    policy = project.root / "gates/staging.toml"
    policy.write_text(policy.read_text().replace('"<= 5 ms"', '{ limit = "<= 5 ms", baseline = "<= 10 %" }'))
    unknown = project.run()
    assert (unknown.status, "does not know what is live" in unknown.sentences) == (10, True)
    assert project.cli("first-release", "staging", "--reason", "new venue").status == 0
    assert project.run().promotes


def test_verify_names_a_changed_event(project: GateProject) -> None:
    project.run()
    connection = sqlite3.connect(project.root / ".gates/ledger.db", isolation_level=None)
    triggers = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
    for name, _ in triggers:
        connection.execute(f"DROP TRIGGER {name}")
    connection.execute(
        "UPDATE events SET body = replace(CAST(body AS TEXT), 'tester', 'nobody') WHERE seq = 1"
    )
    for _, sql in triggers:
        connection.execute(sql)
    connection.close()
    result = project.cli("verify")
    assert (result.status, "event 1 (run_started" in result.output) == (1, True), result.output
    assert project.cli("promote", "--to", "staging").status == 2


@pytest.mark.parametrize(
    ("words", "slug"),
    [
        (("run", "nowhere"), "unknown-environment"),
        (("explain", "staging"), "unknown-run"),
        (("replay", "r"), "unknown-run"),
        (("invalidate", "r", "--by", "x", "--reason", "y"), "unknown-run"),
        (("promote", "--to", "staging"), "never-measured"),
        (("decide", "none.jsonl", "--environment", "staging"), "evidence-absent"),
        (("--gate-ledger", "lost.db", "status"), "ledger-absent"),
        (("--gate-ledger", "oracle://x", "status"), "unknown-ledger"),
        (("--gate-policy", "nowhere", "check"), "no-policy"),
    ],
)
def test_refusals_go_to_stderr_with_a_slug(project: GateProject, words: tuple[str, ...], slug: str) -> None:
    result = project.cli(*words)
    assert result.status in (1, 2), result.output
    assert f"[{slug}]" in result.output, result.output
    assert "Traceback" not in result.output


def test_help_works_with_a_broken_policy(project: GateProject) -> None:
    project.write("gates/staging.toml", "not toml at all [")
    for command in ("check", "list", "expect", "candidate", "run", "decide", "explain", "status", "promote"):
        result = project.cli(command, "--help")
        assert result.status == 0
        assert "Traceback" not in result.output
