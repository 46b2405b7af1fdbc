"""What earlier runs, later changes and other evidence do to a verdict."""

from __future__ import annotations

import time

import msgspec
import pytest

from release_gates.testing import GateProject

FAST = 'import pytest\npytestmark = pytest.mark.gate("smoke")\ndef test_book(): pass\ndef test_speed(gate): gate.measure("order.time", {}, "ms")\n'


def speed(project: GateProject, value: object) -> None:
    project.write("suites/test_smoke.py", FAST.format(value))


def test_fail_then_lucky_pass_stays_broken_until_somebody_else_invalidates(project: GateProject) -> None:
    speed(project, 9)
    assert project.run().status == 1
    speed(project, 3)
    lucky = project.run()
    assert lucky.status == 1
    assert "no later run replaces that" in lucky.sentences
    failed = project.runs()[0].started.run
    own = project.cli("invalidate", failed, "--by", "tester", "--reason", "wrong host")
    assert "invalidated-by-runner" in own.output
    assert project.cli("invalidate", failed, "--by", "ann", "--reason", "wrong host").status == 0
    assert project.run().promotes


def test_new_digests_start_afresh(project: GateProject) -> None:
    speed(project, 9)
    assert not project.run().promotes
    speed(project, 3)
    project.candidate("engine 2")
    assert project.run().promotes


def test_attempts_are_counted_and_capped(project: GateProject) -> None:
    for attempt in (1, 2, 3):
        result = project.run("-k", "book")
        assert result.verdict is not None
        assert result.verdict.attempt == attempt
    last = project.run()
    assert not last.promotes
    assert "attempt 4 of 3" in last.sentences


def test_fail_of_a_killed_run_is_not_hidden(project: GateProject) -> None:
    text = FAST.format(9) + "def test_zz():\n    import os\n    os._exit(0)\n"
    project.write("suites/test_smoke.py", text)
    project.run()
    speed(project, 3)
    result = project.run()
    assert result.status == 1
    assert "no later run replaces that" in result.sentences


def test_policy_changed_between_run_and_promote(project: GateProject) -> None:
    assert project.run().promotes
    project.write(
        "gates/expected/smoke.txt",
        "# a comment\nsuites/test_smoke.py::test_book\nsuites/test_smoke.py::test_speed\n",
    )
    result = project.cli("promote", "--to", "staging")
    assert "rules-changed" in result.output


def test_artifact_changed_before_promotion(project: GateProject) -> None:
    assert project.run().promotes
    project.write("artifact", "something else")
    result = project.cli("promote", "--to", "staging")
    assert "artifact-changed" in result.output


@pytest.mark.parametrize("workers", [0, 2])
def test_artifact_changed_during_the_run(project: GateProject, workers: int) -> None:
    text = FAST.format(3).replace(
        "def test_book(): pass", "def test_book(): open('artifact', 'w').write('swapped')"
    )
    project.write("suites/test_smoke.py", text)
    result = project.run(workers=workers)
    assert not result.promotes
    assert "SHA-256" in result.sentences


def test_artifact_changed_before_the_run(project: GateProject) -> None:
    project.write("artifact", "something else")
    result = project.run()
    assert (result.status, "artifact-changed" in result.output) == (4, True)


def test_one_byte_of_evidence_edited(project: GateProject) -> None:
    assert project.run().promotes
    (path,) = (project.root / ".gates/evidence").iterdir()
    data = bytearray(path.read_bytes())
    data[-2] ^= 1
    path.write_bytes(data)
    assert "evidence-changed" in project.cli("promote", "--to", "staging").output


def test_stale_evidence_is_missing(project: GateProject) -> None:
    policy = project.root / "gates/staging.toml"
    policy.write_text(
        policy.read_text().replace('owner = "somebody"', 'owner = "somebody"\nvalid_for = "1 s"')
    )
    project.run("--gate-part", "--gate-evidence", "part.jsonl")
    time.sleep(1.2)
    result = project.cli("decide", "part.jsonl", "--environment", "staging")
    assert result.status == 10
    assert "not from the last" in result.sentences


def test_evidence_shopping_does_not_hide_a_failing_run(project: GateProject) -> None:
    part = project.run("--gate-part", "--gate-evidence", "good.jsonl")
    assert part.verdict is None
    assert "PART" in part.output
    speed(project, 9)
    assert project.run().status == 1
    result = project.cli("decide", "good.jsonl", "--environment", "staging")
    assert result.status == 1
    assert "no later run replaces that" in result.sentences


def test_two_parts_joined(project: GateProject) -> None:
    project.run("--gate-part", "--gate-evidence", "a.jsonl", "-k", "book")
    project.run("--gate-part", "--gate-evidence", "b.jsonl", "-k", "speed")
    half = project.cli("decide", "a.jsonl", "--environment", "staging")
    assert (half.status, half.promotes) == (10, False)
    both = project.cli("decide", "a.jsonl", "b.jsonl", "--environment", "staging")
    assert both.status == 0, both.output
    assert project.cli("promote", "--to", "staging").status == 0


def test_part_under_other_rules_is_refused(project: GateProject) -> None:
    project.run("--gate-part", "--gate-evidence", "part.jsonl")
    policy = project.root / "gates/staging.toml"
    policy.write_text(policy.read_text().replace("<= 5 ms", "<= 50 ms"))
    result = project.cli("decide", "part.jsonl", "--environment", "staging")
    assert not result.promotes
    assert "under other rules" in result.sentences


def test_replay_gives_the_same_verdict_after_the_policy_changed(project: GateProject) -> None:
    for _ in range(2):
        project.run("-k", "book")
    run = project.runs()[-1].started.run
    project.limits("extra", {})
    (project.root / "gates/staging.toml").write_text('schema = 1\n[gate.smoke]\nowner = "another"\n')
    result = project.cli("replay", run)
    assert result.status == 0, result.output
    assert "byte for byte" in result.output


@pytest.mark.parametrize("severity", ["advisory", "info"])
def test_advisory_gate_is_shown_and_blocks_nothing(project: GateProject, severity: str) -> None:
    with (project.root / "gates/staging.toml").open("a") as file:
        file.write(f'[gate.extra]\nowner = "x"\nseverity = "{severity}"\n')
    project.write(
        "suites/test_extra.py",
        'import pytest\n@pytest.mark.gate("extra")\ndef test_x(): assert False, "only shown"\n',
    )
    project.expect(["suites/test_extra.py::test_x"], gate="extra")
    result = project.run()
    assert (result.status, result.verdict_file["verdict"]) == (0, "PROMOTE"), result.output
    assert "only shown" in result.output
    assert "blocks nothing" in result.output


def test_missed_target_warns_and_promotes(project: GateProject) -> None:
    policy = project.root / "gates/staging.toml"
    policy.write_text(policy.read_text().replace('"<= 5 ms"', '{ limit = "<= 5 ms", target = "<= 1 ms" }'))
    result = project.run()
    assert result.promotes
    assert result.verdict is not None
    assert result.verdict.gates[0].outcome == "WARN"


@pytest.mark.parametrize(("raises", "promotes"), [("ConnectionResetError", True), ("RuntimeError", False)])
def test_allowed_rerun_of_a_network_failure_is_a_warning(
    project: GateProject, raises: str, promotes: bool
) -> None:
    policy = project.root / "gates/staging.toml"
    rerun = 'owner = "somebody"\nreruns = { most = 1, only = "network" }'
    policy.write_text(policy.read_text().replace('owner = "somebody"', rerun))
    body = f"import pathlib\n    p = pathlib.Path('seen')\n    first = not p.exists()\n    p.touch()\n    if first: raise {raises}('once')"
    project.write(
        "suites/test_smoke.py",
        FAST.format(3).replace("def test_book(): pass", f"def test_book():\n    {body}"),
    )
    result = project.run("--reruns=1")
    assert result.promotes is promotes, result.output


def test_same_verdict_with_and_without_workers(project: GateProject) -> None:
    def facts(workers: int) -> bytes:
        verdict = project.run(workers=workers).verdict
        assert verdict is not None
        return msgspec.json.encode((verdict.verdict, verdict.because, verdict.gates, verdict.reasons))

    assert facts(0) == facts(2)


@pytest.mark.skipif(pytest.version_tuple < (8, 3), reason="-m with keyword arguments came with pytest 8.3")
def test_one_gate_alone_by_its_derived_mark(project: GateProject) -> None:
    assert project.run(mark='gate_staging(gate="smoke")').promotes


def test_option_wins_over_variable_wins_over_ini(project: GateProject) -> None:
    (project.root / "gates").rename(project.root / "rules")
    project.write("pytest.ini", "[pytest]\ntestpaths = suites\ngate_policy = rules\n")
    assert project.run().promotes
    result = project.run(env={"GATE_POLICY": "nowhere"})
    assert (result.status, "nowhere" in result.output) == (4, True)
    assert project.run("--gate-policy", "rules", env={"GATE_POLICY": "nowhere"}).promotes
