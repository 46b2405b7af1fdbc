"""Executables of Google Benchmark: real ones in turn, and what their JSON may not say."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from release_gates.errors import MeasurementError
from release_gates.probes.benchmark.google import GoogleRunner
from release_gates.probes.benchmark.google_results import read_names, read_times_of
from release_gates.probes.benchmark.pairing import pairing_of
from release_gates.probes.benchmark.runner import ProcessRun
from release_gates.probes.benchmark.settings import BenchmarkSettings

Programs = tuple[Path, Path]


@dataclass
class Build:
    program: Path
    version: str = "1.0.0"

    def artifact(self, name: str) -> Path:
        assert name == "bench"
        return self.program


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Programs:
    folder = tmp_path_factory.mktemp("google")
    source = Path(__file__).with_name("google.cpp")
    for name, flags in (("baseline", ()), ("candidate", ("-DCANDIDATE", "-Wno-unused"))):
        command = ["g++", "-O1", source, *flags, "-o", folder / name, "-lbenchmark", "-lpthread"]
        subprocess.run(command, check=True)
    return folder / "baseline", folder / "candidate"


def measure(
    programs: Programs, benchmark: str, *, first: Literal["baseline", "candidate"] = "baseline"
) -> ProcessRun:
    return GoogleRunner(environ=os.environ).measure(
        baseline=programs[0],
        candidate=programs[1],
        benchmark=benchmark,
        seed=5,
        first=first,
        repetitions=2,
        min_time_s=0.001,
        timeout_s=60,
    )


@pytest.mark.parametrize("benchmark", ["a+b/work (1)", "print"])
def test_a_pair_of_processes_gives_a_pair_of_times(programs: Programs, benchmark: str) -> None:
    run = measure(programs, benchmark, first="candidate")
    ((baseline, candidate),) = run.pairs
    assert 1 < baseline < 10_000
    assert 1 < candidate < 10_000
    assert (run.benchmark, run.seed, run.first, run.works) == (benchmark, 5, "candidate", True)
    assert run.builds[0] != run.builds[1]


def test_a_loop_without_work_is_idle(programs: Programs) -> None:
    assert "candidate" in measure(programs, "idle").idle


@pytest.mark.parametrize(
    ("benchmark", "slug", "words"),
    [
        ("removed", "benchmark-missing", "candidate ("),
        ("new", "benchmark-missing", "baseline ("),
        ("wor.", "benchmark-missing", "'wor.'"),
        ("error", "benchmark-threw", 'no "orders"'),
        ("crash", "benchmark-crashed", "about to crash"),
    ],
)
def test_damage_has_a_name(programs: Programs, benchmark: str, slug: str, words: str) -> None:
    with pytest.raises(MeasurementError) as error:
        measure(programs, benchmark)
    assert error.value.slug == slug
    assert words in error.value.message


def test_names_are_listed(programs: Programs) -> None:
    runner = GoogleRunner(environ=os.environ)
    assert runner.benchmarks(programs[0]) == ("a+b/work (1)", "print", "idle", "error", "crash", "removed")
    for path in (Path("/bin/true"), Path(__file__), programs[0] / "absent"):
        with pytest.raises(MeasurementError):
            runner.benchmarks(path)


def entry(**changes: Any) -> dict[str, Any]:
    whole = {"name": "b", "run_name": "b", "run_type": "iteration", "repetitions": 1, "repetition_index": 0}
    return {
        **whole,
        "iterations": 100,
        "cpu_time": 2.5,
        "real_time": 3.0,
        "time_unit": "us",
        "x": 1,
    } | changes


def text(*entries: dict[str, Any]) -> bytes:
    return json.dumps({"context": {"date": "x"}, "benchmarks": entries}).encode()


def test_every_repetition_counts_and_no_aggregate() -> None:
    runs = [entry(repetitions=2, repetition_index=index, cpu_time=2.0 + index) for index in (0, 1)]
    times = read_times_of(text(*runs, entry(run_type="aggregate", name="b_mean")), "b", "x")
    assert times.per_iteration_ns == (2000.0, 3000.0)
    assert times.iterations == 100


@pytest.mark.parametrize(
    ("entries", "slug"),
    [
        ([], "benchmark-missing"),
        ([entry(run_type="aggregate")], "benchmark-missing"),
        ([entry(run_name="c")], "benchmark-stream-torn"),
        ([entry(), entry(run_name="c")], "benchmark-stream-torn"),
        ([entry(), entry()], "benchmark-stream-torn"),
        ([entry(repetitions=2)], "benchmark-stream-torn"),
        ([entry(iterations=0)], "benchmark-idle"),
        ([entry(cpu_time=0)], "benchmark-idle"),
        ([entry(cpu_time=-1)], "benchmark-idle"),
        ([entry(cpu_time="1")], "benchmark-stream-torn"),
        ([entry(cpu_time=float("nan"))], "benchmark-stream-torn"),
        ([entry(cpu_time=float("inf"))], "benchmark-stream-torn"),
        ([entry(time_unit="h")], "benchmark-stream-torn"),
        ([entry(error_occurred=True, error_message="m")], "benchmark-threw"),
        ([entry(skipped=True)], "benchmark-threw"),
    ],
)
def test_no_result_is_made_up(entries: list[dict[str, Any]], slug: str) -> None:
    with pytest.raises(MeasurementError) as error:
        read_times_of(text(*entries), "b", "x")
    assert error.value.slug == slug


@given(st.data())
def test_damaged_results_are_refused_or_the_same(data: st.DataObject) -> None:
    whole = text(entry())
    cut = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(MeasurementError):
        read_times_of(whole[:cut], "b", "x")


@given(st.binary(max_size=200))
def test_other_bytes_are_no_results(data: bytes) -> None:
    with pytest.raises(MeasurementError):
        read_times_of(data, "b", "x")


@pytest.mark.parametrize("data", [b"", b"\n", b"a\n\nb\n", b"a\na\n", b"\xff\n", b"a\tb\n"])
def test_a_list_has_one_name_a_line(data: bytes) -> None:
    with pytest.raises(MeasurementError) as error:
        read_names(data, Path("x"))
    assert error.value.slug == "benchmark-not-loaded"


def test_the_policy_asks_for_executables(programs: Programs) -> None:
    settings = BenchmarkSettings(kind="google-benchmark", artifact="bench")
    pairing = pairing_of(settings, os.environ)
    assert "print" in pairing.table(Build(programs[0])).benchmarks
    run = pairing.measure(programs[1], programs[0], "print", 1, "candidate")
    assert len(run.pairs) == 1
    assert pairing.instructions(programs[0], "print") is None
    assert not settings.plan(2).slices
    with pytest.raises(MeasurementError, match="tells no single times"):
        pairing.times(programs[0], "print", 10, 1)
