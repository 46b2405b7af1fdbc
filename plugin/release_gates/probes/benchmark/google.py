"""Any two executables of Google Benchmark, run in turn, one fresh process each.

It needs no change of the benchmarks, and finds less: a pair of processes gives one pair of times, and nobody
can see whether both sides do the same work.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

from release_gates.model.paired import Side
from release_gates.probes.benchmark.google_results import (
    LARGEST_BYTES,
    GoogleTimes,
    missing,
    read_names,
    read_times_of,
    refused,
)
from release_gates.probes.benchmark.isolated import Ended, check_ended, run_isolated
from release_gates.probes.benchmark.runner import ProcessRun

EMPTY_LOOP_NS = 1.0
"""An iteration that takes less cannot be told from none: Google's own loop takes a cycle or two."""

_LIST_TIMEOUT_S = 30.0
_NO_MATCH = "Failed to match any benchmarks"
_SPECIAL = re.compile(r"([.^$*+?()\[\]{}|\\])")


class GoogleRunner:
    """Runs executables of Google Benchmark; ``environ`` is where little is passed on from."""

    def __init__(self, *, environ: Mapping[str, str], variables: Sequence[str] = ()) -> None:
        """Prepare to run."""
        self._environ = environ
        self._variables = tuple(variables)

    def benchmarks(self, program: Path) -> tuple[str, ...]:
        """Return the names of all benchmarks. Raises MeasurementError for a program that lists none."""
        with tempfile.TemporaryDirectory(prefix="google-") as folder:
            copy = _copy(program, Path(folder))
            ended = self._run(copy, "--benchmark_list_tests=true", timeout_s=_LIST_TIMEOUT_S)
        check_ended(ended, f"{program}: listing its benchmarks")
        return read_names(ended.out, program)

    def measure(
        self,
        *,
        baseline: Path,
        candidate: Path,
        benchmark: str,
        seed: int,
        first: Side,
        repetitions: int = 5,
        min_time_s: float = 0.02,
        timeout_s: float,
    ) -> ProcessRun:
        """Measure one benchmark by one process of each build, ``first`` first.

        ``pairs`` has one pair, the medians over the repetitions in nanoseconds of an iteration;
        ``iterations`` is 1. ``builds`` are SHA-256 digests. ``seed`` is only passed on, and ``same_work`` is
        true for want of knowledge. Raises MeasurementError, by slug, for a benchmark that is missing, has no
        iterations, reports an error, crashes or hangs.
        """
        programs: dict[Side, Path] = {"baseline": baseline, "candidate": candidate}
        second: Side = "candidate" if first == "baseline" else "baseline"
        found: dict[Side, tuple[GoogleTimes, Ended, str]] = {
            side: self._one(side, programs[side], benchmark, repetitions, min_time_s, timeout_s)
            for side in (first, second)
        }
        (before, ended, build), (now, then, other) = found["baseline"], found["candidate"]
        pair = (median(before.per_iteration_ns), median(now.per_iteration_ns))
        sides: tuple[Side, Side] = ("baseline", "candidate")
        return ProcessRun(
            benchmark=benchmark,
            seed=seed,
            first=first,
            iterations=1,
            operations=1,
            pairs=(pair,),
            dropped=0,
            cpu_s=sum(sum(each.per_iteration_ns) * each.iterations for each in (before, now)) / 1e9,
            wall_s=ended.wall_s + then.wall_s,
            same_work=True,
            idle=tuple(side for side, ns in zip(sides, pair, strict=True) if ns < EMPTY_LOOP_NS),
            builds=(build, other),
            compilers=("unknown", "unknown"),
        )

    def _one(
        self, side: Side, program: Path, benchmark: str, repetitions: int, min_time_s: float, timeout_s: float
    ) -> tuple[GoogleTimes, Ended, str]:
        with tempfile.TemporaryDirectory(prefix="google-") as folder:
            copy, results = _copy(program, Path(folder)), Path(folder) / "results.json"
            ended = self._run(
                copy,
                f"--benchmark_filter={_filter(benchmark)}",
                f"--benchmark_repetitions={repetitions}",
                f"--benchmark_min_time={min_time_s:.6f}",
                f"--benchmark_out={results}",
                "--benchmark_out_format=json",
                timeout_s=timeout_s,
            )
            check_ended(ended, f"{side} ({program}): the benchmark {benchmark!r}")
            data = _head(results)
            if not data and _NO_MATCH in ended.last_words:
                raise missing(f"{side} ({program})", benchmark)
            times = read_times_of(data, benchmark, f"{side} ({program})")
            return times, ended, _digest(copy)

    def _run(self, program: Path, *arguments: str, timeout_s: float) -> Ended:
        try:
            return run_isolated(
                [program, *arguments],
                folder=program.parent,
                environ=self._environ,
                variables=self._variables,
                timeout_s=timeout_s,
                most_bytes=LARGEST_BYTES,
            )
        except OSError as error:
            raise refused(
                f"{program.name}: cannot be started: {error.strerror}",
                "benchmark-not-loaded",
                "It has to be an executable of Google Benchmark for this machine.",
            ) from error


def _filter(benchmark: str) -> str:
    return "^" + _SPECIAL.sub(r"\\\1", benchmark) + "$"


def _copy(program: Path, folder: Path) -> Path:
    """Copy a program to the same name for both sides: names move stacks, and files of a store do not run."""
    copy = folder / "program"
    try:
        shutil.copyfile(program, copy)
    except OSError as error:
        raise refused(
            f"{program}: cannot be read: {error.strerror}",
            "benchmark-not-loaded",
            "Build it, and name it as an artifact of the candidate.",
        ) from error
    copy.chmod(0o755)
    return copy


def _head(results: Path) -> bytes:
    if not results.is_file():
        return b""
    with results.open("rb") as file:
        return file.read(LARGEST_BYTES)


def _digest(program: Path) -> str:
    with program.open("rb") as file:
        return str(hashlib.file_digest(file, "sha256").hexdigest())
