"""The pytest fixture of the benchmark probe."""

from __future__ import annotations

from pathlib import Path

import pytest

from release_gates.probes.benchmark.comparison import Gate, GateBenchmark


@pytest.fixture
def gate_benchmark(gate: Gate, tmp_path: Path) -> GateBenchmark:
    """Benchmarks against the live build: ``gate_benchmark.measure()`` measures ``NAME.cpu_time`` of each.

    Both builds carry the shared object that ``[gate.benchmark.benchmark]`` names; see ``native/paired.h``.
    """
    return GateBenchmark(gate, tmp_path)
