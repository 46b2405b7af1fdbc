"""What tools say of the candidate's sources, and its unit tests of the candidate itself."""

from pathlib import Path

import pytest

from fixtures.analysis import cpp, python
from fixtures.sources import Sources
from fixtures.unit_tests import declared, declared_as
from release_gates.probes.junit.gate_junit import GateJunit
from release_gates.probes.sarif.gate_findings import GateFindings

pytestmark = pytest.mark.gate("quality")


def test_ruff(gate_findings: GateFindings, sources: Sources, tmp_path: Path) -> None:
    """The Python keeps to the project's own rules."""
    file = tmp_path / "ruff.sarif"
    gate_findings.measure(file, root=sources.root, looked_at=python.ruff(sources, file))


def test_mypy(gate_findings: GateFindings, sources: Sources, tmp_path: Path) -> None:
    """The Python has no type error, strictly."""
    file = tmp_path / "mypy.sarif"
    gate_findings.measure(file, root=sources.root, looked_at=python.mypy(sources, file))


def test_clang_tidy(gate_findings: GateFindings, sources: Sources, tmp_path: Path) -> None:
    """The matching core and its journal have no defect that clang-tidy knows."""
    file = tmp_path / "clang-tidy.sarif"
    gate_findings.measure(file, root=sources.root, looked_at=cpp.clang_tidy(sources, file))


def test_cppcheck(gate_findings: GateFindings, sources: Sources, tmp_path: Path) -> None:
    """The engine has no defect that cppcheck knows."""
    file = tmp_path / "cppcheck.sarif"
    gate_findings.measure(file, root=sources.root, looked_at=cpp.cppcheck(sources, file))


def test_unit_tests(gate_junit: GateJunit, sources: Sources) -> None:
    """Every unit test that the sources declare was run by the build, and passed."""
    gate_junit.measure("unit-tests.xml", name="unit_tests", expected=declared(sources), key=declared_as)
