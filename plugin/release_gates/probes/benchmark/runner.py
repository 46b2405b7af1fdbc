"""Benchmarks of two builds, measured in turn in one fresh process."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from release_gates.errors import MeasurementError, ProbeUnavailable
from release_gates.model.paired import Side
from release_gates.probes.benchmark.cachegrind import counted_instructions, valgrind
from release_gates.probes.benchmark.compiled import compiled_runner, user_cache
from release_gates.probes.benchmark.isolated import Ended, check_ended, run_isolated
from release_gates.probes.benchmark.stream import (
    LARGEST_BYTES,
    PairStream,
    Refused,
    Table,
    read_list,
    read_pair,
    read_single,
    read_times,
)

LEAST_INSTRUCTIONS = 10_000_000
"""Between two counts, so that what differs from run to run is below 0.012 % of it."""

_LIST_TIMEOUT_S = 30.0
_REFUSALS = {
    "missing": "benchmark-missing",
    "not-loaded": "benchmark-not-loaded",
    "threw": "benchmark-threw",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessRun:
    """What one process measured.

    ``pairs`` are CPU nanoseconds (baseline, candidate) of slices that were not preempted, of ``iterations``
    each; there are none if all were. ``idle`` names each side that does no work: its time does not grow with
    the iterations, or one of them is faster than an empty loop. ``same_work`` is whether both sides answered
    the same to the same iterations. ``builds`` are the build ids that were really loaded.
    """

    benchmark: str
    seed: int
    first: Side
    iterations: int
    operations: int
    pairs: tuple[tuple[float, float], ...]
    dropped: int
    cpu_s: float
    wall_s: float
    same_work: bool
    idle: tuple[Side, ...]
    builds: tuple[str, str]
    compilers: tuple[str, str]

    @property
    def works(self) -> bool:
        """Whether both sides do work."""
        return not self.idle


class PairedRunner:
    """Runs the native runner; ``environ`` is where programs are looked for, and little of it is passed on."""

    def __init__(
        self, *, environ: Mapping[str, str], variables: Sequence[str] = (), cache: Path | None = None
    ) -> None:
        """Prepare to run; ``cache`` keeps the compiled runner (default: the user's cache)."""
        self._environ = environ
        self._variables = tuple(variables)
        self._cache = cache or user_cache(environ)
        self._program: Path | None = None

    def benchmarks(self, library: Path) -> tuple[str, ...]:
        """Return the names in a shared object's table. Raises MeasurementError for one without a table."""
        return self.table(library).benchmarks

    def table(self, library: Path) -> Table:
        """Return what a shared object exports. Raises MeasurementError for one without a table."""
        with _copies(library) as (copy,):
            ended = self._run("list", copy, timeout_s=_LIST_TIMEOUT_S)
        found = read_list(check_ended(ended, f"{library}: listing its benchmarks"))
        if isinstance(found, Refused):
            raise _refusal(found, "its benchmarks", {"library": library})
        return found

    def measure(
        self,
        *,
        baseline: Path,
        candidate: Path,
        benchmark: str,
        pairs: int = 120,
        slice_us: int = 500,
        seed: int,
        first: Side,
        timeout_s: float,
    ) -> ProcessRun:
        """Measure one benchmark of both builds in one process, that loads ``first`` first.

        Raises MeasurementError, by slug, for one that is missing, crashes, hangs, throws or damages the
        results.
        """
        with _copies(baseline, candidate) as copies:
            plan = (benchmark, pairs, slice_us * 1000, seed, first)
            ended = self._run("pair", *copies, *plan, timeout_s=timeout_s)
        stream = read_pair(check_ended(ended, f"the benchmark {benchmark!r}"))
        if isinstance(stream, Refused):
            raise _refusal(stream, repr(benchmark), {"baseline": baseline, "candidate": candidate})
        _check_header(stream, plan)
        return _process_run(stream, ended.wall_s)

    def instructions(
        self,
        library: Path,
        benchmark: str,
        *,
        few: int = 20,
        many: int = 120,
        seed: int = 1,
        timeout_s: float,
    ) -> float:
        """Return the instructions of one iteration: the difference of two counts by valgrind's cachegrind.

        ``many`` is raised until the counts are 10 million instructions apart. Raises ProbeUnavailable without
        valgrind, MeasurementError where the benchmark cannot be run or does no work.
        """
        if not 0 < few < many:
            raise ValueError(f"few = {few}, many = {many}: few must be above 0 and below many")
        low = self._count(library, benchmark, few, seed, timeout_s)
        high = self._count(library, benchmark, many, seed, timeout_s)
        if high - low < LEAST_INSTRUCTIONS:
            each = max(high - low, 1) / (many - few)
            many = few + int(LEAST_INSTRUCTIONS * 1.05 / each) + 1
            high = self._count(library, benchmark, many, seed, timeout_s)
        if high - low < LEAST_INSTRUCTIONS:
            raise MeasurementError(
                f"{benchmark}: {many} iterations take {high - low} instructions more than {few}.",
                slug="benchmark-idle",
                hint="The benchmark does no work: let its result depend on all of it.",
            )
        return (high - low) / (many - few)

    def times(
        self, library: Path, benchmark: str, *, samples: int, seed: int = 1, timeout_s: float
    ) -> tuple[int, ...]:
        """Return how long each of ``samples`` single iterations took by the wall clock, in nanoseconds.

        Raises MeasurementError where the benchmark cannot be run, or ran another number of times.
        """
        with _copies(library) as (copy,):
            ended = self._run("times", copy, benchmark, samples, seed, timeout_s=timeout_s)
        found = read_times(check_ended(ended, f"the benchmark {benchmark!r}"))
        if isinstance(found, Refused):
            raise _refusal(found, repr(benchmark), {"library": library})
        if len(found) != samples:
            raise MeasurementError(
                f"{benchmark}: {len(found)} times were measured, and {samples} were asked for.",
                slug="benchmark-stream-torn",
                hint="Something wrote where only the runner may",
            )
        return found

    def _count(self, library: Path, benchmark: str, iterations: int, seed: int, timeout_s: float) -> int:
        with _copies(library) as (copy,):
            counts = copy.parent / "cachegrind.out"
            command = ("single", copy, benchmark, iterations, seed)
            ended = self._run(*command, timeout_s=timeout_s, under=valgrind(self._environ, counts))
            done = read_single(check_ended(ended, f"the benchmark {benchmark!r} under valgrind"))
            if isinstance(done, Refused):
                raise _refusal(done, repr(benchmark), {"library": library})
            return counted_instructions(counts)

    def _run(self, *words: str | int | Path, timeout_s: float, under: tuple[str, ...] = ()) -> Ended:
        if self._program is None:
            self._program = compiled_runner(self._cache, self._environ)
        command = [*under, str(self._program), *map(str, words)]
        with tempfile.TemporaryDirectory(prefix="paired-") as folder:
            try:
                return run_isolated(
                    command,
                    folder=Path(folder),
                    environ=self._environ,
                    variables=self._variables,
                    timeout_s=timeout_s,
                    most_bytes=LARGEST_BYTES,
                )
            except OSError as error:
                raise ProbeUnavailable(
                    f"{command[0]}: cannot be started: {error.strerror}.",
                    slug="benchmark-runner-not-compiled",
                    hint="Remove it, so that it is compiled again, and see that its folder allows programs.",
                ) from error


@contextmanager
def _copies(*libraries: Path) -> Iterator[tuple[Path, ...]]:
    """Copy shared objects to names of one length: a file is loaded once only, and names move stacks."""
    with tempfile.TemporaryDirectory(prefix="paired-") as folder:
        copies = tuple(Path(folder) / f"{number}.so" for number in range(len(libraries)))
        for library, copy in zip(libraries, copies, strict=True):
            try:
                shutil.copyfile(library, copy)
            except OSError as error:
                raise MeasurementError(
                    f"{library}: cannot be read: {error.strerror}.",
                    slug="benchmark-not-loaded",
                    hint="Build it, and name it as an artifact of the candidate.",
                ) from error
        yield copies


def _refusal(refused: Refused, what: str, files: Mapping[str, Path]) -> MeasurementError:
    file = files.get(refused.side, refused.side)
    return MeasurementError(
        f"{refused.side} ({file}): {what} cannot be measured: {refused.text[:1000]}.",
        slug=_REFUSALS[refused.because],
        hint="Correct the shared object's table or the benchmark.",
    )


def _check_header(stream: PairStream, plan: tuple[str, int, int, int, Side]) -> None:
    header = stream.header
    if (header.benchmark, header.pairs, header.slice_ns, header.seed, header.first) != plan:
        raise MeasurementError(
            f"the runner measured something else than was asked for: {header}.",
            slug="benchmark-stream-torn",
            hint="Something wrote where only the runner may.",
        )


def _process_run(stream: PairStream, wall_s: float) -> ProcessRun:
    header, end = stream.header, stream.end
    works: tuple[tuple[Side, bool], ...] = (
        ("baseline", end.baseline_works),
        ("candidate", end.candidate_works),
    )
    return ProcessRun(
        benchmark=header.benchmark,
        seed=header.seed,
        first=header.first,
        iterations=header.iterations,
        operations=header.operations,
        pairs=tuple((float(p.baseline_ns), float(p.candidate_ns)) for p in stream.pairs if p.kept),
        dropped=end.dropped,
        cpu_s=end.cpu_s,
        wall_s=wall_s,
        same_work=end.same_work,
        idle=tuple(side for side, does in works if not does),
        builds=(header.baseline_build, header.candidate_build),
        compilers=(
            f"{header.baseline_compiler} {header.baseline_flags}".strip(),
            f"{header.candidate_compiler} {header.candidate_flags}".strip(),
        ),
    )
