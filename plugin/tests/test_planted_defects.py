"""Every defect that the engine can be built with is declared, with the gate that has to catch it."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ENGINE = ROOT / "fixtures" / "trading_system"


def test_every_defect_of_the_engine_is_declared() -> None:
    build = (ENGINE / "CMakeLists.txt").read_text(encoding="utf-8")
    buildable = re.search(r"set\(DEFECTS\s+([^)]+)\)", build)
    assert buildable is not None
    registry = tomllib.loads((ROOT / "gates" / "defects.toml").read_text(encoding="utf-8"))
    assert set(buildable[1].split()) <= {"none", *registry["defect"]}
