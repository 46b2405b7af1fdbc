"""The native runner and real shared objects: what is measured, and what every kind of damage is called."""

from __future__ import annotations

import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from release_gates.errors import MeasurementError, ProbeUnavailable
from release_gates.probes.benchmark.compiled import NATIVE, compiled_runner, user_cache
from release_gates.probes.benchmark.runner import PairedRunner, ProcessRun

FLAGS = ("-std=c++17", "-O1", "-shared", "-fPIC", "-fvisibility=hidden", "-Wl,-Bsymbolic", "-Wl,--build-id")


@dataclass(frozen=True, slots=True)
class Builds:
    baseline: Path
    candidate: Path
    without_table: Path
    child: Path


@pytest.fixture(scope="session")
def builds(tmp_path_factory: pytest.TempPathFactory) -> Builds:
    folder = tmp_path_factory.mktemp("builds")
    child = folder / "child"
    suite = [Path(__file__).with_name("suite.cpp"), f"-I{NATIVE}", f'-DPID_FILE="{child}"']
    (folder / "empty.cpp").write_text("")
    for name, what in {
        "baseline": suite,
        "candidate": [*suite, "-DCANDIDATE"],
        "empty": [folder / "empty.cpp"],
    }.items():
        subprocess.run(["g++", *FLAGS, *what, "-o", folder / f"{name}.so"], check=True)
    return Builds(folder / "baseline.so", folder / "candidate.so", folder / "empty.so", child)


@pytest.fixture(scope="session")
def runner() -> PairedRunner:
    return PairedRunner(environ={**os.environ, "GATE_SIGNING_KEY": "secret"})


def measure(runner: PairedRunner, builds: Builds, benchmark: str, **changes: Any) -> ProcessRun:
    plan: dict[str, Any] = {"pairs": 20, "slice_us": 100, "seed": 7, "first": "baseline", "timeout_s": 60}
    plan |= {"baseline": builds.baseline, "candidate": builds.candidate, "benchmark": benchmark}
    return runner.measure(**{**plan, **changes})


def refusal(runner: PairedRunner, builds: Builds, benchmark: str, **changes: Any) -> MeasurementError:
    with pytest.raises(MeasurementError) as error:
        measure(runner, builds, benchmark, **changes)
    return error.value


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.parametrize("first", ["baseline", "candidate"])
def test_both_builds_are_measured_side_by_side(runner: PairedRunner, builds: Builds, first: str) -> None:
    run = measure(runner, builds, "work", first=first)
    assert (run.benchmark, run.seed, run.first) == ("work", 7, first)
    assert len(run.pairs) + run.dropped == 20
    assert all(time > 0 for pair in run.pairs for time in pair)
    assert run.works
    assert run.same_work
    assert run.iterations > 1000
    assert run.cpu_s > 0
    assert run.builds == (runner.table(builds.baseline).build, runner.table(builds.candidate).build)
    assert run.builds[0] != run.builds[1]
    assert run.compilers[0].startswith("gcc ")


def test_a_build_can_be_paired_with_itself(runner: PairedRunner, builds: Builds) -> None:
    run = measure(runner, builds, "work", candidate=builds.baseline)
    assert run.builds[0] == run.builds[1]
    assert run.same_work


def test_twice_the_work_takes_longer_and_more_instructions(runner: PairedRunner, builds: Builds) -> None:
    run = measure(runner, builds, "slower", pairs=40)
    assert sum(now for _, now in run.pairs) > 1.3 * sum(before for before, _ in run.pairs)
    assert run.same_work
    plan: dict[str, Any] = {"few": 1_000, "many": 2_000_000, "timeout_s": 120}
    before = runner.instructions(builds.baseline, "slower", **plan)
    now = runner.instructions(builds.candidate, "slower", **plan)
    assert before == pytest.approx(runner.instructions(builds.baseline, "work", **plan), rel=0.0002)
    assert 1.8 < now / before < 2.2


@pytest.mark.parametrize(
    ("benchmark", "idle"), [("idle", ("baseline", "candidate")), ("returns_early", ("candidate",))]
)
def test_a_side_that_does_nothing_is_named(
    runner: PairedRunner, builds: Builds, benchmark: str, idle: tuple[str, ...]
) -> None:
    run = measure(runner, builds, benchmark)
    assert run.idle == idle
    assert not run.works


def test_nothing_has_no_instructions(runner: PairedRunner, builds: Builds) -> None:
    with pytest.raises(MeasurementError) as error:
        runner.instructions(builds.baseline, "idle", timeout_s=60)
    assert error.value.slug == "benchmark-idle"


@pytest.mark.parametrize("benchmark", ["returns_early", "other_operations"])
def test_other_work_is_seen(runner: PairedRunner, builds: Builds, benchmark: str) -> None:
    assert not measure(runner, builds, benchmark).same_work


def test_what_a_benchmark_prints_is_no_result(runner: PairedRunner, builds: Builds) -> None:
    assert len(measure(runner, builds, "print").pairs) <= 20


def test_code_under_test_sees_no_keys(runner: PairedRunner, builds: Builds) -> None:
    assert measure(runner, builds, "environment").works


def test_nothing_outlives_a_measurement(runner: PairedRunner, builds: Builds) -> None:
    measure(runner, builds, "child")
    deadline = time.monotonic() + 60
    while lives(int(builds.child.read_text())):
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("benchmark", "slug", "words"),
    [
        ("removed", "benchmark-missing", "candidate ("),
        ("new", "benchmark-missing", "baseline ("),
        (
            "crash",
            "benchmark-crashed",
            "ended by signal 6 (SIGABRT).\n  stderr: about to crash\nrunner: this happened in the code of the candidate",
        ),
        ("throw", "benchmark-threw", 'no "orders"'),
        ("no_state", "benchmark-threw", "create() gave no state"),
        ("exit", "benchmark-stream-torn", "it is empty"),
    ],
)
def test_damage_has_a_name(
    runner: PairedRunner, builds: Builds, benchmark: str, slug: str, words: str
) -> None:
    error = refusal(runner, builds, benchmark)
    assert error.slug == slug
    assert words in error.message


def test_what_hangs_is_killed(runner: PairedRunner, builds: Builds) -> None:
    error = refusal(runner, builds, "hang", timeout_s=0.5)
    assert error.slug == "benchmark-timeout"
    assert "was killed after" in error.message


def test_a_table_is_listed(runner: PairedRunner, builds: Builds) -> None:
    table = runner.table(builds.candidate)
    assert table.benchmarks[:2] == runner.benchmarks(builds.baseline)[:2] == ("work", "idle")
    assert [(fact.name, fact.value, fact.unit) for fact in table.facts] == [("line", 64, "B")]
    assert len(table.build) == 40


def test_what_is_no_suite_is_refused(runner: PairedRunner, builds: Builds) -> None:
    for path in (builds.without_table, Path("/bin/true"), Path(__file__), builds.baseline / "absent"):
        with pytest.raises(MeasurementError) as error:
            runner.benchmarks(path)
        assert error.value.slug == "benchmark-not-loaded"


def test_without_a_compiler_there_is_a_command(tmp_path: Path) -> None:
    with pytest.raises(ProbeUnavailable) as error:
        compiled_runner(tmp_path, {"PATH": str(tmp_path)})
    assert error.value.slug == "benchmark-compiler-missing"
    assert "apt-get install g++" in error.value.hint


def test_a_compiler_that_fails_leaves_nothing(tmp_path: Path) -> None:
    compiler = tmp_path / "c++"
    compiler.write_text("#!/bin/sh\necho broken >&2\nexit 1\n")
    compiler.chmod(0o755)
    with pytest.raises(ProbeUnavailable, match="broken") as error:
        compiled_runner(tmp_path / "cache", {"PATH": str(tmp_path)})
    assert error.value.slug == "benchmark-runner-not-compiled"
    assert list((tmp_path / "cache").iterdir()) == []


def test_without_valgrind_there_is_a_command(builds: Builds, tmp_path: Path, runner: PairedRunner) -> None:
    runner.benchmarks(builds.baseline)
    (tmp_path / "c++").symlink_to("/usr/bin/c++")
    poor = PairedRunner(environ={**os.environ, "PATH": str(tmp_path)})
    with pytest.raises(ProbeUnavailable, match="apt-get install valgrind"):
        poor.instructions(builds.baseline, "work", timeout_s=60)


def test_the_cache_is_the_users(tmp_path: Path) -> None:
    home = {"HOME": str(tmp_path)}
    assert user_cache(home) == tmp_path / ".cache" / "pytest-release-gates"
    assert user_cache({**home, "XDG_CACHE_HOME": "/var/x"}) == Path("/var/x/pytest-release-gates")
    assert user_cache({}) == Path.cwd() / ".gates" / "pytest-release-gates"
