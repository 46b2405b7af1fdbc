"""Two recordings of the reference engine in a real guest with two nodes, and a gate that keeps what it is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from release_gates.probes.machine.assessment import GateMachine

DATA = Path(__file__).parent / "data"
ENGINE = {"threads": {"trading-engine": "0", "matching": "1"}, "arena_node": 0}


def recorded(name: str, **changed: object) -> dict[str, Any]:
    """Return a recording as a document; ``changed`` replaces fields."""
    return {**json.loads((DATA / f"{name}.json").read_text(encoding="utf-8")), **changed}


def tree_of(recording: dict[str, Any], root: Path) -> Path:
    """Lay out what was recorded after the engine had worked."""
    for path, text in recording["after"].items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")
    return root


class StandIn:
    """The fixture ``gate`` with a candidate of one artifact; it keeps what is measured."""

    def __init__(self, root: Path, settings: dict[str, Any], program: str) -> None:
        self.rootdir = root
        self.candidate = self
        self.measured: dict[str, float] = {}
        self.inconclusives: dict[str, str] = {}
        self.inapplicable: dict[str, str] = {}
        self.attached: list[str] = []
        self._settings = settings
        self._program = program

    def artifact(self, name: str) -> Path:
        return self.rootdir / self._program

    def settings(self, kind: type[Any]) -> Any:
        return msgspec.convert(self._settings, kind, strict=True)

    def measure(self, name: str, value: float, unit: str, *, samples: int | None = None) -> None:
        self.measured[name] = value

    def inconclusive(self, name: str, because: str) -> None:
        self.inconclusives[name] = because

    def not_applicable(self, name: str, because: str) -> None:
        self.inapplicable[name] = because

    def attach(self, name: str, path: Path) -> None:
        self.attached.append(name)


Made = tuple[GateMachine, StandIn]


@pytest.fixture
def one_node(tmp_path: Path) -> Callable[..., Made]:
    """Return a maker of ``gate_machine`` on a host with one node, beside a recording from elsewhere."""

    def make(recording: dict[str, Any] | None, *, program: str = "", **settings: object) -> Made:
        root = tmp_path / "host"
        tree = json.loads((DATA.parents[2] / "host/data/one-node.json").read_text(encoding="utf-8"))
        tree_of({"after": tree}, root)
        if recording is not None:
            program = program or str(recording["program"])
            fresh = {"recorded": datetime.now(UTC).isoformat(), **recording}
            (tmp_path / "facts").mkdir()
            (tmp_path / f"facts/{program}.json").write_text(json.dumps(fresh), encoding="utf-8")
        chosen = {**ENGINE, "facts": "facts", "emulated": True, **settings}
        gate = StandIn(tmp_path, chosen, program or "0" * 64)
        return GateMachine(gate, tmp_path / "work", root=root), gate

    return make
