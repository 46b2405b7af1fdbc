"""What the candidate is made of, and what its sources give away."""

from pathlib import Path

import pytest

from fixtures import sbom
from fixtures.analysis import python
from fixtures.analysis.secrets import BASELINE, detect_secrets
from fixtures.sources import Sources
from release_gates.probes.sarif.gate_findings import GateFindings
from release_gates.probes.sbom.gate_sbom import GateSbom
from release_gates.session.gate import Gate

pytestmark = pytest.mark.gate("security")


def test_sbom_is_complete(gate_sbom: GateSbom, sources: Sources) -> None:
    """The SBOM is about this binary and names everything that its sources ask for, as installed here."""
    gate_sbom.measure_components(sbom.expected(sources.root / "pyproject.toml"))


def test_licences_are_allowed(gate_sbom: GateSbom) -> None:
    """Nothing is in the candidate that policy does not allow to be there."""
    gate_sbom.measure_licences()


def test_no_secret_is_in_the_sources(
    gate: Gate, gate_findings: GateFindings, sources: Sources, tmp_path: Path
) -> None:
    """No file of the repository holds a key, a password or a token."""
    file = tmp_path / "secrets.sarif"
    looked_at = detect_secrets(sources, file, gate.policy_file(BASELINE))
    gate_findings.measure(file, root=sources.root, looked_at=looked_at)


def test_python_is_no_danger(gate_findings: GateFindings, sources: Sources, tmp_path: Path) -> None:
    """The Python has none of the weaknesses that bandit's rules know, whatever the sources configure."""
    file = tmp_path / "ruff-security.sarif"
    looked_at = python.ruff(sources, file, python.SECURITY)
    gate_findings.measure(file, root=sources.root, looked_at=looked_at)
