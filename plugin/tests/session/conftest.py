"""A gate project that promotes as it stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from release_gates.testing import GateProject

TEST = """
import pytest

pytestmark = pytest.mark.gate("smoke")


def test_speed(gate):
    gate.measure("order.time", 3, "ms", samples=10)


def test_book():
    assert True
"""


@pytest.fixture
def project(tmp_path: Path) -> GateProject:
    made = GateProject(tmp_path / "project")
    made.write("suites/test_smoke.py", TEST)
    made.limits("smoke", {"order.time": "<= 5 ms"})
    made.expect(["suites/test_smoke.py::test_speed", "suites/test_smoke.py::test_book"])
    return made
