"""Every defect that the engine can be built with is declared, with the gate that has to catch it."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from fixtures import planted
from fixtures.trading_system.image_defects import IMAGE_DEFECTS
from release_gates.probes.container.catalogue import CATALOGUE

ROOT = Path(__file__).resolve().parents[2]
ENGINE = ROOT / "fixtures" / "trading_system"


def test_every_defect_that_can_be_planted_is_declared() -> None:
    build = (ENGINE / "CMakeLists.txt").read_text(encoding="utf-8")
    buildable = re.search(r"set\(DEFECTS\s+([^)]+)\)", build)
    assert buildable is not None
    in_binaries = set(buildable[1].split()) - {"none"}
    elsewhere = {*planted.IN_SOURCES, *planted.IN_FILES}
    registry = tomllib.loads((ROOT / "gates" / "defects.toml").read_text(encoding="utf-8"))["defect"]
    assert in_binaries | elsewhere <= set(registry)
    assert not in_binaries & elsewhere
    assert elsewhere == {name for name in registry if "fixtures.planted" in registry[name].get("apply", ())}


def test_what_the_container_gate_has_to_say_is_its_rule() -> None:
    registry = tomllib.loads((ROOT / "gates" / "defects.toml").read_text(encoding="utf-8"))["defect"]
    declared = {name: defect["message"] for name, defect in registry.items() if defect["gate"] == "container"}
    assert set(declared) <= set(IMAGE_DEFECTS)
    others = {
        "image_secret": "which a higher layer only hides",
        "container_open_port": "open on every address",
    }
    for name, message in declared.items():
        assert message.startswith(others.get(name, message))
        assert name in others or message in CATALOGUE[IMAGE_DEFECTS[name].rule].title
