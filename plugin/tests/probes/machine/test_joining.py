"""A machine with one node and one with two decide together; neither can pass for the other."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from release_gates.testing import GateProject, GateResult

from .conftest import DATA, recorded, tree_of

GATE = """
schema = 1
[gate.smoke]
owner = "somebody"
[gate.numa]
owner = "somebody"
[gate.numa.machine]
arena_node = 0
emulated = true
threads = { trading-engine = "0", matching = "1" }
"""
LIMITS = """
[gate.numa.limits]
"numa.remote_pages" = "<= 16 pages"
"""
CONFTEST = """
import os
from pathlib import Path
import pytest
from release_gates.probes.machine.assessment import GateMachine
@pytest.fixture
def gate_machine(gate, tmp_path):
    return GateMachine(gate, tmp_path, root=Path(os.environ["HOST"]))
"""
TESTS = """
import pytest
pytestmark = pytest.mark.gate("numa")
def test_arenas_are_local(gate_machine):
    gate_machine.measure_locality(lambda: {pid}, lambda: None)
"""


class TwoHosts(GateProject):
    """A project whose tests see the host that is asked for: one-node, local or misplaced."""

    def __init__(self, root: Path, *, limits: str = LIMITS) -> None:
        super().__init__(root)
        self.write("gates/staging.toml", GATE + limits)
        self.write("conftest.py", CONFTEST)
        self.write("suites/test_numa.py", TESTS.replace("{pid}", str(recorded("local")["pid"])))
        self.write(
            "suites/test_smoke.py", 'import pytest\n@pytest.mark.gate("smoke")\ndef test_a(gate): pass\n'
        )
        for name in ("local", "misplaced"):
            tree_of(recorded(name), root / name)
        one = json.loads((DATA.parents[2] / "host/data/one-node.json").read_text(encoding="utf-8"))
        tree_of({"after": one}, root / "one-node")
        self.expect()

    def on(self, host: str, *arguments: str, mark: str = "gate_staging") -> GateResult:
        return self.run(*arguments, mark=mark, env={"HOST": str(self.root / host)})

    def part(self, host: str, mark: str) -> str:
        name = f"{host}.jsonl"
        self.on(host, "--gate-part", "--gate-evidence", name, mark=mark)
        return name


@pytest.mark.parametrize("limits", [LIMITS, ""], ids=["limited", "without-limits"])
def test_one_node_alone_proves_nothing(tmp_path: Path, limits: str) -> None:
    result = TwoHosts(tmp_path, limits=limits).on("one-node")
    assert not result.promotes
    assert result.status == 10
    assert "single node" in result.sentences
    assert result.verdict is not None
    assert [(gate.name, gate.outcome.value) for gate in result.verdict.gates] == [
        ("smoke", "PASS"),
        ("numa", "INCONCLUSIVE"),
    ]


@pytest.mark.parametrize(("host", "status"), [("local", 0), ("misplaced", 1)])
def test_two_hosts_decide_together(tmp_path: Path, host: str, status: int) -> None:
    project = TwoHosts(tmp_path)
    parts = [
        project.part("one-node", 'gate_staging and not gate_staging(gate="numa")'),
        project.part(host, 'gate_staging(gate="numa")'),
    ]
    result = project.cli("decide", *parts, "--environment", "staging")
    assert result.status == status, result.output
    assert result.promotes == (status == 0)
    if status:
        assert "numa.remote_pages is 16 028 pages" in result.sentences


def test_where_both_measured_the_worse_counts(tmp_path: Path) -> None:
    project = TwoHosts(tmp_path)
    parts = [project.part("one-node", "gate_staging"), project.part("local", 'gate_staging(gate="numa")')]
    result = project.cli("decide", *parts, "--environment", "staging")
    assert not result.promotes
    assert "single node" in result.sentences
