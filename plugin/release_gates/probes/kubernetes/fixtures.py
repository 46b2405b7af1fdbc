"""The pytest fixture of the Kubernetes probe."""

from __future__ import annotations

import pytest

from release_gates.probes.kubernetes.assessment import Gate, GateKubernetes


@pytest.fixture
def gate_kubernetes(gate: Gate) -> GateKubernetes:
    """Manifests or a cluster, as policy names them: ``gate_kubernetes.check("NP")`` and ``.measure()``.

    Measured are ``kubernetes.critical``, ``.high``, ``.medium``, ``.low`` and ``.exempted``, in "count".
    """
    return GateKubernetes(gate)
