"""How two builds are paired: shared objects in one process, or whole executables of Google Benchmark."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from release_gates.errors import MeasurementError
from release_gates.model.paired import Side
from release_gates.probes.benchmark.google import GoogleRunner
from release_gates.probes.benchmark.runner import PairedRunner, ProcessRun
from release_gates.probes.benchmark.settings import BenchmarkSettings
from release_gates.probes.benchmark.stream import Table


class Build(Protocol):
    """What this probe needs of a candidate or a baseline."""

    @property
    def version(self) -> str:
        """Return the version, for people."""

    def artifact(self, name: str) -> Path:
        """Return an artifact in the store, hashed again."""


class Pairing(Protocol):
    """A way to measure one benchmark of two builds in a fresh process, or a fresh pair of them."""

    def table(self, build: Build) -> Table:
        """Return what a build's artifact holds. Raises MeasurementError for one that holds no benchmark."""

    def measure(self, candidate: Path, baseline: Path, name: str, seed: int, first: Side) -> ProcessRun:
        """Measure both builds. Raises MeasurementError, by slug."""

    def instructions(self, file: Path, name: str) -> float | None:
        """Return the instructions of one iteration, None where this way cannot count them."""

    def times(self, file: Path, name: str, samples: int, seed: int) -> tuple[int, ...]:
        """Return the wall-clock nanoseconds of so many single iterations."""


def pairing_of(settings: BenchmarkSettings, environ: Mapping[str, str]) -> Pairing:
    """Return the way that the policy asks for."""
    if settings.kind == "google-benchmark":
        return Executables(settings, environ)
    return SharedObjects(settings, environ)


class SharedObjects:
    """Two shared objects with a table of ``paired.h``, measured in turn in one process."""

    def __init__(self, settings: BenchmarkSettings, environ: Mapping[str, str]) -> None:
        """Prepare to run."""
        self._settings = settings
        self._runner = PairedRunner(environ=environ, variables=settings.variables)

    def table(self, build: Build) -> Table:
        """Return what a build exports, unless its shared object is that of another release."""
        table = self._runner.table(build.artifact(self._settings.artifact))
        if table.release != build.version:
            said = f"says that it belongs to {table.release}" if table.release else "names no release"
            raise MeasurementError(
                f"{self._settings.artifact} of {build.version} {said}: it may be that of another build.",
                slug="benchmark-other-release",
                hint=f"Compile it for {build.version}, with -DPAIRED_RELEASE='\"{build.version}\"'",
            )
        return table

    def measure(self, candidate: Path, baseline: Path, name: str, seed: int, first: Side) -> ProcessRun:
        """Measure slices of both in turn."""
        return self._runner.measure(
            baseline=baseline,
            candidate=candidate,
            benchmark=name,
            pairs=self._settings.pairs,
            slice_us=self._settings.slice_us,
            seed=seed,
            first=first,
            timeout_s=self._settings.timeout_s,
        )

    def instructions(self, file: Path, name: str) -> float | None:
        """Count by valgrind."""
        return self._runner.instructions(file, name, timeout_s=self._settings.timeout_s)

    def times(self, file: Path, name: str, samples: int, seed: int) -> tuple[int, ...]:
        """Time each iteration by itself."""
        timeout_s = self._settings.timeout_s
        return self._runner.times(file, name, samples=samples, seed=seed, timeout_s=timeout_s)


class Executables:
    """Two executables of Google Benchmark, one process each: nothing to change, and less is found."""

    def __init__(self, settings: BenchmarkSettings, environ: Mapping[str, str]) -> None:
        """Prepare to run."""
        self._settings = settings
        self._runner = GoogleRunner(environ=environ, variables=settings.variables)

    def table(self, build: Build) -> Table:
        """Return the names; an executable does not tell of which release it is."""
        names = self._runner.benchmarks(build.artifact(self._settings.artifact))
        return Table(benchmarks=names, facts=(), release="", build="")

    def measure(self, candidate: Path, baseline: Path, name: str, seed: int, first: Side) -> ProcessRun:
        """Run one process of each."""
        return self._runner.measure(
            baseline=baseline,
            candidate=candidate,
            benchmark=name,
            seed=seed,
            first=first,
            timeout_s=self._settings.timeout_s,
        )

    def instructions(self, file: Path, name: str) -> float | None:  # noqa: ARG002
        """Return None: how often it iterates is its own choice, so two counts say nothing."""
        return None

    def times(self, file: Path, name: str, samples: int, seed: int) -> tuple[int, ...]:  # noqa: ARG002
        """Refuse: single iterations are not reported."""
        raise MeasurementError(
            f"{self._settings.artifact}: an executable of Google Benchmark tells no single times of {name}.",
            slug="benchmark-no-times",
            hint="Export the benchmark from a shared object (paired.h), and ask that one for quantiles",
        )
