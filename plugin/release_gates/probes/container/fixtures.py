"""The pytest fixtures of the container probe."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from release_gates.probes.container.gate_container import Gate, GateContainer, Inspected


@pytest.fixture(scope="session")
def inspected_containers() -> Iterator[Inspected]:
    """Keep what was read of images and containers for the session: each is looked at once."""
    with Inspected() as inspected:
        yield inspected


@pytest.fixture
def gate_container(gate: Gate, inspected_containers: Inspected) -> GateContainer:
    """Judge the candidate's image: ``.dockerfile(rule)``, ``.image(rule)``, ``.running(rule, containers)``.

    A rule that is broken fails the test with what was declared, what is in effect and what to write instead;
    one that cannot be decided is an error. ``[gate.container.container]`` says what is asked.
    """
    return GateContainer(gate, inspected_containers)
