"""From the files of other tools to a verdict, by the commands that a pipeline calls."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from release_gates.ledger.evidence import read_evidence
from release_gates.testing import GateProject, GateResult

DECIDE = ("decide", "--environment", "staging")
GREEN = '<testcase classname="C" name="a"/><testcase classname="C" name="b"/>'


def suite(inside: str = GREEN, header: str = "") -> str:
    return f'<testsuite name="s" {header}>{inside}</testsuite>'


@pytest.fixture
def project(tmp_path: Path) -> GateProject:
    made = GateProject(tmp_path)
    made.write("ok.xml", suite())
    return made


def imported(
    project: GateProject, *files: str, to: str = "p.jsonl", more: tuple[str, ...] = ()
) -> GateResult:
    return project.cli("import", "junit", *files, "--gate", "smoke", "--output", to, *more)


def learned(project: GateProject, *files: str, more: tuple[str, ...] = ()) -> GateResult:
    result = project.cli("import", "junit", *files, "--gate", "smoke", "--expect", *more)
    assert result.status == 0, result.output
    return result


def expected(project: GateProject) -> list[str]:
    text = (project.root / "gates/expected/smoke.txt").read_text(encoding="utf-8")
    return [line for line in text.splitlines() if not line.startswith("#")]


# -- one file, one gate ---------------------------------------------------------------------------


def test_green_results_promote_and_their_source_is_kept(project: GateProject) -> None:
    assert "+ junit:s::C::a" in learned(project, "ok.xml").output
    result = imported(project, "ok.xml")
    assert (result.status, "2 PASS" in result.output) == (0, True), result.output
    source = read_evidence(project.root / "p.jsonl").header.sources[0]
    assert (source.kind, source.path, source.cases, len(source.sha256)) == ("junit", "ok.xml", 2, 64)
    assert 0 <= source.age_s < 60
    decided = project.cli(*DECIDE, "p.jsonl")
    assert (decided.status, decided.promotes) == (0, True), decided.output
    assert project.cli("replay", project.runs()[-1].started.run).status == 0


def test_pytest_and_another_tool_are_joined(project: GateProject) -> None:
    project.write("suites/test_a.py", 'import pytest\n@pytest.mark.gate("smoke")\ndef test_a(gate): pass\n')
    learned(project, "ok.xml")
    project.expect()
    assert expected(project) == ["junit:s::C::a", "junit:s::C::b", "suites/test_a.py::test_a"]
    assert project.cli("expect", "--check").status == 0
    part = project.run("--gate-part", "--gate-evidence", "py.jsonl")
    assert part.status == 0, part.output
    imported(project, "ok.xml")
    alone = project.cli(*DECIDE, "p.jsonl")
    assert (alone.status, "suites/test_a.py::test_a" in alone.sentences) == (10, True)
    both = project.cli(*DECIDE, "p.jsonl", "py.jsonl")
    assert (both.status, both.promotes) == (0, True), both.output


def second(inside: str = "", more: str = "") -> str:
    """Return the green cases with something in, or at, the second one."""
    return GREEN.replace('name="b"/>', f'name="b" {more}>{inside}</testcase>')


HOLDS = [
    (second('<failure message="lost an order"/>'), 1, "b: lost an order"),
    (second('<error type="Broken"/>'), 10, "b: Broken"),
    (second('<skipped message="no NUMA"/>'), 10, "b: skipped: no NUMA"),
    (second(more='status="notrun"'), 10, "b: skipped: status=notrun"),
    (GREEN.replace('name="b"', 'name="c"'), 10, "1 expected test did not run: junit:s::C::b"),
    (GREEN + '<testcase classname="C" name="c"/>', 10, "`release-gates import junit --expect` adds"),
    (GREEN + GREEN, 10, "stands 2 times in bad.xml"),
]


@pytest.mark.parametrize(("inside", "status", "says"), HOLDS)
def test_anything_else_holds(project: GateProject, inside: str, status: int, says: str) -> None:
    learned(project, "ok.xml")
    project.write("bad.xml", suite(inside))
    assert imported(project, "bad.xml").status == 0
    decided = project.cli(*DECIDE, "p.jsonl")
    assert (decided.status, decided.promotes) == (status, False)
    assert says in decided.sentences, decided.sentences


def test_a_skipped_test_that_nobody_expects_is_left_out_and_counted(project: GateProject) -> None:
    project.write("more.xml", suite(GREEN + '<testcase name="later" status="disabled"/>'))
    learned(project, "more.xml")
    assert expected(project) == ["junit:s::C::a", "junit:s::C::b"]
    result = imported(project, "more.xml")
    assert "1 skipped and not expected: left out" in result.output
    evidence = read_evidence(project.root / "p.jsonl")
    assert (evidence.header.sources[0].cases, evidence.header.sources[0].left_out, len(evidence.tests)) == (
        3,
        1,
        2,
    )
    assert project.cli(*DECIDE, "p.jsonl").promotes


def test_allowed_reruns_are_a_warning(tmp_path: Path) -> None:
    project = GateProject(tmp_path, extra={"reruns": '{ most = 1, only = "any" }'})
    once = '<testcase classname="C" name="a"><flakyFailure message="first"/></testcase>'
    twice = once.replace("<flaky", "<flakyError/><flaky", 1)
    project.write("flaky.xml", suite(once))
    project.write("worse.xml", suite(twice))
    learned(project, "flaky.xml")
    imported(project, "worse.xml", to="worse.jsonl")
    imported(project, "flaky.xml")
    decided = project.cli(*DECIDE, "p.jsonl")
    assert decided.promotes
    assert "WARN" in decided.output
    assert project.cli(*DECIDE, "worse.jsonl").status == 1


def test_learning_replaces_the_same_suite_only(project: GateProject) -> None:
    learned(project, "ok.xml")
    project.write("other.xml", suite('<testcase name="z"/>').replace('"s"', '"t"'))
    learned(project, "other.xml")
    project.write("ok.xml", suite('<testcase classname="C" name="b"/>'))
    assert "- junit:s::C::a" in learned(project, "ok.xml").output
    assert expected(project) == ["junit:s::C::b", "junit:t::::z"]


def test_strange_names_come_through(project: GateProject) -> None:
    strange = "".join(
        f'<testcase name="{name}"/>' for name in ("a&#10;b", " x ", "#1", "&quot;q&quot;", "größe [1::2]")
    )
    project.write("ok.xml", suite(strange))
    learned(project, "ok.xml")
    imported(project, "ok.xml")
    assert project.cli(*DECIDE, "p.jsonl").promotes
    assert project.cli("expect", "--check").status == 0, "a project without any pytest test"


def test_the_way_to_try_again_is_that_of_the_import(project: GateProject) -> None:
    learned(project, "ok.xml")
    project.write("bad.xml", suite(second("<failure/>")))
    imported(project, "bad.xml")
    project.cli(*DECIDE, "p.jsonl")
    explained = project.cli("explain", "staging").output
    assert "release-gates import junit" in explained
    assert "pytest -m" not in explained


# -- refusals: nothing is written -----------------------------------------------------------------


def stale(path: Path, hours: float) -> None:
    moment = (datetime.now(UTC) - timedelta(hours=hours)).timestamp()
    os.utime(path, (moment, moment))


def test_refusals_name_file_and_remedy_and_write_nothing(project: GateProject) -> None:
    old = (datetime.now(UTC) - timedelta(hours=30)).isoformat()
    new = (datetime.now(UTC) + timedelta(hours=30)).isoformat()
    project.write("stamped.xml", suite(header=f'timestamp="{old}"'))
    project.write("future.xml", suite(header=f'timestamp="{new}"'))
    project.write("cut.xml", suite()[:-4])
    project.write("lies.xml", suite(header='tests="9"'))
    project.write("empty.xml", suite(""))
    project.write("skips.xml", suite('<testcase name="x"><skipped/></testcase>'))
    project.write(
        "commit.xml", suite('<properties><property name="commit" value="fffffff"/></properties>' + GREEN)
    )
    project.write("twin.xml", suite())
    for name, hours in (("old.xml", 25), ("early.xml", 3), ("ahead.xml", -3)):
        stale(project.write(name, suite(header='time="1"')), hours)
    (project.root / "folder.xml").mkdir()
    os.mkfifo(project.root / "pipe.xml")
    for files, more, status, slug in (
        (("absent.xml",), (), 10, "source-unreadable"),
        (("folder.xml",), (), 10, "source-unreadable"),
        (("pipe.xml",), (), 10, "source-unreadable"),
        (("cut.xml",), (), 10, "junit-unreadable"),
        (("lies.xml",), (), 10, "junit-contradiction"),
        (("empty.xml",), (), 10, "junit-empty"),
        (("skips.xml",), (), 10, "junit-empty"),
        (("stamped.xml",), (), 10, "source-too-old"),
        (("old.xml",), (), 10, "source-too-old"),
        (("early.xml",), ("--valid-for", "2 h"), 10, "source-too-old"),
        (("future.xml",), (), 10, "source-from-the-future"),
        (("ahead.xml",), (), 10, "source-from-the-future"),
        (("commit.xml",), (), 10, "junit-foreign-commit"),
        (("ok.xml", "ok.xml"), (), 10, "source-twice"),
        (("ok.xml", "twin.xml"), (), 10, "source-twice"),
        (("ok.xml", "cut.xml"), (), 10, "junit-unreadable"),
        (("ok.xml",), ("--valid-for", "31 d"), 2, "valid-for"),
        (("ok.xml",), ("--valid-for", "soon"), 2, "duration"),
        (("ok.xml",), ("--cell", "os=linux"), 2, "matrix-cell"),
        (("ok.xml",), ("--environment", "moon"), 2, "unknown-environment"),
        (("ok.xml",), ("--gate", "smok"), 2, "unknown-gate"),
    ):
        result = imported(project, *files, more=more)
        assert (result.status, f"[{slug}]" in result.output) == (status, True), (files, result.output)
        assert slug in ("matrix-cell", "duration", "valid-for") or files[-1] in result.output or status == 2
        assert "Traceback" not in result.output
        assert not (project.root / "p.jsonl").exists()


def test_a_file_that_is_too_large(project: GateProject) -> None:
    with (project.root / "big.xml").open("wb") as file:
        file.truncate(65 * 1024 * 1024)
    assert "[source-too-large]" in imported(project, "big.xml").output


def test_output_or_expect(project: GateProject) -> None:
    assert project.cli("import", "junit", "ok.xml", "--gate", "smoke").status == 2
    assert imported(project, "ok.xml", more=("--expect",)).status == 2


def test_evidence_is_never_overwritten(project: GateProject) -> None:
    imported(project, "ok.xml")
    before = (project.root / "p.jsonl").read_bytes()
    result = imported(project, "ok.xml")
    assert (result.status, "evidence-exists" in result.output) == (2, True)
    assert (project.root / "p.jsonl").read_bytes() == before


def test_a_changed_artifact_is_refused(project: GateProject) -> None:
    project.write("artifact", "another build")
    assert "[artifact-changed]" in imported(project, "ok.xml").output
    assert not (project.root / "p.jsonl").exists()


def test_policy_may_require_a_commit(project: GateProject) -> None:
    with (project.root / "gates/staging.toml").open("a", encoding="utf-8") as file:
        file.write('[gate.smoke.junit]\ncommit = ["rev"]\ncommit_required = true\n')
    assert "[junit-foreign-commit]" in imported(project, "ok.xml").output
    project.write("rev.xml", suite('<properties><property name="rev" value="0123abc"/></properties>' + GREEN))
    assert imported(project, "rev.xml").status == 0


def test_what_was_fresh_at_the_import_can_be_stale_at_the_decision(project: GateProject) -> None:
    learned(project, "ok.xml")
    (project.root / "ok.xml").touch()
    assert imported(project, "ok.xml", more=("--valid-for", "3 s")).status == 0
    time.sleep(3)
    decided = project.cli(*DECIDE, "p.jsonl")
    assert (decided.status, "is not from the last" in decided.sentences) == (10, True)


def test_json(project: GateProject) -> None:
    result = project.cli("--json", "import", "junit", "ok.xml", "--gate", "smoke", "--output", "p.jsonl")
    assert json.loads(result.output)["outcomes"] == {"PASS": 2}
    refused = project.cli("--json", "import", "junit", "no.xml", "--gate", "smoke", "--output", "q.jsonl")
    assert (refused.status, json.loads(refused.output)["slug"]) == (10, "source-unreadable")


# -- matrix ---------------------------------------------------------------------------------------


@pytest.fixture
def matrix(project: GateProject) -> GateProject:
    with (project.root / "gates/staging.toml").open("a", encoding="utf-8") as file:
        file.write('[gate.smoke.matrix]\npython = ["3.11", "3.12"]\nos = ["linux"]\n')
    return project


def cell(python: str) -> tuple[str, ...]:
    return ("--cell", f"python={python}", "--cell", "os=linux")


def test_every_cell_has_to_be_there(matrix: GateProject) -> None:
    matrix.write("b.xml", suite(header='time="2"'))
    learned(matrix, "ok.xml", more=cell("3.11"))
    assert expected(matrix)[0] == "junit:s::C::a[python=3.11,os=linux]"
    assert imported(matrix, "ok.xml", to="a.jsonl", more=cell("3.11")).status == 0
    half = matrix.cli(*DECIDE, "a.jsonl")
    assert (half.status, "nothing ran in python=3.12,os=linux" in half.sentences) == (10, True), (
        half.sentences
    )
    learned(matrix, "ok.xml")
    assert len(expected(matrix)) == 4
    for name, file, python in (("c.jsonl", "ok.xml", "3.11"), ("d.jsonl", "b.xml", "3.12")):
        assert imported(matrix, file, to=name, more=cell(python)).status == 0
    assert matrix.cli(*DECIDE, "c.jsonl", "d.jsonl").promotes


def test_one_file_does_not_fill_two_cells(matrix: GateProject) -> None:
    learned(matrix, "ok.xml")
    imported(matrix, "ok.xml", to="a.jsonl", more=cell("3.11"))
    imported(matrix, "ok.xml", to="b.jsonl", more=cell("3.12"))
    decided = matrix.cli(*DECIDE, "a.jsonl", "b.jsonl")
    assert (decided.status, "is the same file as ok.xml" in decided.sentences) == (10, True), (
        decided.sentences
    )


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "--cell python=3.11|3.12 --cell os=linux"),
        (("--cell", "python=3.11"), "--cell os=linux"),
        (("--cell", "pyton=3.11"), "Did you mean 'python'?"),
        (("--cell", "python=3.13"), "Did you mean '3.1"),
        (("--cell", "python"), "no python ''"),
        (("--cell", "python=3.11", "--cell", "python=3.12", "--cell", "os=linux"), "stands twice"),
    ],
)
def test_a_cell_is_named_exactly(matrix: GateProject, words: tuple[str, ...], says: str) -> None:
    result = imported(matrix, "ok.xml", more=words)
    assert (result.status, says in result.output) == (2, True), result.output


# -- record ---------------------------------------------------------------------------------------


def record(project: GateProject, *words: str, more: tuple[str, ...] = ("--output", "r.jsonl")) -> GateResult:
    source = ("--source", "drill.txt", "--valid-for", "12 h", "--by", "Jane Doe")
    return project.cli("record", "smoke", *words, *source, *more)


@pytest.fixture
def drill(project: GateProject) -> GateProject:
    project.limits("smoke", {"dr.recovery_time": "<= 1 h", "dr.lost_orders": "== 0 orders"})
    project.write("drill.txt", "minutes of the recovery drill")
    return project


def test_an_attested_number_is_marked_wherever_it_shows(drill: GateProject) -> None:
    for words in (("dr.recovery_time=42", "min"), ("dr.lost_orders=0", "orders")):
        assert record(drill, *words, more=("--expect",)).status == 0
    assert expected(drill) == ["attested:dr.lost_orders", "attested:dr.recovery_time"]
    assert record(drill, "dr.recovery_time=42", "min").status == 0
    assert (
        record(drill, "dr.lost_orders=0 orders", more=("--output", "l.jsonl", "--note", "twice")).status == 0
    )
    source = read_evidence(drill.root / "l.jsonl").header.sources[0]
    assert (source.kind, source.by, source.note, len(source.sha256)) == ("attested", "Jane Doe", "twice", 64)
    decided = drill.cli(*DECIDE, "r.jsonl", "l.jsonl")
    assert decided.promotes, decided.output
    assert "attested by Jane Doe, not measured" in decided.output
    assert decided.verdict
    assert "2 limits measured (2 of them only attested)" in decided.verdict.because
    limits = decided.verdict_file["gates"][0]["limits"]
    assert [each["attested"] for each in limits] == ["Jane Doe"] * 2
    assert limits[0]["measured"].endswith("(attested)")


def test_an_attested_number_is_judged(drill: GateProject) -> None:
    record(drill, "dr.recovery_time=90", "min", more=("--expect",))
    record(drill, "dr.recovery_time=90", "min")
    decided = drill.cli(*DECIDE, "r.jsonl")
    assert decided.status == 1
    assert (
        "dr.recovery_time is 1.5 h (attested by Jane Doe, not measured); the limit is <= 1 h"
        in decided.sentences
    )


def test_an_attested_number_counts_only_where_it_is_expected(drill: GateProject) -> None:
    result = record(drill, "dr.recovery_time=42", "min")
    assert "it is not expected" in result.output
    drill.expect(["junit:s::C::a"])
    record(drill, "dr.recovery_time=42", "min", more=("--output", "q.jsonl"))
    decided = drill.cli(*DECIDE, "q.jsonl")
    assert (decided.status, "release-gates record --expect" in decided.sentences) == (10, True)


@pytest.mark.parametrize(
    ("words", "more", "status", "says"),
    [
        (("dr.recovery_time=nan", "min"), (), 2, "no finite decimal number"),
        (("dr.recovery_time=inf", "min"), (), 2, "no finite decimal number"),
        (("dr.recovery_time=1e999", "min"), (), 2, "no finite decimal number"),
        (("dr.recovery_time=0x10", "min"), (), 2, "no finite decimal number"),
        (("dr.recovery_time=1", "mim"), (), 2, "Did you mean 'min'"),
        (("dr.recovery_time=1", "MB"), (), 2, "does not convert"),
        (("dr.recovery_tim=1", "min"), (), 2, "Did you mean 'dr.recovery_time'"),
        (("dr.recovery_time",), (), 2, "is no measurement"),
        (("dr.recovery_time=1", "min"), ("--valid-for", "31 d"), 2, "valid_for"),
        (("dr.recovery_time=1", "min"), ("--on", "2020-01-01"), 10, "source-too-old"),
        (("dr.recovery_time=1", "min"), ("--on", "2999-01-01"), 10, "source-from-the-future"),
        (("dr.recovery_time=1", "min"), ("--on", "then"), 2, "is no date"),
        (("dr.recovery_time=1", "min"), ("--by", " "), 2, "names nobody"),
        (("dr.recovery_time=1", "min"), ("--by", "a\nb"), 2, "names nobody"),
        (("dr.recovery_time=1", "min"), ("--source", "none.txt"), 10, "source-unreadable"),
        (("dr.recovery_time=1", "min"), ("--source", "empty.txt"), 10, "it is empty"),
    ],
)
def test_record_refuses(
    drill: GateProject, words: tuple[str, ...], more: tuple[str, ...], status: int, says: str
) -> None:
    drill.write("empty.txt", " \n")
    result = record(drill, *words, more=("--output", "r.jsonl", *more))
    assert (result.status, says in result.output) == (status, True), result.output
    assert not (drill.root / "r.jsonl").exists()


# -- the tools themselves -------------------------------------------------------------------------


def test_pytest_itself(project: GateProject) -> None:
    project.write(
        "unit/test_unit.py",
        """
        import pytest
        tries = 0

        @pytest.mark.parametrize("side", ["bid", "ask"])
        def test_side(side): pass

        def test_flaky():
            global tries
            tries += 1
            assert tries > 1

        @pytest.mark.skip(reason="not here")
        def test_skipped(): pass
        """,
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:release_gates", "-p", "no:cacheprovider"]
    command += ["--reruns", "1", "--junitxml", "unit.xml", "unit", "-o", "required_plugins="]
    done = subprocess.run(command, cwd=project.root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    learned(project, "unit.xml")
    assert [each.rpartition("::")[2] for each in expected(project)] == [
        "test_flaky",
        "test_side[ask]",
        "test_side[bid]",
    ]
    imported(project, "unit.xml")
    decided = project.cli(*DECIDE, "p.jsonl")
    assert (decided.status, "test_flaky in one of 2 attempts" in decided.sentences) == (10, True), (
        decided.sentences
    )


GOOGLE = """
#include <gtest/gtest.h>
TEST(Book, Adds) {}
TEST(Book, DISABLED_Later) { FAIL(); }
TEST(Book, Cancels) { EXPECT_EQ(getenv("BAD"), nullptr) << "still on the book"; }
"""


@pytest.mark.skipif(
    shutil.which("g++") is None or not any(Path("/usr/lib").rglob("libgtest.a")), reason="no GoogleTest here"
)
def test_googletest_itself(project: GateProject) -> None:
    project.write("g.cc", GOOGLE)
    compile_it = ["g++", "-o", "g", "g.cc", "-lgtest", "-lgtest_main", "-lpthread"]
    subprocess.run(compile_it, cwd=project.root, check=True, capture_output=True)
    for file, more in (("good.xml", {}), ("bad.xml", {"BAD": "1"})):
        command = ["./g", f"--gtest_output=xml:{file}"]
        subprocess.run(
            command, cwd=project.root, env={**os.environ, **more}, check=False, capture_output=True
        )
    learned(project, "good.xml")
    assert expected(project) == ["junit:Book::Book::Adds", "junit:Book::Book::Cancels"]
    for file, status in (("good.xml", 0), ("bad.xml", 1)):
        assert imported(project, file, to=f"{file}l").status == 0
        assert project.cli(*DECIDE, f"{file}l").status == status
