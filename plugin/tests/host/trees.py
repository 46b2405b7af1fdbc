"""Trees of kernel files that were recorded in guests (`python -m fixtures.numa_guest --trees`), laid out."""

from __future__ import annotations

import json
from pathlib import Path

DATA = Path(__file__).parent / "data"
RECORDED = ("one-node", "two-nodes", "four-nodes", "memory-only", "offline-cpu")


def recorded(name: str) -> dict[str, str]:
    """Return a recorded tree, text by path."""
    return dict(json.loads((DATA / f"{name}.json").read_text(encoding="utf-8")))


def laid_out(files: dict[str, str], root: Path) -> Path:
    """Write a tree below a folder."""
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8", newline="")
    return root
