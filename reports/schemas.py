"""The JSON schemas of evidence and verdict, for whoever reads these files: ``python -m reports.schemas``."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec

from release_gates.model.evidence import RunEnd, RunHeader, TestRecord
from release_gates.model.verdict import Verdict

FOLDER = Path(__file__).parent / "schema"


def schemas() -> dict[str, str]:
    """Return the text of each schema file by its name, made from the types themselves."""
    kinds = {"evidence-line.json": RunHeader | TestRecord | RunEnd, "verdict.json": Verdict}
    return {name: json.dumps(msgspec.json.schema(kind), indent=2) + "\n" for name, kind in kinds.items()}


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, text in schemas().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
